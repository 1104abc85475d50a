// Worker threads with a short spin and a futex-backed sleep (std::atomic::wait). Knows nothing of what it
// runs.
#include "core/threads.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "core/error.h"

namespace attune {

namespace {
// Longer spinning starves a competing process; shorter pays a futex wake per op.
constexpr auto kSpin = std::chrono::microseconds(30);

inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");  // waits about as long; most cores take `yield` for nothing at all
#endif
}
}  // namespace

struct ThreadPool::Shared {
    std::mutex callers;
    std::vector<std::thread> workers;
    void (*work)(void*, int64_t, int) = nullptr;
    void* context = nullptr;
    int64_t tasks = 0;
    std::atomic<int64_t> next{0};
    std::atomic<uint32_t> round{0};  // raised to start a run
    std::atomic<int32_t> active{0};  // workers that have not finished this run
    std::atomic<bool> closing{false};

    void drain(int worker) {
        for (int64_t task = next.fetch_add(1, std::memory_order_relaxed); task < tasks;
             task = next.fetch_add(1, std::memory_order_relaxed))
            work(context, task, worker);
    }

    template <class Value>
    static void wait_while(std::atomic<Value>& value, std::type_identity_t<Value> old) {
        const auto until = std::chrono::steady_clock::now() + kSpin;
        do {
            for (int i = 0; i < 64; ++i) {
                if (value.load(std::memory_order_acquire) != old) return;
                relax();
            }
        } while (std::chrono::steady_clock::now() < until);
        value.wait(old, std::memory_order_acquire);
    }

    void serve(int worker) {
        uint32_t seen = 0;
        while (true) {
            wait_while(round, seen);
            seen = round.load(std::memory_order_acquire);
            if (closing.load(std::memory_order_acquire)) return;
            drain(worker);
            if (active.fetch_sub(1, std::memory_order_acq_rel) == 1) active.notify_one();
        }
    }

    void stop() {
        closing.store(true, std::memory_order_release);
        round.fetch_add(1, std::memory_order_acq_rel);
        round.notify_all();
        for (std::thread& worker : workers) worker.join();
        workers.clear();
    }
};

ThreadPool::ThreadPool(int threads) : shared_(std::make_unique<Shared>()) {
    require(threads >= 1 && threads <= 1024, Code::Option, "Expected threads in [1, 1024] but received ",
            threads, ".");
    shared_->workers.reserve(static_cast<size_t>(threads) - 1);
    try {
        for (int worker = 1; worker < threads; ++worker)
            shared_->workers.emplace_back([shared = shared_.get(), worker] { shared->serve(worker); });
    } catch (const std::system_error&) {
        // Threads that are not joined would end the process.
        const size_t started = shared_->workers.size();
        shared_->stop();
        raise(Code::Backend, "Expected to start ", threads - 1,
              " worker threads but the system refused after ", started, ". Use fewer threads.");
    }
}

ThreadPool::~ThreadPool() {
    shared_->stop();
}

int ThreadPool::threads() const noexcept {
    return static_cast<int>(shared_->workers.size()) + 1;
}

void ThreadPool::run(int64_t tasks, void (*work)(void*, int64_t, int), void* context) {
    if (tasks <= 0) return;
    const std::lock_guard lock(shared_->callers);
    Shared& shared = *shared_;
    shared.work = work;
    shared.context = context;
    shared.tasks = tasks;
    shared.next.store(0, std::memory_order_relaxed);
    const auto helpers = static_cast<int32_t>(shared.workers.size());
    if (helpers == 0 || tasks == 1) {
        shared.drain(0);
        return;
    }
    shared.active.store(helpers, std::memory_order_relaxed);
    shared.round.fetch_add(1, std::memory_order_release);
    shared.round.notify_all();
    shared.drain(0);
    for (int32_t left = shared.active.load(std::memory_order_acquire); left != 0;
         left = shared.active.load(std::memory_order_acquire))
        Shared::wait_while(shared.active, left);
}

}  // namespace attune
