// The flat buffers of a model's parameters and gradients, and named views into them. No arithmetic here.
#pragma once

#include <string>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/spec.h"

namespace attune {

// What a forward pass reads: matrices in the model's dtype, vectors always in fp32.
struct Weights {
    Weights() = default;
    // Zero.
    Weights(const ModelSpec& spec, DType dtype, const Ops& ops, Stream& stream)
        : matrices(ops, stream, matrix_bytes(spec, dtype)),
          vectors(ops, stream, vector_bytes(spec)),
          type(dtype) {}

    static size_t matrix_bytes(const ModelSpec& spec, DType dtype) {
        return static_cast<size_t>(spec.matrix_elements * dtype_size(dtype));
    }
    static size_t vector_bytes(const ModelSpec& spec) {
        return static_cast<size_t>(spec.vector_elements) * sizeof(float);
    }

    void* matrix_data(const TensorSpec& tensor) const {
        return matrices.data() + tensor.offset * dtype_size(type);
    }
    Weight matrix(const TensorSpec& tensor) const {
        return {matrix_data(tensor), type, tensor.layout, tensor.N, tensor.K};
    }
    float* vector(const TensorSpec* tensor) const {
        return tensor == nullptr ? nullptr : vectors.floats() + tensor->offset;
    }

    TensorMemory matrices;
    TensorMemory vectors;
    DType type = DType::F32;
};

// fp32 in the parameters' layout: [matrices | vectors] in one buffer, so that norms and clearing are one
// call. Gradients, the moments of Adam and master weights all have this form.
struct FlatTensors {
    FlatTensors() = default;
    // Zero.
    FlatTensors(const ModelSpec& spec, const Ops& ops, Stream& stream)
        : memory(ops, stream, static_cast<size_t>(elements(spec)) * sizeof(float)),
          matrix_elements(spec.matrix_elements) {}

    static int64_t elements(const ModelSpec& spec) { return spec.matrix_elements + spec.vector_elements; }

    float* data() const { return memory.floats(); }
    float* at(const TensorSpec& tensor) const {
        return data() + (tensor.vector ? matrix_elements : 0) + tensor.offset;
    }
    WeightGrad matrix(const TensorSpec& tensor) const {
        return {at(tensor), tensor.layout, tensor.N, tensor.K};
    }
    float* vector(const TensorSpec* tensor) const { return tensor == nullptr ? nullptr : at(*tensor); }
    explicit operator bool() const { return static_cast<bool>(memory); }

    TensorMemory memory;
    int64_t matrix_elements = 0;
};

}  // namespace attune
