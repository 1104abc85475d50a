// Writes one safetensors file, fp32 values in, F32 or BF16 out, without ever holding a whole tensor.
// Nothing appears at the path before finish(); what is stored under which name is the caller's business.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "formats/atomic_file.h"

namespace attune {

struct TensorDeclaration {
    std::string name;
    DType dtype = DType::F32;
    std::vector<int64_t> shape;  // outermost first
};

using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

// Bytes that the tensor takes in a file; throws Error(Shape) for a negative size or an overflow.
int64_t declared_bytes(const TensorDeclaration& tensor);

class SafetensorsWriter {
  public:
    // Throws Error(Output) when the path can't be written or the disk has no room for all of it.
    SafetensorsWriter(const std::string& path, std::vector<TensorDeclaration> tensors,
                      SafetensorsMetadata metadata = {{"format", "pt"}});

    // values[count]: the next values of tensor `name`. Tensors come in the declared order, each in any number
    // of pieces; BF16 is rounded to nearest even.
    void write(std::string_view name, const float* values, int64_t count);
    // Checks that all values came, and makes them durable; publish() or finish() may follow.
    void seal();
    void publish();
    void finish() {
        seal();
        publish();
    }

  private:
    std::string lay_out(const SafetensorsMetadata& metadata);
    void skip_full_tensors() noexcept;
    int64_t value_count(size_t tensor) const noexcept;

    AtomicFile file_;
    std::vector<TensorDeclaration> tensors_;
    std::vector<int64_t> offsets_;  // of each tensor within the data
    int64_t data_start_ = 0;
    int64_t data_bytes_ = 0;
    size_t current_ = 0;   // tensor being written
    int64_t written_ = 0;  // its values so far
    std::vector<bf16_t> rounded_;
};

}  // namespace attune
