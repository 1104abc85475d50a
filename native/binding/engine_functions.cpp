// Functions on engines and jobs: isas, createEngine, engineMemory, disposeEngine, newJob, cancel.
#include <utility>

#include "binding/arguments.h"
#include "binding/functions.h"
#include "core/backend.h"

namespace attune::binding {

namespace {

// isas(): { name, built, native, runnable }[]
Napi::Value isas(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::vector<IsaInfo> all = list_isas();
    Napi::Array list = Napi::Array::New(env, all.size());
    for (size_t i = 0; i < all.size(); ++i) {
        Napi::Object isa = Napi::Object::New(env);
        isa.Set("name", all[i].name);
        isa.Set("built", all[i].built);
        isa.Set("native", all[i].native);
        isa.Set("runnable", all[i].runnable);
        list.Set(static_cast<uint32_t>(i), isa);
    }
    return list;
}

// createEngine(threads, isa): { handle, isa, threads }
Napi::Value create_engine(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const int64_t threads = integer_from(info[0], "threads");
    require(threads >= 1 && threads <= 1024, Code::Option, "Expected threads in [1, 1024] but received ",
            threads, ".");
    auto core = std::make_shared<EngineCore>(static_cast<int>(threads), text_from(info[1], "isa"));
    AddonState::of(env).remember(core);
    Napi::Object result = Napi::Object::New(env);
    result.Set("isa", core->ops->name);
    result.Set("threads", core->pool->threads());
    result.Set("handle", new_engine(env, std::move(core)));
    return result;
}

// engineMemory(engine): bytes of scratch memory after the last job
Napi::Value engine_memory(const Napi::CallbackInfo& info) {
    const EngineCore& core = *engine_of(info[0]).core;
    return Napi::Number::New(info.Env(),
                             static_cast<double>(core.scratch_bytes.load(std::memory_order_relaxed)));
}

// disposeEngine(engine, job): resolves when the running jobs have been cancelled and the command thread is
// idle
Napi::Value dispose_engine(const Napi::CallbackInfo& info) {
    EngineHandle& handle = engine_of(info[0]);
    const int64_t number = integer_from(info[1], "job");
    handle.core->queue.cancel_all();
    const std::weak_ptr<EngineCore> weak = handle.core;
    return run(
        info.Env(), number, *handle.core, [](Stream&, Job&) { return Nothing{}; },
        [weak](Napi::Env env, Nothing&) -> Napi::Value {
            // The queue is empty here, so joining its thread does not keep JavaScript waiting.
            if (const std::shared_ptr<EngineCore> core = weak.lock()) core->queue.close();
            return env.Undefined();
        });
}

// newJob(): a number that names one call, for cancel()
Napi::Value new_job(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(AddonState::of(info.Env()).next_number()));
}

// cancel(job)
Napi::Value cancel(const Napi::CallbackInfo& info) {
    AddonState::of(info.Env()).cancel(integer_from(info[0], "job"));
    return info.Env().Undefined();
}

}  // namespace

void export_engine_functions(Napi::Env env, Napi::Object exports) {
    export_function<isas>(env, exports, "isas");
    export_function<create_engine>(env, exports, "createEngine");
    export_function<engine_memory>(env, exports, "engineMemory");
    export_function<dispose_engine>(env, exports, "disposeEngine");
    export_function<new_job>(env, exports, "newJob");
    export_function<cancel>(env, exports, "cancel");
}

}  // namespace attune::binding
