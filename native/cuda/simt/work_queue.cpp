// A step that waits for another queue's mark runs that queue up to it.
#include "cuda/simt/work_queue.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace attune::simt {

namespace {

Lag lag_of_others = Lag::Late;

struct AllQueues {
    std::mutex mutex;
    std::vector<WorkQueue*> queues;
};

AllQueues& all() {
    static AllQueues known;
    return known;
}

}  // namespace

void set_lag(Lag lag) {
    lag_of_others = lag;
}

WorkQueue::WorkQueue() {
    const std::scoped_lock lock(all().mutex);
    all().queues.push_back(this);
}

WorkQueue::~WorkQueue() {
    const std::scoped_lock lock(all().mutex);
    std::erase(all().queues, this);
}

void WorkQueue::add(std::function<void()> work) {
    steps_.push_back({std::move(work)});
}

void WorkQueue::record(Event& event) {
    auto mark = std::make_shared<Event::Mark>(this);
    event.last = mark;
    steps_.push_back({[mark] { mark->reached = true; }});
}

void WorkQueue::follow(const Event& event) {
    if (event.last != nullptr) steps_.push_back({{}, event.last});
}

bool WorkQueue::held_back() const {
    const auto& awaited = steps_.front().awaited;
    return awaited != nullptr && !awaited->reached;
}

void WorkQueue::run_first() {
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    // An empty queue has failed, which was said then.
    while (step.awaited != nullptr && !step.awaited->reached && !step.awaited->queue->steps_.empty())
        step.awaited->queue->run_first();
    if (step.work) step.work();
}

// As far as nothing holds them back.
void WorkQueue::run_others() {
    std::vector<WorkQueue*> queues;
    {
        const std::scoped_lock lock(all().mutex);
        queues = all().queues;
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (WorkQueue* queue : queues)
            for (; queue != this && !queue->steps_.empty() && !queue->held_back(); moved = true)
                queue->run_first();
    }
}

void WorkQueue::run() {
    try {
        do {
            if (lag_of_others == Lag::Early) run_others();
            if (!steps_.empty()) run_first();
        } while (!steps_.empty());
    } catch (...) {
        steps_.clear();
        throw;
    }
}

}  // namespace attune::simt
