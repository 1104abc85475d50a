// Backward pass of the trunk. memory_.d_output is the gradient of the residual stream all the way down: each
// block adds its part to it.
#include <string>

#include "core/backend.h"
#include "model/adapter.h"
#include "model/trunk.h"
#include "model/trunk_pass.h"

namespace attune {

void Trunk::norm_backward(const Pass& pass, Mat dx, ConstMat dy, ConstMat x, const float* mean,
                          const float* rstd, const TensorSpec* weight, const TensorSpec* bias) {
    const float* w = pass.weights.vector(weight);
    float* dw = pass.vector_gradient(weight);
    if (config_.family == Family::Gpt2)
        check(ops_.layernorm_backward(dx, dw, pass.vector_gradient(bias), dy, x, mean, rstd, w, 1,
                                      &pass.stream),
              "layernorm_backward");
    else
        check(ops_.rmsnorm_backward(dx, dw, dy, x, rstd, w, 1, 1, &pass.stream), "rmsnorm_backward");
}

// From the gradient of the normed q and k (in dqkv) to that of the maps' results (in memory_.d_qkv).
void Trunk::qk_norm_backward(const Pass& pass, const LayerTensors& tensors, const LayerActivations& a,
                             Mat dqkv) {
    const int64_t q = config_.heads * config_.head_width;
    const int64_t kv = config_.kv_heads * config_.head_width;
    check(ops_.rmsnorm_backward(columns(memory_.d_qkv, 0, q), pass.vector_gradient(tensors.q_norm),
                                columns(dqkv, 0, q), columns(a.qkv_before_norm, 0, q), a.q_rstd,
                                pass.weights.vector(tensors.q_norm), config_.heads, 0, &pass.stream),
          "rmsnorm_backward");
    check(ops_.rmsnorm_backward(columns(memory_.d_qkv, q, kv), pass.vector_gradient(tensors.k_norm),
                                columns(dqkv, q, kv), columns(a.qkv_before_norm, q, kv), a.k_rstd,
                                pass.weights.vector(tensors.k_norm), config_.kv_heads, 0, &pass.stream),
          "rmsnorm_backward");
    check(ops_.copy(columns(memory_.d_qkv, q + kv, kv), columns(dqkv, q + kv, kv), &pass.stream), "copy");
}

void Trunk::linear_backward(const Pass& pass, size_t layer, LinearMap map, Mat dx, ConstMat dy, ConstMat x) {
    const Weight w = pass.weights.matrix(*map_weight(layer, map));
    if (pass.gradients != nullptr) {
        const auto [dw, accumulate] = pass.gradients->product(*map_weight(layer, map));
        check(ops_.linear_backward_weight(dw, pass.vector_gradient(map_bias(layer, map)), dy, x, accumulate,
                                          &pass.stream),
              "linear_backward_weight");
    }
    Adapter* adapter = pass.role.adapter;
    const LowRank* term = adapter == nullptr ? nullptr : adapter->term(layer, map);
    if (term == nullptr) {
        if (dx.data != nullptr)
            check(ops_.linear_backward_input(dx, dy, w, 0, &pass.stream), "linear_backward_input");
        return;
    }
    const Mat dh = adapter->dh(layer, map);
    check(ops_.lowrank_backward_input(dx, dh, dy, w, term, &pass.stream), "lowrank_backward_input");
    check(ops_.lowrank_backward_weight(adapter->a_gradient(layer, map, pass.stream),
                                       adapter->b_gradient(layer, map, pass.stream), dy, dh, x,
                                       adapter->h(layer, map), term, &pass.stream),
          "lowrank_backward_weight");
}

void Trunk::backward_mlp(const Pass& pass, size_t layer) {
    const LayerTensors& t = layers_[layer];
    const LayerActivations& a = memory_.layers[layer];
    const Mat dx = memory_.d_output;
    const Mat dhidden = narrowed(memory_.d_narrow, config_.mlp_width);
    const Mat dup = narrowed(memory_.d_wide, a.up.cols);

    // Recompute the activation, then the map down.
    if (config_.family == Family::Gpt2)
        check(ops_.gelu_forward(memory_.hidden, a.up, &pass.stream), "gelu_forward");
    else
        check(ops_.swiglu_forward(memory_.hidden, a.up, &pass.stream), "swiglu_forward");
    linear_backward(pass, layer, LinearMap::Down, dhidden, dx, memory_.hidden);
    if (config_.family == Family::Gpt2)
        check(ops_.gelu_backward(dup, dhidden, a.up, &pass.stream), "gelu_backward");
    else
        check(ops_.swiglu_backward(dup, dhidden, a.up, &pass.stream), "swiglu_backward");

    norm_forward(pass, memory_.normed, a.mean2, a.rstd2, a.middle, t.norm2, t.norm2_bias);
    linear_backward(pass, layer, LinearMap::Up, memory_.d_normed, dup, memory_.normed);
    norm_backward(pass, dx, memory_.d_normed, a.middle, a.mean2, a.rstd2, t.norm2, t.norm2_bias);
}

void Trunk::backward_attention(const Pass& pass, size_t layer) {
    const LayerTensors& t = layers_[layer];
    const LayerActivations& a = memory_.layers[layer];
    const Mat dx = memory_.d_output;
    const Mat dattention = narrowed(memory_.d_narrow, config_.heads * config_.head_width);
    Mat dqkv = narrowed(memory_.d_wide, config_.qkv_width());

    linear_backward(pass, layer, LinearMap::Output, dattention, dx, a.attention);
    check(ops_.attention_backward(dqkv, dattention, a.attention, a.lse, a.qkv, attention_dims(pass.batch),
                                  &pass.stream),
          "attention_backward");
    if (config_.family != Family::Gpt2)
        check(ops_.rope(dqkv, pass.batch.positions.data(), rope_.cosine(), rope_.sine(),
                        config_.heads + config_.kv_heads, config_.head_width, -1, &pass.stream),
              "rope");
    if (config_.qk_norm) {
        qk_norm_backward(pass, t, a, dqkv);
        dqkv = memory_.d_qkv;
    }
    norm_forward(pass, memory_.normed, a.mean1, a.rstd1, a.input, t.norm1, t.norm1_bias);
    // Below the first layer of a frozen base nothing waits for a gradient.
    const bool last = layer == 0 && pass.gradients == nullptr;
    linear_backward(pass, layer, LinearMap::Qkv, last ? Mat{} : memory_.d_normed, dqkv, memory_.normed);
    if (last) return;
    norm_backward(pass, dx, memory_.d_normed, a.input, a.mean1, a.rstd1, t.norm1, t.norm1_bias);
}

void Trunk::backward_layer(const Pass& pass, size_t layer) {
    backward_mlp(pass, layer);
    backward_attention(pass, layer);
}

void Trunk::backward(const Weights& weights, Gradients* gradients, const PackedBatch& batch, Stream& stream,
                     TrunkRole role) {
    const Pass pass{weights, batch, stream, role, gradients};
    for (size_t layer = layers_.size(); layer-- > 0;) {
        stop_if_cancelled(stream);
        weights.use_layer(static_cast<int64_t>(layer), static_cast<int64_t>(layer) - 1, stream);
        backward_layer(pass, layer);
    }
    if (gradients == nullptr) return;
    check(ops_.embedding_backward(gradients->matrix(*embedding_, stream), memory_.d_output,
                                  batch.tokens.data(), &stream),
          "embedding_backward");
    if (positions_ != nullptr)
        check(ops_.embedding_backward(gradients->matrix(*positions_, stream), memory_.d_output,
                                      batch.positions.data(), &stream),
              "embedding_backward");
}

}  // namespace attune
