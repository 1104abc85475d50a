// Functions on engines and jobs: isas, cuda, createEngine, engineMemory, availableMemory, releaseMemory,
// disposeEngine, newJob, cancel.
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

// cuda(path): { stage, reason, devices: { index, name, capability, driver, multiprocessors, memory, free?
// }[], refused: { index, reason }[], driverVersion? }
Napi::Value cuda(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const CudaLibrary& library = cuda_library(text_from(info[0], "path"));
    Napi::Array devices = Napi::Array::New(env, library.devices.size());
    for (size_t i = 0; i < library.devices.size(); ++i) {
        const BackendDevice& found = library.devices[i];
        Napi::Object device = Napi::Object::New(env);
        device.Set("index", found.index);
        device.Set("name", found.name);
        device.Set("capability", std::to_string(found.major) + "." + std::to_string(found.minor));
        device.Set("driver", std::to_string(found.driver_version / 1000) + "." +
                                 std::to_string(found.driver_version % 1000 / 10));
        device.Set("multiprocessors", found.multiprocessors);
        device.Set("memory", static_cast<double>(found.memory_bytes));
        const int64_t free = library.table.free_bytes(found.index);  // now, not when the library was opened
        if (free >= 0) device.Set("free", static_cast<double>(free));
        devices.Set(static_cast<uint32_t>(i), device);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("stage", library.stage);
    result.Set("reason", library.reason);
    result.Set("devices", devices);
    Napi::Array refused = Napi::Array::New(env, library.refused.size());
    for (size_t i = 0; i < library.refused.size(); ++i) {
        Napi::Object one = Napi::Object::New(env);
        one.Set("index", library.refused[i].index);
        one.Set("reason", library.refused[i].reason);
        refused.Set(static_cast<uint32_t>(i), one);
    }
    result.Set("refused", refused);
    char driver[96] = "";
    if (library.table.driver_text != nullptr) library.table.driver_text(driver, sizeof(driver));
    if (driver[0] != 0) result.Set("driverVersion", std::string(driver));
    return result;
}

// createEngine(threads, isa, cuda, index?): { handle, isa, threads }; cuda: path of the library, empty = the
// CPU; index: of the device
Napi::Value create_engine(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const int64_t threads = integer_from(info[0], "threads");
    require(threads >= 1 && threads <= 1024, Code::Option, "Expected threads in [1, 1024] but received ",
            threads, ".");
    const std::string path = text_from(info[2], "cuda");
    const int count = static_cast<int>(threads);
    const int64_t index = info[3].IsUndefined() ? 0 : integer_from(info[3], "index");
    auto core = path.empty()
                    ? std::make_shared<EngineCore>(count, text_from(info[1], "isa"))
                    : std::make_shared<EngineCore>(count, cuda_library(path), static_cast<int32_t>(index));
    AddonState::of(env).remember(core);
    Napi::Object result = Napi::Object::New(env);
    result.Set("isa", core->ops->name);
    result.Set("threads", core->pool->threads());
    result.Set("handle", new_engine(env, std::move(core)));
    return result;
}

// engineMemory(engine): { scratch: bytes after the last job, device: bytes reserved on the GPU }
Napi::Value engine_memory(const Napi::CallbackInfo& info) {
    const EngineCore& core = *engine_of(info[0]).core;
    Napi::Object memory = Napi::Object::New(info.Env());
    memory.Set("scratch", static_cast<double>(core.scratch_bytes.load(std::memory_order_relaxed)));
    memory.Set("device", static_cast<double>(core.device.reserved_bytes()));
    return memory;
}

// availableMemory(engine): bytes that the engine's GPU could still give
Napi::Value available_memory(const Napi::CallbackInfo& info) {
    const EngineCore& core = *engine_of(info[0]).core;
    return Napi::Number::New(info.Env(), static_cast<double>(core.device.available_bytes()));
}

// releaseMemory(engine, job): what no tensor uses goes back to the GPU
Napi::Value release_memory(const Napi::CallbackInfo& info) {
    EngineCore& core = *engine_of(info[0]).core;
    return run_freeing(
        info.Env(), integer_from(info[1], "job"), core,
        [&ops = *core.ops](Stream& stream, Job&) {
            check(ops.memory_trim(&stream), "memory_trim");
            return Nothing{};
        },
        undefined_of);
}

// disposeEngine(engine, job): resolves when the running jobs have been cancelled and the command thread is
// idle
Napi::Value dispose_engine(const Napi::CallbackInfo& info) {
    EngineHandle& handle = engine_of(info[0]);
    const int64_t number = integer_from(info[1], "job");
    handle.core->queue.cancel_all();
    const std::weak_ptr<EngineCore> weak = handle.core;
    return run_freeing(
        info.Env(), number, *handle.core,
        [&ops = *handle.core->ops](Stream& stream, Job&) {
            ops.memory_trim(&stream);
            return Nothing{};
        },
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
    export_function<cuda>(env, exports, "cuda");
    export_function<create_engine>(env, exports, "createEngine");
    export_function<engine_memory>(env, exports, "engineMemory");
    export_function<available_memory>(env, exports, "availableMemory");
    export_function<release_memory>(env, exports, "releaseMemory");
    export_function<dispose_engine>(env, exports, "disposeEngine");
    export_function<new_job>(env, exports, "newJob");
    export_function<cancel>(env, exports, "cancel");
}

}  // namespace attune::binding
