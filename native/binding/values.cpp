// Typed arrays over vectors that JavaScript then owns, and small objects of numbers.
#include "binding/values.h"

#include <cstring>
#include <memory>
#include <utility>

namespace attune::binding {

namespace {

// Below this a copy is cheaper than an external buffer with its finalizer.
constexpr size_t kExternalFrom = size_t{64} << 10;

template <class Element>
Napi::ArrayBuffer buffer_of(Napi::Env env, std::vector<Element>&& values) {
    const size_t bytes = values.size() * sizeof(Element);
    if (bytes >= kExternalFrom) {
        auto owned = std::make_unique<std::vector<Element>>(std::move(values));
        try {
            auto buffer = Napi::ArrayBuffer::New(
                env, owned->data(), bytes,
                [](Napi::Env, void*, std::vector<Element>* vector) { delete vector; }, owned.get());
            owned.release();
            return buffer;
        } catch (const Napi::Error&) {
            values = std::move(*owned);  // a host without external buffers: copy
        }
    }
    auto buffer = Napi::ArrayBuffer::New(env, bytes);
    if (bytes > 0) std::memcpy(buffer.Data(), values.data(), bytes);
    return buffer;
}

template <class Element>
Napi::Value array_of(Napi::Env env, std::vector<Element>&& values) {
    const size_t count = values.size();
    return Napi::TypedArrayOf<Element>::New(env, count, buffer_of(env, std::move(values)), 0);
}

Napi::Value number_value(Napi::Env env, int64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace

Napi::Value float32_value(Napi::Env env, std::vector<float>&& values) {
    return array_of(env, std::move(values));
}

Napi::Value float64_value(Napi::Env env, std::vector<double>&& values) {
    return array_of(env, std::move(values));
}

Napi::Value int32_value(Napi::Env env, std::vector<int32_t>&& values) {
    return array_of(env, std::move(values));
}

Napi::Value memory_value(Napi::Env env, const MemoryUse& memory) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("weightsBf16", number_value(env, memory.weights_bf16));
    object.Set("weightsFp32", number_value(env, memory.weights_fp32));
    object.Set("gradients", number_value(env, memory.gradients));
    object.Set("optimizer", number_value(env, memory.optimizer));
    object.Set("activations", number_value(env, memory.activations));
    object.Set("head", number_value(env, memory.head));
    object.Set("weightsHost", number_value(env, memory.weights_host));
    object.Set("total", number_value(env, memory.total()));
    return object;
}

Napi::Value tensors_value(Napi::Env env, const std::vector<TensorView>& tensors) {
    Napi::Array list = Napi::Array::New(env, tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
        Napi::Array shape = Napi::Array::New(env, tensors[i].shape.size());
        for (size_t d = 0; d < tensors[i].shape.size(); ++d)
            shape.Set(static_cast<uint32_t>(d), number_value(env, tensors[i].shape[d]));
        Napi::Object tensor = Napi::Object::New(env);
        tensor.Set("name", tensors[i].name);
        tensor.Set("shape", shape);
        list.Set(static_cast<uint32_t>(i), tensor);
    }
    return list;
}

Napi::Value texts_value(Napi::Env env, const std::vector<std::string>& texts) {
    Napi::Array list = Napi::Array::New(env, texts.size());
    for (size_t i = 0; i < texts.size(); ++i) list.Set(static_cast<uint32_t>(i), texts[i]);
    return list;
}

Napi::Value adapter_value(Napi::Env env, const AdapterConfig& adapter) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("rank", number_value(env, adapter.rank));
    object.Set("alpha", adapter.alpha);
    object.Set("rsLora", adapter.rs_lora);
    object.Set("modules", texts_value(env, adapter.modules));
    object.Set("scoreHeads", number_value(env, adapter.score_heads));
    return object;
}

Napi::Object policy_sums_value(Napi::Env env, const PolicySums& sums) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("count", sums.count);
    object.Set("ratios", sums.ratios);
    object.Set("ratio", sums.ratio);
    object.Set("ratioSquared", sums.ratio_squared);
    object.Set("clipped", sums.clipped);
    object.Set("clippedLow", sums.clipped_low);
    object.Set("clippedHigh", sums.clipped_high);
    object.Set("approxKl", sums.approx_kl);
    object.Set("k1", sums.k1);
    object.Set("kl", sums.kl);
    object.Set("entropy", sums.entropy);
    return object;
}

Napi::Object value_sums_value(Napi::Env env, const ValueSums& sums) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("count", sums.count);
    object.Set("clipped", sums.clipped);
    return object;
}

Napi::Value step_value(Napi::Env env, StepResult& result) {
    std::vector<double> completions;
    completions.reserve(result.completions.size() * 5);
    for (const CompletionSums& sums : result.completions)
        completions.insert(completions.end(),
                           {sums.logprob, sums.entropy, sums.mean_logit, sums.correct, sums.count});
    Napi::Object object = Napi::Object::New(env);
    object.Set("loss", result.loss);
    object.Set("groupLosses", float64_value(env, std::move(result.group_losses)));
    object.Set("completions", float64_value(env, std::move(completions)));
    object.Set("scores", float64_value(env, std::move(result.scores)));
    object.Set("tieGradient", result.tie_gradient);
    object.Set("trunkRows", number_value(env, result.trunk_rows));
    object.Set("headRows", number_value(env, result.head_rows));
    if (result.policy) {
        Napi::Object policy = policy_sums_value(env, result.policy->sums);
        policy.Set("logprobs", float32_value(env, std::move(result.policy->logprobs)));
        object.Set("policy", policy);
    }
    if (result.value) {
        Napi::Object value = value_sums_value(env, result.value->sums);
        value.Set("values", float64_value(env, std::move(result.value->values)));
        object.Set("value", value);
    }
    return object;
}

}  // namespace attune::binding
