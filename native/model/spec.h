// The spec table: from a configuration to every parameter tensor, its place in the flat buffers and its names
// on disk. Tensors are found by name, never by position. Knows neither files nor values.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ops.h"
#include "model/config.h"

namespace attune {

// A run of a tensor's rows that a file stores under a name of its own (q, k and v of one fused map).
struct TensorPart {
    std::string name;  // in a Hugging Face folder
    std::string gguf;  // in a GGUF file
    int64_t row = 0;   // first row in the tensor
    int64_t rows = 0;
    bool transposed = false;  // Hugging Face stores [K, rows] (GPT-2's Conv1D); GGUF never does
    int64_t gguf_rope_heads =
        0;  // GGUF rows of each of so many heads are permuted into adjacent rotary pairs; 0 = not
};

struct TensorSpec {
    std::string name;  // "layers.3.attention.qkv"
    int64_t N = 0;     // rows; the length of a vector
    int64_t K = 0;     // columns; 1 for a vector
    Layout layout = Layout::Panels;
    bool vector = false;   // one dimension: always fp32, never decayed
    int64_t offset = 0;    // elements, into the matrices or the vectors buffer
    int64_t elements = 0;  // with padding
    std::vector<TensorPart> parts{};
    size_t index = 0;  // among the tensors of its spec
};

struct ModelSpec {
    std::vector<TensorSpec> tensors;
    int64_t matrix_elements = 0;  // all matrices, padded; offsets are multiples of 64
    int64_t vector_elements = 0;
    int64_t parameters = 0;  // without padding
    // The matrices of the layers lie one layer behind the other among the others, every layer alike.
    int64_t layers = 0;
    int64_t layer_offset = 0;    // of the first one
    int64_t layer_elements = 0;  // of each

    // Of a matrix; -1: it belongs to no layer.
    int64_t layer_of(const TensorSpec& matrix) const {
        const int64_t within = matrix.offset - layer_offset;
        return within < 0 || within >= layers * layer_elements ? -1 : within / layer_elements;
    }
    const TensorSpec& at(const std::string& name) const;
    // Adds a tensor behind those before it; parameters are counted by parts.
    void place(TensorSpec tensor);
    void place_matrix(std::string name, int64_t N, int64_t K, std::vector<TensorPart> parts,
                      Layout layout = Layout::Panels);
    void place_vector(std::string name, int64_t N, std::vector<TensorPart> parts);
    bool has(const std::string& name) const { return index.count(name) != 0; }

    std::unordered_map<std::string, size_t> index;
};

ModelSpec model_spec(const ModelConfig& config);

}  // namespace attune
