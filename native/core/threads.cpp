// Worker threads with a short spin and a futex-backed sleep (std::atomic::wait). A run waits for tasks, not
// for threads: a worker that the system has not woken yet, or keeps from running, is let go without a task.
// Knows nothing of what it runs.
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
    // Workers inside of this run; kShut is added where nobody may enter. Everything above belongs to those
    // inside and, while it is kShut alone, to the caller.
    std::atomic<int32_t> gate{kShut};
    std::atomic<bool> closing{false};

    static constexpr int32_t kShut = 1 << 16;

    bool enter() {
        int32_t inside = gate.load(std::memory_order_relaxed);
        while (inside < kShut)
            if (gate.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) return true;
        return false;
    }

    void leave() {
        if (gate.fetch_sub(1, std::memory_order_acq_rel) == kShut + 1) gate.notify_one();
    }

    // Waits for those who are inside.
    void shut() {
        int32_t left = gate.fetch_add(kShut, std::memory_order_acq_rel) + kShut;
        for (; left != kShut; left = gate.load(std::memory_order_acquire)) wait_while(gate, left);
    }

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
            if (!enter()) continue;
            drain(worker);
            leave();
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
    if (shared.workers.empty() || tasks == 1) {
        shared.drain(0);
        return;
    }
    shared.gate.store(0, std::memory_order_release);
    shared.round.fetch_add(1, std::memory_order_release);
    shared.round.notify_all();
    shared.drain(0);
    shared.shut();
}

}  // namespace attune
