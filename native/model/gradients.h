// The gradients of a set of tensors. Cleared matrices are not filled with zeros: the first product afterwards
// writes, later ones add. No arithmetic here but that filling, where something only adds.
#pragma once

#include <vector>

#include "core/backend.h"
#include "core/ops.h"
#include "core/stream.h"
#include "model/spec.h"
#include "model/weights.h"

namespace attune {

class Gradients {
  public:
    Gradients() = default;
    // Zero. Both must outlive it.
    Gradients(const ModelSpec& spec, const Ops& ops, Stream& stream)
        : ops_(&ops), spec_(&spec), flat_(spec, ops, stream), written_(spec.tensors.size()) {}

    explicit operator bool() const { return static_cast<bool>(flat_); }

    // Where a product goes, which is then taken as written; `accumulate` as linear_backward_weight takes it.
    struct Product {
        WeightGrad dw;
        int32_t accumulate;
    };
    Product product(const TensorSpec& tensor) {
        const bool before = written_[tensor.index];
        written_[tensor.index] = true;
        return {flat_.matrix(tensor), before ? 1 : 0};
    }
    // For what only adds.
    WeightGrad matrix(const TensorSpec& tensor, Stream& stream) {
        settle(tensor, stream);
        return flat_.matrix(tensor);
    }
    float* vector(const TensorSpec* tensor) const { return flat_.vector(tensor); }

    // All zero again.
    void clear(Stream& stream) {
        written_.assign(written_.size(), false);
        const int64_t vectors = spec_->vector_elements;
        check(ops_->fill(flat_.data() + flat_.matrix_elements, 0, vectors, &stream), "fill");
    }
    // Everything, with zeros where nothing was written.
    const FlatTensors& settled(Stream& stream) {
        for (const TensorSpec& tensor : spec_->tensors)
            if (!tensor.vector) settle(tensor, stream);
        return flat_;
    }

  private:
    void settle(const TensorSpec& tensor, Stream& stream) {
        if (written_[tensor.index]) return;
        check(ops_->fill(flat_.at(tensor), 0, tensor.elements, &stream), "fill");
        written_[tensor.index] = true;
    }

    const Ops* ops_ = nullptr;
    const ModelSpec* spec_ = nullptr;
    FlatTensors flat_;
    std::vector<bool> written_;  // [tensors] since clearing; vectors are filled then
};

}  // namespace attune
