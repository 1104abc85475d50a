// The addon's functions by topic, and the frame every one of them runs in. lib/engine/addon-types.ts
// documents them.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "binding/addon_state.h"
#include "binding/handles.h"
#include "core/error.h"

namespace attune::binding {

void export_engine_functions(Napi::Env env, Napi::Object exports);
void export_model_functions(Napi::Env env, Napi::Object exports);
void export_kl_functions(Napi::Env env, Napi::Object exports);
void export_loss_functions(Napi::Env env, Napi::Object exports);
void export_generation_functions(Napi::Env env, Napi::Object exports);
void export_bench_functions(Napi::Env env, Napi::Object exports);
// `checks`: doors to single pieces of the compiled code, for tests.
void export_check_functions(Napi::Env env, Napi::Object exports);

// Errors of the core become JavaScript errors with a code; those of N-API pass through.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
    try {
        return function(info);
    } catch (const Error& error) {
        throw js_error(info.Env(), error);
    }
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void export_function(Napi::Env env, Napi::Object& target, const char* name) {
    target.Set(name, Napi::Function::New<guarded<function>>(env, name));
}

// Queues work on the engine's command thread; the promise resolves with what `convert` makes of its result.
// `undo` runs when it fails or is cancelled, also before it began.
template <class Work, class Convert>
Napi::Value run(Napi::Env env, int64_t number, EngineCore& engine, Work work, Convert convert,
                Napi::Value progress = {}, std::function<void(Stream&)> undo = {}, bool frees = false) {
    AddonState& state = AddonState::of(env);
    auto job = std::make_shared<TypedJob<Work, Convert>>(number, &engine, state.channel(), std::move(work),
                                                         std::move(convert));
    job->undo = std::move(undo);
    job->frees = frees;
    return state.start(env, engine, std::move(job), progress);
}

// Work that only gives something back: also on a device that is lost.
template <class Work, class Convert>
Napi::Value run_freeing(Napi::Env env, int64_t number, EngineCore& engine, Work work, Convert convert) {
    return run(env, number, engine, std::move(work), std::move(convert), {}, {}, true);
}

}  // namespace attune::binding
