// Queues of work that run when the host waits for one of them, and events that order them. A queue that
// nobody waits for runs as late as something needs it, or as early as it may: what is ordered by luck alone
// gives other results in one of the two.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace attune::simt {

class WorkQueue;

// When queues run beside the one that the host waits for.
enum class Lag { Late, Early };
void set_lag(Lag lag);

// Held by who runs queues: those of all engines take turns.
std::mutex& turn_of_queues();

// What record() has seen so far. Outlives neither its last record nor those who follow.
struct Event {
    struct Mark {
        WorkQueue* queue;
        bool reached = false;
    };
    std::shared_ptr<Mark> last;  // null: nothing recorded
};

// Any thread may add while another runs it.
class WorkQueue {
  public:
    explicit WorkQueue(int device);
    // Not during somebody's turn.
    ~WorkQueue();
    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;

    void add(std::function<void()> work);
    void record(Event& event);
    void follow(const Event& event);
    // Until it is empty, in the caller's turn. What a step throws ends it, and what came behind it is
    // forgotten; where that was in another queue's run, this one throws it.
    void run();

  private:
    struct Step {
        std::function<void()> work;
        std::shared_ptr<const Event::Mark> awaited{};
    };
    void push(Step step);
    bool empty() const;
    bool held_back() const;
    void run_first();
    void run_others();
    void fail(std::exception_ptr reason);

    const int device_;
    mutable std::mutex mutex_;  // of the steps; never held while one runs
    std::deque<Step> steps_;
    std::exception_ptr failed_;  // under turn_of_queues()
};

}  // namespace attune::simt
