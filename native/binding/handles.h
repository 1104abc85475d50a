// The two things JavaScript holds: an engine and a model, as tagged externals. A foreign object is refused,
// never cast.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <mutex>

#include "binding/engine_core.h"
#include "session/session.h"

namespace attune::binding {

// A model's session and what may be read of it from the JavaScript thread while a job runs.
class ModelCore {
  public:
    explicit ModelCore(std::unique_ptr<Session> session);

    // Throws Code::Disposed after release().
    std::shared_ptr<Session> session() const;
    // Command thread: keeps the figures that memory() shows.
    void refresh_memory(const Session& session);
    MemoryUse memory() const;
    MemoryUse base_memory() const;
    int64_t base_number() const { return base_number_; }
    // Gives the session away; the caller frees it where that may take time.
    std::shared_ptr<Session> release();

    // JavaScript thread: tells V8 how much native memory hangs on this object.
    void account(Napi::Env env);

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<Session> session_;
    MemoryUse memory_;
    MemoryUse base_memory_;
    int64_t base_number_;
    int64_t accounted_ = 0;  // JavaScript thread
};

struct EngineHandle {
    std::shared_ptr<EngineCore> core;
};

struct ModelHandle {
    std::shared_ptr<EngineCore> engine;
    std::shared_ptr<ModelCore> model;
};

Napi::Value new_engine(Napi::Env env, std::shared_ptr<EngineCore> core);
Napi::Value new_model(Napi::Env env, std::shared_ptr<EngineCore> engine, std::unique_ptr<Session> session);

// Throw Code::Option when the value is something else.
EngineHandle& engine_of(const Napi::Value& value);
ModelHandle& model_of(const Napi::Value& value);

}  // namespace attune::binding
