// Tags, finalizers and memory accounting of the handles.
#include "binding/handles.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace attune::binding {

namespace {

// Random once; they tell our objects from those of other addons and from each other.
constexpr napi_type_tag kEngineTag{0x6f4b1c5e2a9d4e37, 0x9d0c7be3518a42f6};
constexpr napi_type_tag kModelTag{0xb27e90d4c8134a61, 0x8e35f1a94d6c0b72};

// V8 takes the change as an int64 but reacts badly to one jump of many gigabytes.
constexpr int64_t kAccountStep = int64_t{512} << 20;

// Frees a session on the command thread: unmapping gigabytes would stall the JavaScript thread.
struct FreeJob final : JobQueue::Job {
    explicit FreeJob(std::shared_ptr<Session> owned) : session(std::move(owned)) {}
    void run() noexcept override { session.reset(); }
    std::shared_ptr<Session> session;
};

void finalize_model(Napi::Env env, ModelHandle* handle) {
    const std::unique_ptr<ModelHandle> owned(handle);
    if (std::shared_ptr<Session> session = owned->model->release())
        owned->engine->queue.push(std::make_shared<FreeJob>(std::move(session)));
    owned->model->account(env);
}

template <class Handle>
Handle& tagged(const Napi::Value& value, const napi_type_tag& tag, const char* what) {
    const bool fits = value.IsExternal() && value.As<Napi::External<Handle>>().CheckTypeTag(&tag);
    require(fits, Code::Option, "Expected ", what, " of this addon but received another value.");
    return *value.As<Napi::External<Handle>>().Data();
}

}  // namespace

ModelCore::ModelCore(std::unique_ptr<Session> session)
    : session_(std::move(session)),
      memory_(session_->memory()),
      base_memory_(session_->base_memory()),
      base_number_(session_->base_number()) {}

std::shared_ptr<Session> ModelCore::session() const {
    const std::lock_guard lock(mutex_);
    require(session_ != nullptr, Code::Disposed, "The model was disposed. Load it again.");
    return session_;
}

void ModelCore::refresh_memory(const Session& session) {
    const MemoryUse now = session.memory();
    const MemoryUse base = session.base_memory();
    const std::lock_guard lock(mutex_);
    memory_ = now;
    base_memory_ = base;
}

MemoryUse ModelCore::memory() const {
    const std::lock_guard lock(mutex_);
    return memory_;
}

MemoryUse ModelCore::base_memory() const {
    const std::lock_guard lock(mutex_);
    return base_memory_;
}

std::shared_ptr<Session> ModelCore::release() {
    const std::lock_guard lock(mutex_);
    memory_ = {};
    base_memory_ = {};
    return std::exchange(session_, nullptr);
}

void ModelCore::account(Napi::Env env) {
    const MemoryUse use = memory();
    const int64_t wanted = use.total() + use.weights_host;
    while (accounted_ != wanted) {
        const int64_t step = std::clamp(wanted - accounted_, -kAccountStep, kAccountStep);
        Napi::MemoryManagement::AdjustExternalMemory(env, step);
        accounted_ += step;
    }
}

Napi::Value new_engine(Napi::Env env, std::shared_ptr<EngineCore> core) {
    auto owned = std::make_unique<EngineHandle>(EngineHandle{std::move(core)});
    auto value = Napi::External<EngineHandle>::New(env, owned.get(),
                                                   [](Napi::Env, EngineHandle* handle) { delete handle; });
    owned.release();
    value.TypeTag(&kEngineTag);
    return value;
}

Napi::Value new_model(Napi::Env env, std::shared_ptr<EngineCore> engine, std::unique_ptr<Session> session) {
    auto model = std::make_shared<ModelCore>(std::move(session));
    auto owned = std::make_unique<ModelHandle>(ModelHandle{std::move(engine), model});
    auto value = Napi::External<ModelHandle>::New(env, owned.get(), finalize_model);
    owned.release();
    value.TypeTag(&kModelTag);
    model->account(env);
    return value;
}

EngineHandle& engine_of(const Napi::Value& value) {
    return tagged<EngineHandle>(value, kEngineTag, "an engine");
}

ModelHandle& model_of(const Napi::Value& value) {
    return tagged<ModelHandle>(value, kModelTag, "a model");
}

}  // namespace attune::binding
