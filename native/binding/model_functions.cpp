// Functions on models. Whatever touches weights is a job; memoryOf, plan and describe read plain figures.
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"

namespace attune::binding {

namespace {

using SessionPointer = std::unique_ptr<Session>;

// A job that leaves a session behind resolves with a model handle.
auto model_result(const std::shared_ptr<EngineCore>& engine) {
    return [weak = std::weak_ptr<EngineCore>(engine)](Napi::Env env, SessionPointer& session) -> Napi::Value {
        std::shared_ptr<EngineCore> core = weak.lock();
        require(core != nullptr, Code::Disposed, "The engine was disposed. Create another one.");
        return new_model(env, std::move(core), std::move(session));
    };
}

// A job on a model: use(session, stream, job) -> result; afterwards its memory figures are current on both
// sides.
template <class Use, class Convert>
Napi::Value run_on_model(const Napi::CallbackInfo& info, Use use, Convert convert, Napi::Value progress = {},
                         std::function<void(Stream&)> undo = {}) {
    ModelHandle& handle = model_of(info[0]);
    const int64_t number = integer_from(info[1], "job");
    const std::shared_ptr<ModelCore> model = handle.model;
    return run(
        info.Env(), number, *handle.engine,
        [model, use = std::move(use)](Stream& stream, Job& job) {
            const std::shared_ptr<Session> session = model->session();
            auto result = use(*session, stream, job);
            model->refresh_memory(*session);
            return result;
        },
        [model, convert = std::move(convert)](Napi::Env env, auto& result) -> Napi::Value {
            model->account(env);
            return convert(env, result);
        },
        progress, std::move(undo));
}

// Reading and writing weights report after every tensor, so this is also where they notice a cancellation.
Progress progress_of(Job& job) {
    return [&job](double fraction) {
        require(!job.cancelled.load(std::memory_order_relaxed), Code::Aborted, "The work was cancelled.");
        job.report(fraction);
    };
}

WeightPlace place_from(const Napi::Value& value) {
    return boolean_from(value, "host") ? WeightPlace::Host : WeightPlace::Device;
}

// loadModel(engine, job, config, dtype, path, host, progress?, score?): a model; with score its heads are
// drawn so, not read; with host its layers are kept there for a device
Napi::Value load_model(const Napi::CallbackInfo& info) {
    const std::shared_ptr<EngineCore>& engine = engine_of(info[0]).core;
    const int64_t number = integer_from(info[1], "job");
    const Ops* ops = engine->ops;
    const std::optional<ScoreDraw> score =
        info[7].IsUndefined() ? std::nullopt : std::optional(score_draw_from(info[7]));
    return run(
        info.Env(), number, *engine,
        [ops, config = config_from(info[2]), dtype = dtype_from(info[3]), path = text_from(info[4], "path"),
         place = place_from(info[5]), score](Stream& stream, Job& job) {
            return Session::load(*ops, stream, config, dtype, path, score, progress_of(job), place);
        },
        model_result(engine), info[6]);
}

// addRole(model, job, options): another model on the same base, an adapter with or without a scalar head
Napi::Value add_role(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [options = role_from(info[2])](Session& session, Stream& stream, Job&) {
            return session.add_role(options, stream);
        },
        model_result(model_of(info[0]).engine));
}

// describe(model): { dtype, vocabularySize, maxPositions, width, scoreHeads, parameters, trainable, tensors,
// baseTensors, linearLayers, adapter? }
Napi::Value describe(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Session> session = model_of(info[0]).model->session();
    const ModelConfig& config = session->config();
    Napi::Object object = Napi::Object::New(env);
    object.Set("dtype", dtype_name(session->dtype()));
    object.Set("vocabularySize", static_cast<double>(config.vocabulary));
    object.Set("maxPositions", static_cast<double>(config.max_positions));
    object.Set("width", static_cast<double>(config.width));
    object.Set("scoreHeads", static_cast<double>(session->view().kind.scores));
    object.Set("parameters", static_cast<double>(session->parameters()));
    object.Set("trainable", static_cast<double>(session->trainable()));
    object.Set("tensors", tensors_value(env, session->tensors()));
    object.Set("baseTensors", tensors_value(env, session->base_tensors()));
    object.Set("linearLayers", texts_value(env, linear_modules(config, model_spec(config))));
    if (session->adapter() != nullptr) object.Set("adapter", adapter_value(env, *session->adapter()));
    return object;
}

// memoryOf(model): bytes by purpose after the last job
Napi::Value memory_of(const Napi::CallbackInfo& info) {
    return memory_value(info.Env(), model_of(info[0]).model->memory());
}

// baseMemoryOf(model): the part of it that belongs to the base, and the base's number
Napi::Value base_memory_of(const Napi::CallbackInfo& info) {
    const ModelCore& model = *model_of(info[0]).model;
    const Napi::Value value = memory_value(info.Env(), model.base_memory());
    value.As<Napi::Object>().Set("base", static_cast<double>(model.base_number()));
    return value;
}

// plan(model, rows, targets, training, host?): bytes by purpose; host: of a copy whose layers are kept there
Napi::Value plan(const Napi::CallbackInfo& info) {
    const std::shared_ptr<Session> session = model_of(info[0]).model->session();
    const auto count = [&](size_t argument, const char* name) {
        const int64_t value = integer_from(info[argument], name);
        require(value >= 0 && value < int64_t{1} << 31, Code::Option, "Expected ", name,
                " in [0, 2^31) but received ", value, ".");
        return value;
    };
    const std::optional<WeightPlace> place =
        info[4].IsUndefined() ? std::nullopt : std::optional(place_from(info[4]));
    return memory_value(info.Env(), session->plan(count(1, "rows"), count(2, "targets"),
                                                  boolean_from(info[3], "training"), place));
}

struct ForwardOutput {
    ForwardResult result;
    std::vector<float> hidden;
    std::vector<float> logits;
};

Napi::Value forward_value(Napi::Env env, ForwardOutput& output) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("logprobs", float32_value(env, std::move(output.result.logprobs)));
    object.Set("entropies", float32_value(env, std::move(output.result.entropies)));
    object.Set("meanLogits", float32_value(env, std::move(output.result.mean_logits)));
    object.Set("argmax", int32_value(env, std::move(output.result.argmax)));
    if (!output.hidden.empty()) object.Set("hidden", float32_value(env, std::move(output.hidden)));
    if (!output.logits.empty()) object.Set("logits", float32_value(env, std::move(output.logits)));
    return object;
}

// forward(model, job, batch, temperature, hidden, logits)
Napi::Value forward(const Napi::CallbackInfo& info) {
    const auto temperature = static_cast<float>(number_from(info[3], "temperature"));
    const bool hidden = boolean_from(info[4], "hidden");
    const bool logits = boolean_from(info[5], "logits");
    return run_on_model(
        info,
        [batch = batch_from(info[2]), temperature, hidden, logits](Session& session, Stream& stream, Job&) {
            ForwardOutput output;
            output.result = session.forward(batch, temperature, stream, hidden ? &output.hidden : nullptr,
                                            logits ? &output.logits : nullptr);
            return output;
        },
        forward_value);
}

using TargetValues = std::vector<float> (Session::*)(const PackedBatch&, Stream&);

// score(model, job, batch): Float32Array, [targets, heads]; states(…): [targets, width]
template <TargetValues values>
Napi::Value target_values(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [batch = batch_from(info[2])](Session& session, Stream& stream, Job&) {
            return (session.*values)(batch, stream);
        },
        [](Napi::Env env, std::vector<float>& found) { return float32_value(env, std::move(found)); });
}

// scaleScoreHeads(model, job, factors)
Napi::Value scale_score_heads(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [factors = float64_from(info[2], "factors")](Session& session, Stream& stream, Job&) {
            session.scale_score_heads(factors, stream);
            return Nothing{};
        },
        undefined_of);
}

// step(model, job, batch, loss): when it fails or is cancelled, all gathered gradients are cleared
Napi::Value step(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [batch = batch_from(info[2]), loss = loss_from(info[3])](Session& session, Stream& stream, Job&) {
            StepResult result;
            session.step(result, batch, loss, stream);
            return result;
        },
        step_value, {},
        [model = model_of(info[0]).model](Stream& stream) { model->session()->clear_gradients(stream); });
}

// evaluate(model, job, batch, loss): what step would report
Napi::Value evaluate(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [batch = batch_from(info[2]), loss = loss_from(info[3])](Session& session, Stream& stream, Job&) {
            StepResult result;
            session.evaluate(result, batch, loss, stream);
            return result;
        },
        step_value);
}

// update(model, job, options): { gradNorm, finite }
Napi::Value update(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [options = update_from(info[2])](Session& session, Stream& stream, Job&) {
            return session.update(options, stream);
        },
        [](Napi::Env env, UpdateResult& result) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("gradNorm", result.grad_norm);
            object.Set("finite", result.finite);
            return object;
        });
}

// clearGradients(model, job)
Napi::Value clear_gradients(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [](Session& session, Stream& stream, Job&) {
            session.clear_gradients(stream);
            return Nothing{};
        },
        undefined_of);
}

// snapshot(model, job, host): a frozen model; with host its layers are kept there for a device
Napi::Value snapshot(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [place = place_from(info[2])](Session& session, Stream& stream, Job&) {
            return session.snapshot(stream, place);
        },
        model_result(model_of(info[0]).engine));
}

using SaveFolder = void (Session::*)(const std::string&, DType, const Progress&, Stream&);

// save(model, job, folder, dtype, progress?), saveMerged(…)
template <SaveFolder write>
Napi::Value save(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [folder = text_from(info[2], "folder"), dtype = dtype_from(info[3])](Session& session, Stream& stream,
                                                                             Job& job) {
            (session.*write)(folder, dtype, progress_of(job), stream);
            return Nothing{};
        },
        undefined_of, info[4]);
}

using MoveState = void (Session::*)(const std::string&, const Progress&, Stream&);

// saveState(model, job, file), loadState(model, job, file)
template <MoveState move>
Napi::Value state(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [file = text_from(info[2], "file")](Session& session, Stream& stream, Job& job) {
            (session.*move)(file, progress_of(job), stream);
            return Nothing{};
        },
        undefined_of);
}

template <auto read>  // std::vector<float> (Session::*)(const std::string&, Stream&)
Napi::Value read_tensor(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [name = text_from(info[2], "name")](Session& session, Stream& stream, Job&) {
            return (session.*read)(name, stream);
        },
        [](Napi::Env env, std::vector<float>& values) { return float32_value(env, std::move(values)); });
}

// prepareModel(model, job, bytes, rows, targets, training): on a GPU takes the memory of such a plan
Napi::Value prepare_model(const Napi::CallbackInfo& info) {
    return run_on_model(
        info,
        [bytes = integer_from(info[2], "bytes"), rows = integer_from(info[3], "rows"),
         targets = integer_from(info[4], "targets"),
         training = boolean_from(info[5], "training")](Session& session, Stream& stream, Job&) {
            session.prepare(bytes, rows, targets, training, stream);
            return Nothing{};
        },
        undefined_of);
}

// baseFingerprint(model, job): 16 hexadecimal digits
Napi::Value base_fingerprint(const Napi::CallbackInfo& info) {
    return run_on_model(
        info, [](Session& session, Stream& stream, Job&) { return session.base_fingerprint(stream); },
        [](Napi::Env env, uint64_t fingerprint) -> Napi::Value {
            char text[17];
            std::snprintf(text, sizeof text, "%016" PRIx64, fingerprint);
            return Napi::String::New(env, text);
        });
}

// disposeModel(model, job): the weights are freed on the command thread, after the jobs before it
Napi::Value dispose_model(const Napi::CallbackInfo& info) {
    ModelHandle& handle = model_of(info[0]);
    const std::shared_ptr<ModelCore> model = handle.model;
    return run_freeing(
        info.Env(), integer_from(info[1], "job"), *handle.engine,
        [model](Stream&, Job&) {
            model->release().reset();
            return Nothing{};
        },
        [model](Napi::Env env, Nothing&) -> Napi::Value {
            model->account(env);
            return env.Undefined();
        });
}

}  // namespace

void export_model_functions(Napi::Env env, Napi::Object exports) {
    export_function<load_model>(env, exports, "loadModel");
    export_function<add_role>(env, exports, "addRole");
    export_function<describe>(env, exports, "describe");
    export_function<memory_of>(env, exports, "memoryOf");
    export_function<base_memory_of>(env, exports, "baseMemoryOf");
    export_function<plan>(env, exports, "plan");
    export_function<forward>(env, exports, "forward");
    export_function<target_values<&Session::score>>(env, exports, "score");
    export_function<target_values<&Session::states>>(env, exports, "states");
    export_function<scale_score_heads>(env, exports, "scaleScoreHeads");
    export_function<step>(env, exports, "step");
    export_function<evaluate>(env, exports, "evaluate");
    export_function<update>(env, exports, "update");
    export_function<clear_gradients>(env, exports, "clearGradients");
    export_function<snapshot>(env, exports, "snapshot");
    export_function<save<&Session::save>>(env, exports, "save");
    export_function<save<&Session::save_merged>>(env, exports, "saveMerged");
    export_function<state<&Session::save_state>>(env, exports, "saveState");
    export_function<state<&Session::load_state>>(env, exports, "loadState");
    // parameter(model, job, name), gradient(model, job, name): Float32Array
    export_function<read_tensor<&Session::parameter>>(env, exports, "parameter");
    export_function<read_tensor<&Session::gradient>>(env, exports, "gradient");
    export_function<prepare_model>(env, exports, "prepareModel");
    export_function<base_fingerprint>(env, exports, "baseFingerprint");
    export_function<dispose_model>(env, exports, "disposeModel");
}

}  // namespace attune::binding
