// Functions on generations: sequences sampled from a model, one job per decode step, so that other jobs come
// in between. Nothing here computes.
#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"
#include "generate/generation.h"

namespace attune::binding {

namespace {

constexpr napi_type_tag kGenerationTag{0x3d1f7a92e06c4b58, 0xa94c25e8173fb60d};

struct GenerationCore {
    std::unique_ptr<Generation> generation;  // command thread, once it has started
    std::atomic<int64_t> trunk_rows{0};
    std::atomic<int64_t> weight_passes{0};
    std::mutex mutex;
    std::vector<int64_t> finishing;  // sequences to be ended before the next step
};

struct GenerationHandle {
    std::shared_ptr<EngineCore> engine;
    std::shared_ptr<ModelCore> model;
    std::shared_ptr<GenerationCore> core;
};

// A generation that nobody holds any more: its caches are unmapped on the command thread.
struct FreeGeneration final : JobQueue::Job {
    explicit FreeGeneration(std::shared_ptr<GenerationCore> owned) : core(std::move(owned)) {}
    void run() noexcept override { core->generation.reset(); }
    std::shared_ptr<GenerationCore> core;
};

void finalize_generation(Napi::Env, GenerationHandle* handle) {
    const std::unique_ptr<GenerationHandle> owned(handle);
    owned->engine->queue.push(std::make_shared<FreeGeneration>(owned->core));
}

GenerationHandle& generation_of(const Napi::Value& value) {
    const bool fits =
        value.IsExternal() && value.As<Napi::External<GenerationHandle>>().CheckTypeTag(&kGenerationTag);
    require(fits, Code::Option, "Expected a generation of this addon but received another value.");
    return *value.As<Napi::External<GenerationHandle>>().Data();
}

GenerationOptions generation_options_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "options");
    const auto integer = [&](const char* name) { return integer_from(object.Get(name), name); };
    const auto number = [&](const char* name) {
        return static_cast<float>(number_from(object.Get(name), name));
    };
    GenerationOptions options;
    options.max_new_tokens = integer("maxNewTokens");
    options.sampling.temperature = number("temperature");
    options.sampling.top_k = integer("topK");
    options.sampling.top_p = number("topP");
    options.sampling.min_p = number("minP");
    options.sampling.penalty = number("repetitionPenalty");
    options.sampling.vocabulary = integer("vocabulary");
    options.stop_tokens = int32_from(object.Get("stopTokens"), "stopTokens");
    options.samples = integer("samples");
    options.batch_size = integer("batchSize");
    options.step = static_cast<uint32_t>(integer("step"));
    const Napi::Value seed = object.Get("seed");
    require(seed.IsBigInt(), Code::Option, "Expected seed to be a bigint.");
    bool lossless = false;
    options.seed = seed.As<Napi::BigInt>().Uint64Value(&lossless);
    return options;
}

std::vector<std::vector<int32_t>> prompts_from(const Napi::Value& tokens, const Napi::Value& lengths) {
    const std::vector<int32_t> flat = int32_from(tokens, "tokens");
    std::vector<std::vector<int32_t>> prompts;
    int64_t at = 0;
    for (const int32_t length : int32_from(lengths, "lengths")) {
        require(length >= 0 && at + length <= static_cast<int64_t>(flat.size()), Code::Shape,
                "lengths: expected to cover ", flat.size(), " tokens.");
        prompts.emplace_back(flat.begin() + at, flat.begin() + at + length);
        at += length;
    }
    require(at == static_cast<int64_t>(flat.size()), Code::Shape, "lengths: expected to cover ", flat.size(),
            " tokens but cover ", at, ".");
    return prompts;
}

// startGeneration(model, tokens, lengths, options): a generation
Napi::Value start_generation(const Napi::CallbackInfo& info) {
    const ModelHandle& model = model_of(info[0]);
    const std::shared_ptr<Session> session = model.model->session();
    require(session->view().kind == HeadKind::Tokens, Code::Model,
            "Expected a language model to sample from but this one is a reward model: it has score heads and "
            "predicts no tokens. Give the model that it was made from.");
    auto core = std::make_shared<GenerationCore>();
    core->generation =
        std::make_unique<Generation>(session->config(), session->dtype(), session->view().ops,
                                     prompts_from(info[1], info[2]), generation_options_from(info[3]));
    auto owned =
        std::make_unique<GenerationHandle>(GenerationHandle{model.engine, model.model, std::move(core)});
    auto value = Napi::External<GenerationHandle>::New(info.Env(), owned.get(), finalize_generation);
    owned.release();
    value.TypeTag(&kGenerationTag);
    return value;
}

// planGeneration(model, lengths, options): bytes that the caches hold at most
Napi::Value plan_generation(const Napi::CallbackInfo& info) {
    const std::shared_ptr<Session> session = model_of(info[0]).model->session();
    const std::vector<int32_t> lengths = int32_from(info[1], "lengths");
    const int64_t bytes = Generation::cache_bytes(session->config(), session->dtype(), session->view().ops,
                                                  lengths, generation_options_from(info[2]));
    return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

Napi::Value decoded_value(Napi::Env env, DecodedTokens& decoded) {
    if (decoded.tokens.empty()) return env.Undefined();
    Napi::Uint8Array finished = Napi::Uint8Array::New(env, decoded.finished.size());
    std::copy(decoded.finished.begin(), decoded.finished.end(), finished.Data());
    Napi::Object object = Napi::Object::New(env);
    object.Set("sequences", int32_value(env, std::move(decoded.sequences)));
    object.Set("tokens", int32_value(env, std::move(decoded.tokens)));
    object.Set("logprobs", float32_value(env, std::move(decoded.logprobs)));
    object.Set("modelLogprobs", float32_value(env, std::move(decoded.model_logprobs)));
    object.Set("finished", finished);
    return object;
}

DecodedTokens next_step(GenerationCore& core, Session& session, Stream& stream) {
    require(core.generation != nullptr, Code::Disposed, "The generation was disposed. Start another one.");
    {
        const std::lock_guard lock(core.mutex);
        for (const int64_t sequence : core.finishing) core.generation->finish(sequence);
        core.finishing.clear();
    }
    const ModelView view = session.view();
    const GenerationModel model{view.ops,   view.config, view.dtype,   view.weights,
                                view.trunk, view.head,   view.adapter, session.weights_version()};
    const auto count = [&] {
        core.trunk_rows.store(core.generation->trunk_rows(), std::memory_order_relaxed);
        core.weight_passes.store(core.generation->weight_passes(), std::memory_order_relaxed);
    };
    try {
        DecodedTokens decoded;
        core.generation->next(decoded, model, stream);
        count();
        return decoded;
    } catch (...) {
        count();
        throw;
    }
}

// nextTokens(generation, job): one decode step, undefined when all sequences have finished
Napi::Value next_tokens(const Napi::CallbackInfo& info) {
    const GenerationHandle& handle = generation_of(info[0]);
    return run(
        info.Env(), integer_from(info[1], "job"), *handle.engine,
        [model = handle.model, core = handle.core](Stream& stream, Job&) {
            const std::shared_ptr<Session> session = model->session();
            DecodedTokens decoded = next_step(*core, *session, stream);
            model->refresh_memory(*session);
            return decoded;
        },
        [model = handle.model](Napi::Env env, DecodedTokens& decoded) {
            model->account(env);
            return decoded_value(env, decoded);
        });
}

// finishSequence(generation, sequence): it draws no further token
Napi::Value finish_sequence(const Napi::CallbackInfo& info) {
    GenerationCore& core = *generation_of(info[0]).core;
    const int64_t sequence = integer_from(info[1], "sequence");
    const std::lock_guard lock(core.mutex);
    core.finishing.push_back(sequence);
    return info.Env().Undefined();
}

// generationCounts(generation): { trunkRows, weightPasses }
Napi::Value generation_counts(const Napi::CallbackInfo& info) {
    const GenerationCore& core = *generation_of(info[0]).core;
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("trunkRows", static_cast<double>(core.trunk_rows.load(std::memory_order_relaxed)));
    object.Set("weightPasses", static_cast<double>(core.weight_passes.load(std::memory_order_relaxed)));
    return object;
}

// disposeGeneration(generation, job): frees the caches on the command thread
Napi::Value dispose_generation(const Napi::CallbackInfo& info) {
    const GenerationHandle& handle = generation_of(info[0]);
    return run_freeing(
        info.Env(), integer_from(info[1], "job"), *handle.engine,
        [core = handle.core](Stream&, Job&) {
            core->generation.reset();
            return Nothing{};
        },
        undefined_of);
}

}  // namespace

void export_generation_functions(Napi::Env env, Napi::Object exports) {
    export_function<start_generation>(env, exports, "startGeneration");
    export_function<plan_generation>(env, exports, "planGeneration");
    export_function<next_tokens>(env, exports, "nextTokens");
    export_function<finish_sequence>(env, exports, "finishSequence");
    export_function<generation_counts>(env, exports, "generationCounts");
    export_function<dispose_generation>(env, exports, "disposeGeneration");
}

}  // namespace attune::binding
