// A step is a list of entries, each a function and the bytes that it runs on. A graph is made when a list
// came twice: by then all its kernels are loaded, and a step that changes every time costs no more than
// ordinary work.
#include "cuda/queue.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "cuda/fault.h"

namespace attune::gpu {

namespace {

constexpr int64_t kLeastPlace = 512;
constexpr int64_t kStepBytes = int64_t{4} << 20;
constexpr size_t kAlign = 16;

size_t aligned(size_t bytes) {
    return (bytes + kAlign - 1) / kAlign * kAlign;
}

// Arrays that grow from step to step keep their place for a while.
int64_t place_bytes(int64_t bytes) {
    return std::max(kLeastPlace, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes))));
}

}  // namespace

Status Queue::open(Queue*& queue, PlaceSource& source) {
    std::unique_ptr<Queue> made(new Queue(source));
    const Status status = make_queue(&made->raw_);
    if (status == Status::Ok) queue = made.release();
    return status;
}

Queue::~Queue() {
    if (raw_ != nullptr) wait();
    forget();
    if (raw_ != nullptr) end_queue(raw_);
}

Status Queue::wait() {
    Status status = std::exchange(late_, Status::Ok);
    const Status ended = end_step(), waited = gpu::wait(raw_);
    busy_ = false;
    for (const Status next : {ended, waited})
        if (status == Status::Ok) status = next;
    return status;
}

// ---- steps

Status Queue::begin_step(uint64_t key) {
    Status status = end_step();  // of one that was cancelled
    if (status == Status::Ok && busy_) status = wait();
    if (status != Status::Ok) return status;
    if (!has_memory()) {
        ++counts_.ordinary;
        return Status::Ok;
    }
    Recording& recording = recording_of(key);
    if (recording.refused) {
        ++counts_.ordinary;
        return Status::Ok;
    }
    recording_ = &recording;
    work_.clear();
    used_ = 0;
    for (Slot& slot : slots_) slot = {};
    mode_ = recording.work.empty() ? Mode::Noting : Mode::Holding;
    return Status::Ok;
}

Queue::Recording& Queue::recording_of(uint64_t key) {
    Recording* oldest = &recordings_[0];
    Recording* found = nullptr;
    for (Recording& recording : recordings_) {
        if (recording.last_used > 0 && recording.key == key) found = &recording;
        if (recording.last_used < oldest->last_used) oldest = &recording;
    }
    if (found == nullptr) {
        found = oldest;
        release_graph(found->graph);
        *found = {};
        found->key = key;
    }
    found->last_used = ++steps_;
    return *found;
}

// What is refused is not asked for again at every step, which would empty the arena each time: until
// drop_memory() steps make do with less, or are ordinary.
bool Queue::has_memory() {
    while (most_ > 0) {
        const int64_t size = std::min(std::max(wanted_, kStepBytes), most_);
        if (size <= size_) return true;
        forget();
        if (source_.take_both(memory_, size) == Status::Ok) {
            size_ = size;
            return true;
        }
        if (last_failure().status == Status::Memory) take_failure();  // nobody needs to know
        most_ = size > kStepBytes ? kStepBytes : 0;
    }
    return false;
}

// Graphs name places in the memory that goes.
void Queue::forget() {
    for (Recording& recording : recordings_) {
        release_graph(recording.graph);
        recording = {};
    }
    source_.give_back_both(std::exchange(memory_, {}));
    size_ = 0;
}

void Queue::drop_memory() {
    forget();
    most_ = kAny;
}

StagedPlace Queue::place(int64_t bytes) {
    if (mode_ == Mode::Ordinary) return {};
    const int64_t size = place_bytes(bytes);
    if (used_ + size > size_) {
        // The rest of the step is ordinary, the next one has more room.
        wanted_ = std::max(wanted_, 2 * (used_ + size));
        leave_step();
        return {};
    }
    const StagedPlace place{memory_.pinned + used_, memory_.device + used_};
    used_ += size;
    return place;
}

Status Queue::staged(const StagedPlace& place, int64_t bytes) {
    if (mode_ == Mode::Holding) return Status::Ok;  // with all others at the step's end
    busy_ = true;
    return copy_in(place.device, place.pinned, bytes, raw_);
}

const std::byte* Queue::find_again(int slot, const void* host, int64_t bytes) const {
    const Slot& last = slots_[slot];
    const bool same = mode_ != Mode::Ordinary && last.bytes == bytes &&
                      std::memcmp(last.place.pinned, host, static_cast<size_t>(bytes)) == 0;
    return same ? last.place.device : nullptr;
}

void Queue::remember(int slot, const StagedPlace& place, int64_t bytes) {
    slots_[slot] = {place, bytes};
}

bool Queue::as_before(size_t from) const {
    const std::vector<std::byte>& before = recording_->work;
    return work_.size() <= before.size() &&
           std::memcmp(work_.data() + from, before.data() + from, work_.size() - from) == 0;
}

Status Queue::enter(Run run, const void* work, size_t bytes) {
    const size_t at = work_.size();
    const Entry entry{run, bytes};
    work_.resize(at + aligned(sizeof(Entry)) + aligned(bytes));
    std::memcpy(work_.data() + at, &entry, sizeof(Entry));
    std::memcpy(work_.data() + at + aligned(sizeof(Entry)), work, bytes);
    if (mode_ == Mode::Noting) {
        busy_ = true;
        return run(work, raw_);
    }
    return as_before(at) ? Status::Ok : let_go();
}

Status Queue::let_go() {
    mode_ = Mode::Noting;
    return run_all();
}

void Queue::leave_step() {
    if (mode_ == Mode::Holding) {
        const Status status = let_go();
        if (late_ == Status::Ok) late_ = status;
    }
    mode_ = Mode::Ordinary;
    ++counts_.ordinary;
}

RawQueue* Queue::direct() {
    if (mode_ != Mode::Ordinary) leave_step();
    return raw_;
}

Status Queue::run_all() {
    busy_ = true;
    Status status = used_ > 0 ? copy_in(memory_.device, memory_.pinned, used_, raw_) : Status::Ok;
    for (size_t at = 0; at < work_.size() && status == Status::Ok;) {
        Entry entry;
        std::memcpy(&entry, work_.data() + at, sizeof(Entry));
        at += aligned(sizeof(Entry));
        status = entry.run(work_.data() + at, raw_);
        at += aligned(entry.bytes);
    }
    return status;
}

Status Queue::end_step() {
    if (mode_ == Mode::Ordinary) return Status::Ok;
    Status status = Status::Ok;
    if (mode_ == Mode::Holding) {
        const bool same = work_.size() == recording_->work.size() && used_ == recording_->staged;
        status = same ? run_graph() : let_go();
    }
    if (mode_ == Mode::Noting) {
        std::swap(recording_->work, work_);
        recording_->staged = used_;
        recording_->current = false;
        ++counts_.ordinary;
    }
    mode_ = Mode::Ordinary;
    return status;
}

Status Queue::run_graph() {
    Recording& recording = *recording_;
    const bool there = recording.current;
    Status status = there ? Status::Ok : make_graph();
    if (status == Status::Ok) status = launch_graph(recording.graph, raw_);
    if (status == Status::Ok) {
        recording.current = busy_ = true;
        ++(there ? counts_.replayed : counts_.recorded);
        return status;
    }
    counts_.failure = take_failure().text;
    release_graph(std::exchange(recording.graph, nullptr));
    recording.refused = true;
    ++counts_.ordinary;
    return run_all();
}

Status Queue::make_graph() {
    const Status begun = begin_capture(raw_);
    if (begun != Status::Ok) return begun;
    const Status status = run_all();
    const Status ended = end_capture(&recording_->graph, raw_);
    return status == Status::Ok ? ended : status;
}

// ---- copies

namespace {

struct Copy {
    Status (*copy)(void*, const void*, int64_t, RawQueue*);
    void* target;
    const void* source;
    int64_t bytes;

    Status run(RawQueue* raw) const { return copy(target, source, bytes, raw); }
};

struct Clearing {
    void* device;
    int64_t bytes;

    Status run(RawQueue* raw) const { return clear(device, bytes, raw); }
};

}  // namespace

Status copy_in(void* device, const void* pinned, int64_t bytes, Queue* queue) {
    return queue->add(Copy{copy_in, device, pinned, bytes});
}

Status copy_out(void* pinned, const void* device, int64_t bytes, Queue* queue) {
    return queue->add(Copy{copy_out, pinned, device, bytes});
}

Status copy_within(void* target, const void* source, int64_t bytes, Queue* queue) {
    return queue->add(Copy{copy_within, target, source, bytes});
}

Status clear(void* device, int64_t bytes, Queue* queue) {
    return queue->add(Clearing{device, bytes});
}

}  // namespace attune::gpu
