// The layers between the embedding and the final norm: explicit forward and backward over packed rows, for
// the llama family and GPT-2. Written once against the ops table; knows neither heads, losses nor files.
#pragma once

#include <vector>

#include "core/ops.h"
#include "model/activations.h"
#include "model/gradients.h"
#include "model/rope_table.h"
#include "model/spec.h"
#include "model/weights.h"

namespace attune {

class Adapter;
class KvCache;

// The linear maps of a layer, as the spec fuses them: q, k and v are one, gate and up are one.
enum class LinearMap { Qkv, Output, Up, Down };

// What a pass works with beside weights and batch.
struct TrunkRole {
    // Low-rank terms added to the linear maps; null = the base alone. Not const: it keeps x A^T for backward.
    Adapter* adapter = nullptr;
    // Keys and values of earlier rows: the batch's segments continue them; null = the batch is complete.
    KvCache* cache = nullptr;
};

class Trunk {
  public:
    Trunk(const Ops& ops, const ModelConfig& config, const ModelSpec& spec, DType dtype);

    // x[T,C] after the last layer, before the final norm; valid until the next call. keep: backward() will
    // follow. Throws Code::Aborted between layers when the stream's flag is up.
    ConstMat forward(const Weights& weights, const PackedBatch& batch, bool keep, Stream& stream,
                     TrunkRole role = {});

    // Batches of up to `rows` will come: takes their memory now.
    void reserve_rows(int64_t rows, bool keep, Stream& stream) {
        memory_.prepare(config_, dtype_, rows, keep, ops_, stream);
    }
    // Positions up to `count` will come: none of them lets forward() allocate.
    void reserve_positions(int64_t count, Stream& stream) { rope_.grow(count, ops_, stream); }

    // [T,C] fp32: where the gradient of forward()'s result is written before backward().
    Mat output_gradient() { return memory_.d_output; }
    // Adds to the gradients. The batch, weights and role are those of the last forward(). gradients: of the
    // base, or null when it is frozen; an adapter adds to its own.
    void backward(const Weights& weights, Gradients* gradients, const PackedBatch& batch, Stream& stream,
                  TrunkRole role = {});

    int64_t allocated_bytes() const { return static_cast<int64_t>(memory_.allocated_bytes()); }
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
    // y = epilogue(x W^T), with the adapter's term where there is one.
    void linear_forward(const Pass& pass, size_t layer, LinearMap map, Mat y, ConstMat x, Epilogue epilogue);
    // dx = dy W; gradients of W and its bias (+=) unless the base is frozen; the adapter's part of both.
    void linear_backward(const Pass& pass, size_t layer, LinearMap map, Mat dx, ConstMat dy, ConstMat x);
    void attend(const Pass& pass, size_t layer);
    void backward_layer(const Pass& pass, size_t layer);
    void backward_mlp(const Pass& pass, size_t layer);
    void backward_attention(const Pass& pass, size_t layer);
    void norm_forward(const Pass& pass, Mat y, float* mean, float* rstd, ConstMat x, const TensorSpec* weight,
                      const TensorSpec* bias);
    void norm_backward(const Pass& pass, Mat dx, ConstMat dy, ConstMat x, const float* mean,
                       const float* rstd, const TensorSpec* weight, const TensorSpec* bias);
    void qk_norm_forward(const Pass& pass, const LayerTensors& tensors, LayerActivations& a);
    void qk_norm_backward(const Pass& pass, const LayerTensors& tensors, const LayerActivations& a, Mat dqkv);
    const TensorSpec* map_weight(size_t layer, LinearMap map) const;
    const TensorSpec* map_bias(size_t layer, LinearMap map) const;
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
