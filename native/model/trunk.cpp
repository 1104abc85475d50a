// Forward pass of the trunk, and what both passes share. Backward is trunk_backward.cpp.
#include "model/trunk.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/backend.h"
#include "core/error.h"
#include "model/adapter.h"
#include "model/kv_cache.h"
#include "model/trunk_pass.h"

namespace attune {

Trunk::Trunk(const Ops& ops, const ModelConfig& config, const ModelSpec& spec, DType dtype)
    : ops_(ops),
      config_(config),
      dtype_(dtype),
      embedding_(&spec.at("embedding")),
      positions_(config.family == Family::Gpt2 ? &spec.at("positions") : nullptr),
      rope_(config) {
    for (int64_t layer = 0; layer < config.layers; ++layer) {
        const std::string at = "layers." + std::to_string(layer) + ".";
        const auto find = [&](const char* name) {
            return spec.has(at + name) ? &spec.at(at + name) : nullptr;
        };
        layers_.push_back({find("norm1.weight"), find("norm1.bias"), find("qkv"), find("qkv.bias"),
                           find("q_norm"), find("k_norm"), find("output"), find("output.bias"),
                           find("norm2.weight"), find("norm2.bias"), find("up"), find("up.bias"),
                           find("down"), find("down.bias")});
    }
}

AttentionDims Trunk::attention_dims(const PackedBatch& batch) const {
    return {config_.heads,
            config_.kv_heads,
            config_.head_width,
            static_cast<float>(1 / std::sqrt(static_cast<double>(config_.head_width))),
            config_.window,
            batch.segments.data(),
            static_cast<int64_t>(batch.segments.size())};
}

void Trunk::stop_if_cancelled(const Stream& stream) const {
    if (stream.cancelled != nullptr && stream.cancelled->load(std::memory_order_relaxed))
        raise(Code::Aborted, "The computation was cancelled.");
}

void Trunk::norm_forward(const Pass& pass, Mat y, float* mean, float* rstd, ConstMat x,
                         const TensorSpec* weight, const TensorSpec* bias) {
    const float* w = pass.weights.vector(weight);
    if (config_.family == Family::Gpt2)
        check(ops_.layernorm_forward(y, mean, rstd, x, w, pass.weights.vector(bias), config_.norm_epsilon,
                                     &pass.stream),
              "layernorm_forward");
    else
        check(ops_.rmsnorm_forward(y, rstd, x, w, 1, config_.norm_epsilon, &pass.stream), "rmsnorm_forward");
}

// q and k are normed head by head before the rotation; v is only copied over.
void Trunk::qk_norm_forward(const Pass& pass, const LayerTensors& tensors, LayerActivations& a) {
    const int64_t q = config_.heads * config_.head_width;
    const int64_t kv = config_.kv_heads * config_.head_width;
    check(ops_.rmsnorm_forward(columns(a.qkv, 0, q), a.q_rstd, columns(a.qkv_before_norm, 0, q),
                               pass.weights.vector(tensors.q_norm), config_.heads, config_.norm_epsilon,
                               &pass.stream),
          "rmsnorm_forward");
    check(ops_.rmsnorm_forward(columns(a.qkv, q, kv), a.k_rstd, columns(a.qkv_before_norm, q, kv),
                               pass.weights.vector(tensors.k_norm), config_.kv_heads, config_.norm_epsilon,
                               &pass.stream),
          "rmsnorm_forward");
    check(ops_.copy(columns(a.qkv, q + kv, kv), columns(a.qkv_before_norm, q + kv, kv), &pass.stream),
          "copy");
}

const TensorSpec* Trunk::map_weight(size_t layer, LinearMap map) const {
    const LayerTensors& t = layers_[layer];
    return map == LinearMap::Qkv      ? t.qkv
           : map == LinearMap::Output ? t.output
           : map == LinearMap::Up     ? t.up
                                      : t.down;
}

const TensorSpec* Trunk::map_bias(size_t layer, LinearMap map) const {
    const LayerTensors& t = layers_[layer];
    return map == LinearMap::Qkv      ? t.qkv_bias
           : map == LinearMap::Output ? t.output_bias
           : map == LinearMap::Up     ? t.up_bias
                                      : t.down_bias;
}

void Trunk::linear_forward(const Pass& pass, size_t layer, LinearMap map, Mat y, ConstMat x,
                           Epilogue epilogue) {
    epilogue.bias = pass.weights.vector(map_bias(layer, map));
    const Weight w = pass.weights.matrix(*map_weight(layer, map));
    Adapter* adapter = pass.role.adapter;
    if (const LowRank* term = adapter == nullptr ? nullptr : adapter->term(layer, map))
        check(ops_.lowrank_forward(y, adapter->h(layer, map), x, w, term, &epilogue, &pass.stream),
              "lowrank_forward");
    else
        check(ops_.linear_forward(y, x, w, &epilogue, &pass.stream), "linear_forward");
}

void Trunk::attend(const Pass& pass, size_t layer) {
    const LayerActivations& a = memory_.layers[layer];
    if (pass.role.cache != nullptr) {
        pass.role.cache->attend(ops_, static_cast<int64_t>(layer), a.attention, a.lse, a.qkv,
                                attention_dims(pass.batch), pass.stream);
        return;
    }
    check(ops_.attention_forward(a.attention, a.lse, a.qkv, attention_dims(pass.batch), &pass.stream),
          "attention_forward");
}

void Trunk::forward_layer(const Pass& pass, size_t layer, Mat next) {
    const LayerTensors& t = layers_[layer];
    LayerActivations& a = memory_.layers[layer];
    const auto linear = [&](LinearMap map, Mat y, ConstMat x, const Epilogue& epilogue) {
        linear_forward(pass, layer, map, y, x, epilogue);
    };

    norm_forward(pass, memory_.normed, a.mean1, a.rstd1, a.input, t.norm1, t.norm1_bias);
    linear(LinearMap::Qkv, config_.qk_norm ? a.qkv_before_norm : a.qkv, memory_.normed, {});
    if (config_.qk_norm) qk_norm_forward(pass, t, a);
    if (config_.family != Family::Gpt2)
        check(ops_.rope(a.qkv, pass.batch.positions.data(), rope_.cosine(), rope_.sine(),
                        config_.heads + config_.kv_heads, config_.head_width, 1, &pass.stream),
              "rope");
    attend(pass, layer);
    linear(LinearMap::Output, a.middle, a.attention, {.residual = a.input});

    norm_forward(pass, memory_.normed, a.mean2, a.rstd2, a.middle, t.norm2, t.norm2_bias);
    if (config_.family == Family::Gpt2) {
        linear(LinearMap::Up, memory_.hidden, memory_.normed,
               {.activation = Activation::GeluTanh, .before_activation = a.up});
    } else {
        linear(LinearMap::Up, a.up, memory_.normed, {});
        check(ops_.swiglu_forward(memory_.hidden, a.up, &pass.stream), "swiglu_forward");
    }
    linear(LinearMap::Down, next, memory_.hidden, {.residual = a.middle});
}

ConstMat Trunk::forward(const Weights& weights, const PackedBatch& batch, bool keep, Stream& stream,
                        TrunkRole role) {
    memory_.prepare(config_, dtype_, batch.rows(), keep, ops_, stream);
    if (role.adapter != nullptr) role.adapter->prepare(batch.rows(), keep, ops_, stream);
    const int32_t last =
        batch.positions.empty() ? 0 : *std::max_element(batch.positions.begin(), batch.positions.end());
    rope_.grow(int64_t{last} + 1, ops_, stream);
    const Pass pass{weights, batch, stream, role};
    const Weight positions = positions_ == nullptr ? Weight{} : weights.matrix(*positions_);
    check(ops_.embedding_forward(memory_.layers[0].input, batch.tokens.data(), weights.matrix(*embedding_),
                                 batch.positions.data(), positions, &stream),
          "embedding_forward");
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
        stop_if_cancelled(stream);
        const auto next = static_cast<int64_t>(layer) + 1;
        weights.use_layer(next - 1, layer + 1 < layers_.size() ? next : -1, stream);
        forward_layer(pass, layer,
                      layer + 1 < layers_.size() ? memory_.layers[layer + 1].input : memory_.output);
    }
    if (role.cache != nullptr) role.cache->finish(batch.segments);
    return memory_.output;
}

}  // namespace attune
