// A unit of work on an engine's command thread that settles one promise. One generic job instead of a class
// per call.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "binding/channel.h"
#include "core/error.h"
#include "core/job_queue.h"
#include "core/stream.h"

namespace attune::binding {

struct EngineCore;

class Job : public JobQueue::Job, public std::enable_shared_from_this<Job> {
  public:
    Job(int64_t number, EngineCore* engine, std::shared_ptr<Channel> channel)
        : number_(number), engine_(engine), channel_(std::move(channel)) {}

    int64_t number() const { return number_; }

    // Command thread. Progress is coalesced: only the newest fraction waits to be delivered.
    void report(double fraction) noexcept;
    // True while the environment closes: results no longer reach anybody.
    bool closing() const { return channel_->closing(); }

    // JavaScript thread.
    double take_progress();
    const std::optional<Error>& failure() const { return failure_; }
    virtual Napi::Value convert(Napi::Env env) = 0;

    void run() noexcept final;

    // Runs on the command thread when the job fails or is cancelled, also before it began; not while the
    // environment closes.
    std::function<void(Stream&)> undo;
    // It has nothing to do with whether the device still works.
    bool frees = false;

  protected:
    virtual void work(Stream& stream) = 0;

  private:
    int64_t number_;
    EngineCore* engine_;  // outlives the job's run: its destructor joins the command thread
    std::shared_ptr<Channel> channel_;
    std::optional<Error> failure_;
    std::atomic<double> fraction_{0};
    std::atomic<bool> reported_{false};
};

// Work: (Stream&, Job&) -> Result on the command thread; Convert: (Napi::Env, Result&) -> Napi::Value on the
// JavaScript thread. Neither may own the engine: the command thread cannot join itself.
template <class Work, class Convert>
class TypedJob final : public Job {
  public:
    using Result = std::invoke_result_t<Work&, Stream&, Job&>;

    TypedJob(int64_t number, EngineCore* engine, std::shared_ptr<Channel> channel, Work work, Convert convert)
        : Job(number, engine, std::move(channel)), work_(std::move(work)), convert_(std::move(convert)) {}

    Napi::Value convert(Napi::Env env) override { return convert_(env, *result_); }

  protected:
    void work(Stream& stream) override { result_.emplace(work_(stream, *this)); }

  private:
    Work work_;
    Convert convert_;
    std::optional<Result> result_;
};

// The result of work that has none.
struct Nothing {};
inline Napi::Value undefined_of(Napi::Env env, Nothing&) {
    return env.Undefined();
}

}  // namespace attune::binding
