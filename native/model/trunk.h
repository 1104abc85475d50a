// The layers between the embedding and the final norm: explicit forward and backward over packed rows, for
// the llama family and GPT-2. Written once against the ops table; knows neither heads, losses nor files.
#pragma once

#include <vector>

#include "core/ops.h"
#include "model/activations.h"
#include "model/rope_table.h"
#include "model/spec.h"
#include "model/weights.h"

namespace attune {

class Trunk {
  public:
    Trunk(const Ops& ops, const ModelConfig& config, const ModelSpec& spec, DType dtype);

    // x[T,C] after the last layer, before the final norm; valid until the next call. keep: backward() will
    // follow. Throws Code::Aborted between layers when the stream's flag is up.
    ConstMat forward(const Weights& weights, const PackedBatch& batch, bool keep, Stream& stream);

    // [T,C] fp32: where the gradient of forward()'s result is written before backward().
    Mat output_gradient() { return memory_.d_output; }
    // Adds to the gradients. The batch and weights are those of the last forward().
    void backward(const Weights& weights, const FlatTensors& gradients, const PackedBatch& batch,
                  Stream& stream);

    int64_t allocated_bytes() const { return static_cast<int64_t>(memory_.arena_bytes); }
    int64_t planned_bytes(int64_t rows, bool keep) const {
        return static_cast<int64_t>(Activations::bytes(config_, dtype_, rows, keep));
    }

  private:
    struct LayerTensors {
        const TensorSpec *norm1, *norm1_bias, *qkv, *qkv_bias, *q_norm, *k_norm, *output, *output_bias;
        const TensorSpec *norm2, *norm2_bias, *up, *up_bias, *down, *down_bias;
    };
    struct Pass;  // what one call works with

    void forward_layer(const Pass& pass, size_t layer, Mat next);
    void backward_layer(const Pass& pass, const FlatTensors& gradients, size_t layer);
    void backward_mlp(const Pass& pass, const FlatTensors& gradients, size_t layer);
    void backward_attention(const Pass& pass, const FlatTensors& gradients, size_t layer);
    void norm_forward(const Pass& pass, Mat y, float* mean, float* rstd, ConstMat x, const TensorSpec* weight,
                      const TensorSpec* bias);
    void norm_backward(const Pass& pass, const FlatTensors& gradients, Mat dx, ConstMat dy, ConstMat x,
                       const float* mean, const float* rstd, const TensorSpec* weight,
                       const TensorSpec* bias);
    void qk_norm_forward(const Pass& pass, const LayerTensors& tensors, LayerActivations& a);
    void qk_norm_backward(const Pass& pass, const FlatTensors& gradients, const LayerTensors& tensors,
                          const LayerActivations& a, Mat dqkv);
    AttentionDims attention_dims(const PackedBatch& batch) const;
    void stop_if_cancelled(const Stream& stream) const;

    const Ops& ops_;
    ModelConfig config_;
    DType dtype_;
    const TensorSpec* embedding_;
    const TensorSpec* positions_;
    std::vector<LayerTensors> layers_;
    RopeTable rope_;
    Activations memory_;
};

}  // namespace attune
