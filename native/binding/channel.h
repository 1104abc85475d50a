// One road from the command threads of an environment to its JavaScript thread. Carries shared jobs, nothing
// else.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>

namespace attune::binding {

class Job;
class AddonState;

enum class EventKind { Progress, Settled };

struct Event {
    EventKind kind;
    std::shared_ptr<Job> job;
};

class Channel {
  public:
    // JavaScript thread. An idle channel does not keep the process alive.
    void open(Napi::Env env, AddonState* state);
    void hold(Napi::Env env) { function_.Ref(env); }
    void release(Napi::Env env) { function_.Unref(env); }
    // JavaScript thread, first and last step of the teardown: begin_close() before the command threads are
    // joined, finish_close() after it.
    void begin_close() { closing_.store(true, std::memory_order_release); }
    void finish_close() { function_.Abort(); }
    bool closing() const { return closing_.load(std::memory_order_acquire); }

    // Command thread. Once the environment closes, events are dropped and the function is not touched again.
    void post(EventKind kind, std::shared_ptr<Job> job) noexcept;

  private:
    // env is null when the environment is gone: the event is only freed.
    static void deliver(Napi::Env env, Napi::Function callback, AddonState* state, Event* event);

    Napi::TypedThreadSafeFunction<AddonState, Event, &Channel::deliver> function_;
    std::atomic<bool> closing_{false};
};

}  // namespace attune::binding
