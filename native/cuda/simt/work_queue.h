// Queues of work that run when the host waits for one of them, and events that order them. A queue that
// nobody waits for runs as late as something needs it, or as early as it may: what is ordered by luck alone
// gives other results in one of the two.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

namespace attune::simt {

class WorkQueue;

// When queues run beside the one that the host waits for. Early for programs of one thread alone.
enum class Lag { Late, Early };
void set_lag(Lag lag);

// What record() has seen so far. Outlives neither its last record nor those who follow.
struct Event {
    struct Mark {
        WorkQueue* queue;
        bool reached = false;
    };
    std::shared_ptr<Mark> last;  // null: nothing recorded
};

class WorkQueue {
  public:
    WorkQueue();
    ~WorkQueue();
    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;

    void add(std::function<void()> work);
    void record(Event& event);
    void follow(const Event& event);
    // Until it is empty. What a step throws ends it, and what came behind it is forgotten.
    void run();

  private:
    struct Step {
        std::function<void()> work;
        std::shared_ptr<const Event::Mark> awaited{};
    };
    bool held_back() const;
    void run_first();
    void run_others();

    std::deque<Step> steps_;
};

}  // namespace attune::simt
