// Moves parameters between files and the flat buffers: fused maps are split into the files' names, GPT-2's
// transposed matrices and GGUF's permuted rotary rows are set right. Knows layouts and names, not models'
// mathematics.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ops.h"
#include "formats/tensor_source.h"
#include "model/config.h"
#include "model/spec.h"
#include "model/weights.h"

namespace attune {

struct TensorReader {
    const Ops& ops;
    const ModelSpec& spec;
    const TensorSource& source;
    Stream& stream;
    std::string prefix = {};      // of every name in the file
    Code mismatch = Code::Model;  // thrown for names and shapes that don't fit
    std::string absent = {};      // a tensor that the file does not hold; its values are left alone

    // Every name and shape against the spec, and nothing left over that would be ignored silently.
    void check_tensors(bool tied) const;
    // Matrices and vectors in the weights' dtype. Throws Code::NotFinite naming tensor and place.
    void read(const Weights& weights, const std::function<void(double)>& progress) const;
    // Matrices in fp32, into a flat buffer of the same layout: master weights that round to the bf16 weights
    // of read().
    void read_masters(const FlatTensors& masters) const;
    // All of it in fp32 as it is, into a flat buffer of the same layout; where vectors (fp32) are kept is
    // said.
    void read_flat(const FlatTensors& flat, const std::function<float*(const TensorSpec&)>& vector_at,
                   const std::function<void(double)>& progress) const;

  private:
    void check_part(const TensorSpec& tensor, const TensorPart& part) const;
    bool gguf() const { return !source.metadata().values().empty(); }
    int64_t find(const TensorPart& part) const;
    void read_vector(const TensorPart& part, float* target) const;
    void read_part(const TensorPart& part, int64_t columns,
                   const std::function<void(int64_t row, int64_t rows, const float* values)>& take) const;
    void read_transposed(int64_t index, const TensorPart& part, int64_t columns, float* values) const;
    void check_finite(const TensorPart& part, int64_t first_row, int64_t columns, const float* values,
                      int64_t count) const;
};

// Rows [first, first + rows) of a part, row-major fp32 as a Hugging Face folder has them before transposing.
using PartRows = std::function<void(const TensorSpec& tensor, int64_t first, int64_t rows, float* out)>;

// A Hugging Face folder's tensor: all values of a part, transposed where the folder has it so.
std::vector<float> part_values(const TensorSpec& tensor, const TensorPart& part, const PartRows& rows);
// The same in pieces of a few million values, a transposed matrix in one: a vocabulary's matrix is not held
// twice.
void part_slices(const TensorSpec& tensor, const TensorPart& part, const PartRows& rows,
                 const std::function<void(const float* values, int64_t count)>& take);
std::vector<int64_t> part_shape(const TensorSpec& tensor, const TensorPart& part);

}  // namespace attune
