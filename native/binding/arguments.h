// JavaScript values -> plain structs of the core, copied at call time: the caller may change or detach its
// arrays later. lib/engine validates and explains; here only types and sizes are re-checked. Throws
// Code::Option.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/dtype.h"
#include "loss/loss.h"
#include "model/config.h"
#include "session/session.h"

namespace attune::binding {

// A safe integer.
int64_t integer_from(const Napi::Value& value, const char* name);
double number_from(const Napi::Value& value, const char* name);
bool boolean_from(const Napi::Value& value, const char* name);
std::string text_from(const Napi::Value& value, const char* name);
std::vector<std::string> texts_from(const Napi::Value& value, const char* name);
Napi::Object object_from(const Napi::Value& value, const char* name);
std::vector<int32_t> int32_from(const Napi::Value& value, const char* name);
std::vector<float> float32_from(const Napi::Value& value, const char* name);
// undefined gives an empty vector.
std::vector<double> float64_from(const Napi::Value& value, const char* name);

DType dtype_from(const Napi::Value& value);
PackedBatch batch_from(const Napi::Value& value);
LossOptions loss_from(const Napi::Value& value);
ModelConfig config_from(const Napi::Value& value);
UpdateOptions update_from(const Napi::Value& value);
// { normal, seed }
ScoreDraw score_draw_from(const Napi::Value& value);
// { rank, alpha, rsLora, modules, seed, file, scoreHeads, score?: "copy" | { normal, seed } }
RoleOptions role_from(const Napi::Value& value);

}  // namespace attune::binding
