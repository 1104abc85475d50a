// The process-wide pool that ops share. Never libuv's pool, never the JavaScript thread.
#pragma once

#include <cstdint>
#include <memory>

namespace attune {

// Tasks are taken from one atomic counter, so a preempted core does not stall the rest. A task's result must
// depend on its index alone, never on the worker: partial sums belong to tasks.
class ThreadPool {
  public:
    // Including the calling thread; >= 1. Throws Code::Option, and Code::Backend when the system has no more
    // threads.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const noexcept;

    // Calls work(context, task, worker) for task in [0, tasks); worker in [0, threads()) names the executing
    // thread. Blocks until all are done. Concurrent callers are served one after another. `work` must not
    // throw.
    void run(int64_t tasks, void (*work)(void* context, int64_t task, int worker), void* context);

    template <class Body>
    void parallel(int64_t tasks, Body&& body) {
        run(
            tasks,
            [](void* context, int64_t task, int worker) { (*static_cast<Body*>(context))(task, worker); },
            const_cast<void*>(static_cast<const void*>(&body)));
    }

  private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace attune
