// The flat buffers of a model's parameters and gradients, and named views into them. No arithmetic here.
#pragma once

#include <memory>
#include <string>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/host_layers.h"
#include "model/spec.h"

namespace attune {

// What a forward pass reads: matrices in the model's dtype, vectors always in fp32.
struct Weights {
    Weights() = default;
    // Zero. The spec must outlive weights whose layers the host keeps. Throws Code::Memory.
    Weights(const ModelSpec& spec, DType dtype, const Ops& ops, Stream& stream,
            WeightPlace place = WeightPlace::Device)
        : matrices(ops, stream, matrix_bytes(spec, dtype, place)),
          vectors(ops, stream, vector_bytes(spec)),
          type(dtype) {
        if (place == WeightPlace::Host)
            layers = std::make_unique<HostLayers>(spec, dtype, matrices.data(), ops, stream);
    }

    // Where tensors lie in the host's memory there is one place alone.
    static WeightPlace possible(WeightPlace wanted, const Ops& ops) {
        return ops.fetch == nullptr ? WeightPlace::Device : wanted;
    }
    // That the device holds.
    static size_t matrix_bytes(const ModelSpec& spec, DType dtype, WeightPlace place = WeightPlace::Device) {
        const int64_t elements =
            place == WeightPlace::Host ? HostLayers::device_elements(spec) : spec.matrix_elements;
        return static_cast<size_t>(elements * dtype_size(dtype));
    }
    // That the host holds for it.
    static size_t host_bytes(const ModelSpec& spec, DType dtype, WeightPlace place) {
        return place == WeightPlace::Host
                   ? static_cast<size_t>(HostLayers::host_elements(spec) * dtype_size(dtype))
                   : 0;
    }
    WeightPlace place() const { return layers == nullptr ? WeightPlace::Device : WeightPlace::Host; }
    static size_t vector_bytes(const ModelSpec& spec) {
        return static_cast<size_t>(spec.vector_elements) * sizeof(float);
    }

    // Of a matrix that the host keeps the layer must be there: use_layer(), bring().
    void* matrix_data(const TensorSpec& tensor) const {
        return layers != nullptr ? layers->at(tensor) : matrices.data() + tensor.offset * dtype_size(type);
    }
    Weight matrix(const TensorSpec& tensor) const {
        return {matrix_data(tensor), type, tensor.layout, tensor.N, tensor.K};
    }
    float* vector(const TensorSpec* tensor) const {
        return tensor == nullptr ? nullptr : vectors.floats() + tensor->offset;
    }

    // Before the calls of a pass that read a layer; `next` (-1: none) is the one after it.
    void use_layer(int64_t layer, int64_t next, Stream& stream) const {
        if (layers != nullptr) layers->use(layer, next, stream);
    }
    // Before other calls that read a matrix.
    void bring(const TensorSpec& matrix, Stream& stream) const {
        if (layers != nullptr) layers->bring(matrix, stream);
    }
    // Before and after the calls that give a matrix its values.
    void open(const TensorSpec& matrix) const {
        if (layers != nullptr) layers->open(matrix);
    }
    void store(const TensorSpec& matrix, Stream& stream) const {
        if (layers != nullptr) layers->store(matrix, stream);
    }

    TensorMemory matrices;
    TensorMemory vectors;
    std::unique_ptr<HostLayers> layers{};  // null: all of it is on the device
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
