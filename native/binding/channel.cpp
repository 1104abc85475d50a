// The typed thread-safe function behind the channel. No JavaScript of a user runs from here.
#include "binding/channel.h"

#include <new>
#include <utility>

#include "binding/addon_state.h"

namespace attune::binding {

void Channel::open(Napi::Env env, AddonState* state) {
    // Unlimited queue: each job has at most one progress event and one settlement on its way.
    function_ = decltype(function_)::New(env, "attune.events", 0, 1, state);
    function_.Unref(env);
}

void Channel::post(EventKind kind, std::shared_ptr<Job> job) noexcept {
    if (closing()) return;
    auto* event = new (std::nothrow) Event{kind, std::move(job)};
    if (event == nullptr) return;
    const napi_status status = function_.NonBlockingCall(event);
    if (status == napi_ok) return;
    delete event;
    if (status == napi_closing) begin_close();
}

void Channel::deliver(Napi::Env env, Napi::Function, AddonState* state, Event* event) {
    const std::unique_ptr<Event> owned(event);
    if (static_cast<napi_env>(env) == nullptr) return;
    state->receive(env, *owned);
}

}  // namespace attune::binding
