// One reader per type, then the structs made of them.
#include "binding/arguments.h"

#include <cmath>
#include <cstring>

#include "core/error.h"

namespace attune::binding {

namespace {

template <class Element>
std::vector<Element> elements_from(const Napi::Value& value, const char* name, napi_typedarray_type type,
                                   const char* type_name) {
    const bool fits = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
    require(fits, Code::Option, "Expected ", name, " to be ", type_name, ".");
    const auto array = value.As<Napi::TypedArrayOf<Element>>();
    return std::vector<Element>(array.Data(), array.Data() + array.ElementLength());
}

// The structs of a batch are consecutive int32 fields, as JavaScript packs them.
template <class Struct>
std::vector<Struct> structs_from(const Napi::Value& value, const char* name) {
    constexpr size_t kFields = sizeof(Struct) / sizeof(int32_t);
    const std::vector<int32_t> flat = int32_from(value, name);
    require(flat.size() % kFields == 0, Code::Shape, name, ": expected a multiple of ", kFields,
            " numbers but got ", flat.size(), ".");
    std::vector<Struct> result(flat.size() / kFields);
    if (!flat.empty()) std::memcpy(result.data(), flat.data(), flat.size() * sizeof(int32_t));
    return result;
}

double number_or(const Napi::Object& object, const char* name, double fallback) {
    const Napi::Value value = object.Get(name);
    return value.IsUndefined() ? fallback : number_from(value, name);
}

}  // namespace

int64_t integer_from(const Napi::Value& value, const char* name) {
    const double number = number_from(value, name);
    require(std::floor(number) == number && std::fabs(number) <= 9007199254740991.0, Code::Option,
            "Expected ", name, " to be an integer but received ", number, ".");
    return static_cast<int64_t>(number);
}

double number_from(const Napi::Value& value, const char* name) {
    require(value.IsNumber(), Code::Option, "Expected ", name, " to be a number.");
    return value.As<Napi::Number>().DoubleValue();
}

bool boolean_from(const Napi::Value& value, const char* name) {
    require(value.IsBoolean(), Code::Option, "Expected ", name, " to be true or false.");
    return value.As<Napi::Boolean>().Value();
}

std::string text_from(const Napi::Value& value, const char* name) {
    require(value.IsString(), Code::Option, "Expected ", name, " to be a text.");
    return value.As<Napi::String>().Utf8Value();
}

std::vector<std::string> texts_from(const Napi::Value& value, const char* name) {
    require(value.IsArray(), Code::Option, "Expected ", name, " to be an array of texts.");
    const auto array = value.As<Napi::Array>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < array.Length(); ++i) texts.push_back(text_from(array.Get(i), name));
    return texts;
}

Napi::Object object_from(const Napi::Value& value, const char* name) {
    require(value.IsObject(), Code::Option, "Expected ", name, " to be an object.");
    return value.As<Napi::Object>();
}

std::vector<int32_t> int32_from(const Napi::Value& value, const char* name) {
    return elements_from<int32_t>(value, name, napi_int32_array, "an Int32Array");
}

std::vector<float> float32_from(const Napi::Value& value, const char* name) {
    return elements_from<float>(value, name, napi_float32_array, "a Float32Array");
}

std::vector<double> float64_from(const Napi::Value& value, const char* name) {
    if (value.IsUndefined()) return {};
    return elements_from<double>(value, name, napi_float64_array, "a Float64Array");
}

DType dtype_from(const Napi::Value& value) {
    const std::string name = text_from(value, "dtype");
    for (const DType dtype : {DType::F32, DType::BF16})
        if (name == dtype_name(dtype)) return dtype;
    raise(Code::Option, "Expected dtype to be fp32 or bf16 but received \"", name, "\".");
}

PackedBatch batch_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "batch");
    PackedBatch batch;
    batch.tokens = int32_from(object.Get("tokens"), "batch.tokens");
    batch.positions = int32_from(object.Get("positions"), "batch.positions");
    batch.segments = structs_from<Segment>(object.Get("segments"), "batch.segments");
    batch.targets = structs_from<Target>(object.Get("targets"), "batch.targets");
    batch.completions = structs_from<Completion>(object.Get("completions"), "batch.completions");
    batch.groups = structs_from<Group>(object.Get("groups"), "batch.groups");
    return batch;
}

ModelConfig config_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "config");
    const auto integer = [&](const char* name) { return integer_from(object.Get(name), name); };
    const auto number = [&](const char* name) { return number_from(object.Get(name), name); };
    const auto boolean = [&](const char* name) { return boolean_from(object.Get(name), name); };
    const std::string family = text_from(object.Get("family"), "family");
    require(family == "llama" || family == "gpt2", Code::Model,
            "Expected family llama or gpt2 but received \"", family, "\".");
    ModelConfig config;
    config.family = family == "gpt2" ? Family::Gpt2 : Family::Llama;
    config.vocabulary = integer("vocabulary");
    config.width = integer("width");
    config.layers = integer("layers");
    config.heads = integer("heads");
    config.kv_heads = integer("kvHeads");
    config.head_width = integer("headWidth");
    config.mlp_width = integer("mlpWidth");
    config.max_positions = integer("maxPositions");
    config.norm_epsilon = static_cast<float>(number("normEpsilon"));
    config.rope_base = number("ropeBase");
    config.window = integer("window");
    config.qkv_bias = boolean("qkvBias");
    config.output_bias = boolean("outputBias");
    config.mlp_bias = boolean("mlpBias");
    config.qk_norm = boolean("qkNorm");
    config.tied = boolean("tied");
    config.score_heads = integer("scoreHeads");
    config.gguf_rope_pairs = boolean("ggufRopePairs");
    const Napi::Value scaling = object.Get("ropeScaling");
    if (scaling.IsUndefined()) return config;
    const Napi::Object rope = object_from(scaling, "ropeScaling");
    config.rope_scaling.llama3 = true;
    config.rope_scaling.factor = number_from(rope.Get("factor"), "factor");
    config.rope_scaling.low_frequency_factor =
        number_from(rope.Get("lowFrequencyFactor"), "lowFrequencyFactor");
    config.rope_scaling.high_frequency_factor =
        number_from(rope.Get("highFrequencyFactor"), "highFrequencyFactor");
    config.rope_scaling.original_max_positions =
        number_from(rope.Get("originalMaxPositions"), "originalMaxPositions");
    return config;
}

UpdateOptions update_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "options");
    UpdateOptions options;
    options.learning_rate = number_from(object.Get("learningRate"), "learningRate");
    options.beta1 = number_or(object, "beta1", options.beta1);
    options.beta2 = number_or(object, "beta2", options.beta2);
    options.epsilon = number_or(object, "epsilon", options.epsilon);
    options.weight_decay = number_or(object, "weightDecay", options.weight_decay);
    options.max_grad_norm = number_or(object, "maxGradNorm", options.max_grad_norm);
    return options;
}

ScoreDraw score_draw_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "score");
    ScoreDraw draw;
    draw.normal = boolean_from(object.Get("normal"), "normal");
    draw.seed = static_cast<uint64_t>(integer_from(object.Get("seed"), "seed"));
    return draw;
}

RoleOptions role_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "adapter");
    const auto seed = [&](const char* name) {
        return static_cast<uint64_t>(integer_from(object.Get(name), name));
    };
    RoleOptions options;
    options.adapter.rank = integer_from(object.Get("rank"), "rank");
    options.adapter.alpha = number_from(object.Get("alpha"), "alpha");
    options.adapter.rs_lora = boolean_from(object.Get("rsLora"), "rsLora");
    options.adapter.score_heads = integer_from(object.Get("scoreHeads"), "scoreHeads");
    options.seed = seed("seed");
    const Napi::Value score = object.Get("score");
    options.copy_score = score.IsString() && text_from(score, "score") == "copy";
    if (!options.copy_score && !score.IsUndefined()) options.score = score_draw_from(score);
    options.file = text_from(object.Get("file"), "file");
    options.adapter.modules = texts_from(object.Get("modules"), "modules");
    return options;
}

}  // namespace attune::binding
