// Promises, progress callbacks and the teardown of an environment.
#include "binding/addon_state.h"

#include <new>
#include <string>
#include <utility>

namespace attune::binding {

Napi::Error js_error(Napi::Env env, const Error& error) {
    Napi::Error result = Napi::Error::New(env, error.text);
    result.Set("code", std::string("ATTUNE_") + code_name(error.code));
    return result;
}

AddonState::AddonState(Napi::Env env) {
    channel_->open(env, this);
    // After the channel: hooks run last in first out, so this one runs while the channel's function still
    // exists.
    env.AddCleanupHook([](AddonState* state) { state->teardown(); }, this);
}

void AddonState::remember(const std::shared_ptr<EngineCore>& engine) {
    std::erase_if(engines_, [](const std::weak_ptr<EngineCore>& entry) { return entry.expired(); });
    engines_.push_back(engine);
}

Napi::Promise AddonState::start(Napi::Env env, EngineCore& engine, std::shared_ptr<Job> job,
                                Napi::Value progress) {
    Pending entry{job, Napi::Promise::Deferred::New(env), {}};
    const Napi::Promise promise = entry.promise.Promise();
    if (progress.IsFunction()) entry.progress = Napi::Persistent(progress.As<Napi::Function>());
    require(pending_.count(job->number()) == 0, Code::Internal, "Job number ", job->number(), " is in use.");
    if (!engine.queue.push(job)) {
        entry.promise.Reject(
            js_error(env, Error(Code::Disposed, "The engine was disposed. Create another one.")).Value());
        return promise;
    }
    if (pending_.empty()) channel_->hold(env);
    pending_.emplace(job->number(), std::move(entry));
    return promise;
}

void AddonState::cancel(int64_t number) {
    const auto found = pending_.find(number);
    if (found != pending_.end()) found->second.job->cancelled.store(true, std::memory_order_relaxed);
}

void AddonState::receive(Napi::Env env, const Event& event) {
    try {
        if (event.kind == EventKind::Settled) return settle(env, *event.job);
        const double fraction = event.job->take_progress();
        const auto found = pending_.find(event.job->number());
        if (found == pending_.end() || found->second.progress.IsEmpty()) return;
        found->second.progress.Call({Napi::Number::New(env, fraction)});
    } catch (const Napi::Error&) {
        // Only a terminating environment comes here: there is nobody left to tell.
    }
}

void AddonState::settle(Napi::Env env, Job& job) {
    auto node = pending_.extract(job.number());
    if (node.empty()) return;
    if (pending_.empty()) channel_->release(env);
    const Napi::Promise::Deferred& promise = node.mapped().promise;
    if (job.failure()) return promise.Reject(js_error(env, *job.failure()).Value());
    try {
        promise.Resolve(job.convert(env));
    } catch (const Error& error) {
        promise.Reject(js_error(env, error).Value());
    } catch (const Napi::Error& error) {
        promise.Reject(error.Value());  // JavaScript has no room for the result
    } catch (const std::bad_alloc&) {
        promise.Reject(
            js_error(env, Error(Code::Memory, "The system refused memory for the result.")).Value());
    }
}

void AddonState::teardown() {
    channel_->begin_close();
    for (const std::weak_ptr<EngineCore>& entry : engines_)
        if (const std::shared_ptr<EngineCore> engine = entry.lock()) engine->queue.cancel_all();
    for (const std::weak_ptr<EngineCore>& entry : engines_)
        if (const std::shared_ptr<EngineCore> engine = entry.lock()) engine->queue.close();
    pending_.clear();
    channel_->finish_close();
}

}  // namespace attune::binding
