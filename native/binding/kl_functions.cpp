// Functions on a model and its reference: exact KL divergences and penalties on them. Both must belong to one
// engine, whose command thread the jobs run on.
#include <string>
#include <utility>

#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"

namespace attune::binding {

namespace {

KlOptions kl_options_from(const Napi::Value& value) {
    const Napi::Object object = object_from(value, "penalty");
    const std::string direction = text_from(object.Get("direction"), "penalty.direction");
    require(direction == "kl" || direction == "reverse", Code::Option,
            "Expected penalty.direction to be kl or reverse but received \"", direction, "\".");
    KlOptions options;
    options.reverse = direction == "reverse";
    options.normaliser = number_from(object.Get("normaliser"), "penalty.normaliser");
    options.weights = float64_from(object.Get("weights"), "penalty.weights");
    return options;
}

// A job on both: use(session, reference, stream) -> result; afterwards the memory figures of both are
// current.
template <class Use, class Convert>
Napi::Value run_on_pair(const Napi::CallbackInfo& info, Use use, Convert convert,
                        std::function<void(Stream&)> undo = {}) {
    ModelHandle& handle = model_of(info[0]);
    ModelHandle& other = model_of(info[1]);
    require(
        handle.engine == other.engine, Code::Option,
        "Expected a reference on the model's own engine but it belongs to another one. Load both with the "
        "same engine.");
    const int64_t number = integer_from(info[2], "job");
    const std::shared_ptr<ModelCore> model = handle.model;
    const std::shared_ptr<ModelCore> reference = other.model;
    return run(
        info.Env(), number, *handle.engine,
        [model, reference, use = std::move(use)](Stream& stream, Job&) {
            const std::shared_ptr<Session> session = model->session();
            const std::shared_ptr<Session> other_session = reference->session();
            auto result = use(*session, *other_session, stream);
            model->refresh_memory(*session);
            reference->refresh_memory(*other_session);
            return result;
        },
        [model, reference, convert = std::move(convert)](Napi::Env env, auto& result) -> Napi::Value {
            model->account(env);
            reference->account(env);
            return convert(env, result);
        },
        {}, std::move(undo));
}

// kl(model, reference, job, batch): { kl, reverseKl }, one value per target
Napi::Value kl(const Napi::CallbackInfo& info) {
    return run_on_pair(
        info,
        [batch = batch_from(info[3])](Session& session, Session& reference, Stream& stream) {
            return session.kl(batch, reference, stream);
        },
        [](Napi::Env env, KlValues& values) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("kl", float32_value(env, std::move(values.kl)));
            object.Set("reverseKl", float32_value(env, std::move(values.reverse_kl)));
            return object;
        });
}

// klStep(model, reference, job, batch, penalty): when it fails or is cancelled, all gathered gradients are
// cleared
Napi::Value kl_step(const Napi::CallbackInfo& info) {
    return run_on_pair(
        info,
        [batch = batch_from(info[3]), options = kl_options_from(info[4])](
            Session& session, Session& reference, Stream& stream) {
            StepResult result;
            session.kl_step(result, batch, reference, options, stream);
            return result;
        },
        step_value,
        [model = model_of(info[0]).model](Stream& stream) { model->session()->clear_gradients(stream); });
}

// planKl(model, reference, targets): bytes beside both models' plans
Napi::Value plan_kl(const Napi::CallbackInfo& info) {
    const std::shared_ptr<Session> session = model_of(info[0]).model->session();
    const std::shared_ptr<Session> reference = model_of(info[1]).model->session();
    const int64_t targets = integer_from(info[2], "targets");
    require(targets >= 0 && targets < int64_t{1} << 31, Code::Option,
            "Expected targets in [0, 2^31) but received ", targets, ".");
    return Napi::Number::New(info.Env(), static_cast<double>(session->planned_kl_bytes(*reference, targets)));
}

}  // namespace

void export_kl_functions(Napi::Env env, Napi::Object exports) {
    export_function<kl>(env, exports, "kl");
    export_function<kl_step>(env, exports, "klStep");
    export_function<plan_kl>(env, exports, "planKl");
}

}  // namespace attune::binding
