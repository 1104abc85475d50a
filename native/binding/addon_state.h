// What one environment (the main thread or a worker) keeps: its channel, unsettled promises and engines.
// JavaScript thread only. The teardown order is written down in teardown().
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "binding/channel.h"
#include "binding/engine_core.h"
#include "binding/job.h"

namespace attune::binding {

class AddonState {
  public:
    explicit AddonState(Napi::Env env);

    static AddonState& of(Napi::Env env) { return *env.GetInstanceData<AddonState>(); }

    const std::shared_ptr<Channel>& channel() const { return channel_; }
    int64_t next_number() { return ++last_number_; }
    void remember(const std::shared_ptr<EngineCore>& engine);

    // Queues the job; the promise settles once. `progress` may be empty; it must never throw (lib/engine sees
    // to it).
    Napi::Promise start(Napi::Env env, EngineCore& engine, std::shared_ptr<Job> job, Napi::Value progress);
    // A number that is no longer pending is ignored.
    void cancel(int64_t number);
    // From the channel.
    void receive(Napi::Env env, const Event& event);

  private:
    struct Pending {
        std::shared_ptr<Job> job;
        Napi::Promise::Deferred promise;
        Napi::FunctionReference progress;
    };

    void settle(Napi::Env env, Job& job);
    void teardown();

    std::shared_ptr<Channel> channel_ = std::make_shared<Channel>();
    std::unordered_map<int64_t, Pending> pending_;
    std::vector<std::weak_ptr<EngineCore>> engines_;
    int64_t last_number_ = 0;
};

// Error -> a JavaScript Error with code "ATTUNE_…"; lib/engine makes it an AttuneError.
Napi::Error js_error(Napi::Env env, const Error& error);

}  // namespace attune::binding
