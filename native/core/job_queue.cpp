// A deque, a count of what happened to it, and one thread that sleeps while the count stays. Must not throw
// once it runs.
#include "core/job_queue.h"

#include <system_error>
#include <utility>

#include "core/error.h"

namespace attune {

JobQueue::JobQueue() {
    try {
        thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error&) {
        raise(Code::Backend,
              "The system refused to start a command thread. Dispose engines that are not used.");
    }
}

JobQueue::~JobQueue() {
    close();
}

bool JobQueue::push(std::shared_ptr<Job> job) {
    {
        const std::lock_guard lock(mutex_);
        if (closing_) return false;
        waiting_.push_back(std::move(job));
    }
    wake();
    return true;
}

void JobQueue::wake() {
    events_.fetch_add(1, std::memory_order_release);
    events_.notify_one();
}

void JobQueue::cancel_all() {
    const std::lock_guard lock(mutex_);
    if (running_) running_->cancelled.store(true, std::memory_order_relaxed);
    for (const std::shared_ptr<Job>& job : waiting_) job->cancelled.store(true, std::memory_order_relaxed);
}

void JobQueue::close() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    cancel_all();
    wake();
    if (thread_.joinable()) thread_.join();
}

void JobQueue::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        while (!closing_ && waiting_.empty()) {
            // Read before the lock is given up: whatever comes then changes it.
            const uint32_t seen = events_.load(std::memory_order_acquire);
            lock.unlock();
            events_.wait(seen, std::memory_order_acquire);
            lock.lock();
        }
        if (waiting_.empty()) return;
        running_ = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        running_->run();
        lock.lock();
        // Released outside the lock: a job may own a whole model.
        std::shared_ptr<Job> done = std::move(running_);
        lock.unlock();
        done.reset();
        lock.lock();
    }
}

}  // namespace attune
