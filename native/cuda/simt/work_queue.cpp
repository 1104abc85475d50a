// A step that waits for another queue's mark runs that queue up to it.
#include "cuda/simt/work_queue.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace attune::simt {

namespace {

std::atomic<Lag> lag_of_others{Lag::Late};

struct AllQueues {
    std::mutex mutex;
    std::vector<WorkQueue*> queues;
};

// Never destroyed, nor is the turn: engines may be closed after statics are.
AllQueues& all() {
    static auto* known = new AllQueues;
    return *known;
}

}  // namespace

void set_lag(Lag lag) {
    lag_of_others = lag;
}

std::mutex& turn_of_queues() {
    static auto* turn = new std::mutex;
    return *turn;
}

WorkQueue::WorkQueue(int device) : device_(device) {
    const std::scoped_lock lock(all().mutex);
    all().queues.push_back(this);
}

// Another engine may be running it.
WorkQueue::~WorkQueue() {
    const std::scoped_lock lock(turn_of_queues(), all().mutex);
    std::erase(all().queues, this);
}

void WorkQueue::push(Step step) {
    const std::scoped_lock lock(mutex_);
    steps_.push_back(std::move(step));
}

void WorkQueue::add(std::function<void()> work) {
    push({std::move(work)});
}

void WorkQueue::record(Event& event) {
    auto mark = std::make_shared<Event::Mark>(this);
    event.last = mark;
    push({[mark] { mark->reached = true; }});
}

void WorkQueue::follow(const Event& event) {
    if (event.last != nullptr) push({{}, event.last});
}

bool WorkQueue::empty() const {
    const std::scoped_lock lock(mutex_);
    return steps_.empty();
}

bool WorkQueue::held_back() const {
    const std::scoped_lock lock(mutex_);
    const auto& awaited = steps_.front().awaited;
    return awaited != nullptr && !awaited->reached;
}

void WorkQueue::run_first() {
    Step step;
    {
        const std::scoped_lock lock(mutex_);
        step = std::move(steps_.front());
        steps_.pop_front();
    }
    // An empty queue has failed, which was said then.
    while (step.awaited != nullptr && !step.awaited->reached && !step.awaited->queue->empty())
        step.awaited->queue->run_first();
    if (step.work) step.work();
}

void WorkQueue::fail(std::exception_ptr reason) {
    failed_ = std::move(reason);
    const std::scoped_lock lock(mutex_);
    steps_.clear();
}

// As far as nothing holds them back. Of this device alone: the memory of others is not open meanwhile.
void WorkQueue::run_others() {
    std::vector<WorkQueue*> queues;
    {
        const std::scoped_lock lock(all().mutex);
        queues = all().queues;
    }
    std::erase_if(queues, [&](const WorkQueue* queue) { return queue == this || queue->device_ != device_; });
    for (bool moved = true; moved;) {
        moved = false;
        for (WorkQueue* queue : queues) {
            try {
                for (; !queue->empty() && !queue->held_back(); moved = true) queue->run_first();
            } catch (...) {
                queue->fail(std::current_exception());
            }
        }
    }
}

void WorkQueue::run() {
    try {
        do {
            if (lag_of_others == Lag::Early) run_others();
            if (failed_ != nullptr) std::rethrow_exception(std::exchange(failed_, nullptr));
            if (!empty()) run_first();
        } while (!empty());
    } catch (...) {
        fail(nullptr);
        throw;
    }
}

}  // namespace attune::simt
