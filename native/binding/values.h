// Results of the core -> JavaScript values. Large vectors change owner instead of being copied.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "session/session.h"

namespace attune::binding {

Napi::Value float32_value(Napi::Env env, std::vector<float>&& values);
Napi::Value float64_value(Napi::Env env, std::vector<double>&& values);
Napi::Value int32_value(Napi::Env env, std::vector<int32_t>&& values);

Napi::Value memory_value(Napi::Env env, const MemoryUse& memory);
Napi::Value tensors_value(Napi::Env env, const std::vector<TensorView>& tensors);
Napi::Value texts_value(Napi::Env env, const std::vector<std::string>& texts);
// { rank, alpha, rsLora, modules, scoreHeads }
Napi::Value adapter_value(Napi::Env env, const AdapterConfig& adapter);
// completions: Float64Array of [logprob, entropy, meanLogit, correct, count] each.
// policy and value only where the loss is one of those.
Napi::Value step_value(Napi::Env env, StepResult& result);
// { count, ratios, … }: sums over a batch
Napi::Object policy_sums_value(Napi::Env env, const PolicySums& sums);
// { count, clipped }
Napi::Object value_sums_value(Napi::Env env, const ValueSums& sums);

}  // namespace attune::binding
