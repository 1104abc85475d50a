// The command thread: runs jobs one after another in the order they were given. Knows nothing of Node or of
// models.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace attune {

class JobQueue {
  public:
    struct Job {
        virtual ~Job() = default;
        // On the command thread. Must look at `cancelled` itself, also before it begins.
        virtual void run() noexcept = 0;
        std::atomic<bool> cancelled{false};
    };

    JobQueue();   // throws Code::Backend when the system has no more threads
    ~JobQueue();  // close(); never on the command thread itself
    JobQueue(const JobQueue&) = delete;
    JobQueue& operator=(const JobQueue&) = delete;

    // False when the queue is closed: the job was not taken.
    bool push(std::shared_ptr<Job> job);
    // Marks the running job and all waiting ones; they still run, to report that they were cancelled.
    void cancel_all();
    // Takes no more jobs, cancels those there are, waits until they have reported, and joins the thread.
    void close();

  private:
    void serve();
    void wake();

    std::mutex mutex_;
    // std::condition_variable would need the C++ runtime of GCC 12, which RHEL 9 lacks.
    std::atomic<uint32_t> events_{0};
    std::deque<std::shared_ptr<Job>> waiting_;
    std::shared_ptr<Job> running_;
    bool closing_ = false;
    std::thread thread_;
};

}  // namespace attune
