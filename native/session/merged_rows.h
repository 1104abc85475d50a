// A base with an adapter added to its weights, as a whole model's tensors: W + scale B A, row by row. Reads
// both, changes neither.
#pragma once

#include "core/ops.h"
#include "model/adapter.h"
#include "model/spec.h"
#include "model/weights.h"
#include "session/tensor_io.h"

namespace attune {

class MergedModel {
  public:
    MergedModel(const ModelConfig& config, const ModelSpec& base, const Weights& weights,
                const Adapter& adapter, const Ops& ops, Stream& stream);

    // The base's tensors; with the adapter's score heads in place of the LM head where there is one.
    const ModelSpec& spec() const { return spec_; }
    PartRows rows() const;

  private:
    void merged_rows(const TensorSpec& tensor, int64_t first, int64_t rows, float* out) const;
    void export_rows(const Weights& weights, const TensorSpec& tensor, int64_t first, int64_t rows,
                     float* out) const;

    const ModelSpec& base_;
    const Weights& weights_;
    const Adapter& adapter_;
    const Ops& ops_;
    Stream& stream_;
    ModelSpec spec_;
};

}  // namespace attune
