// The order of a device's work. It goes to the stream at once, but in a step that is likely to repeat it is
// held back as long as it is what the step before did, byte for byte: then the whole step runs as one graph,
// which costs the host one launch. Where it differs, what was held back is launched and the rest goes on at
// once. The same work runs in the same order either way. One thread at a time; knows no kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda/runtime.h"

namespace attune::gpu {

// The same bytes on both sides.
struct StagedPlace {
    std::byte* pinned = nullptr;
    std::byte* device = nullptr;
};

// Where the memory of steps comes from.
class PlaceSource {
  public:
    // Null pointers and a status where there is no memory.
    virtual Status take_both(StagedPlace& place, int64_t bytes) = 0;
    virtual void give_back_both(const StagedPlace& place) = 0;

  protected:
    ~PlaceSource() = default;
};

struct StepCounts {
    int64_t replayed = 0;  // as a graph that was there
    int64_t recorded = 0;  // as a graph that was made, or changed, for it
    int64_t ordinary = 0;  // some work differed, or no graph could be made
    std::string failure;   // why the last one could not be made
};

class Queue {
  public:
    // queue stays null where there is none: last_failure() says why.
    static Status open(Queue*& queue, PlaceSource& source);
    ~Queue();
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    // work.run(RawQueue*), now or at the end of the step. `Work` is bytes: it is compared, copied and run as
    // such.
    template <class Work>
    Status add(const Work& work) {
        static_assert(std::is_trivially_copyable_v<Work>);
        if (mode_ == Mode::Ordinary) return work.run(raw_);
        Work bytes = work;
        __builtin_clear_padding(&bytes);
        return enter(
            [](const void* stored, RawQueue* raw) {
                alignas(Work) std::byte again[sizeof(Work)];
                std::memcpy(again, stored, sizeof(Work));
                return std::launder(reinterpret_cast<const Work*>(again))->run(raw);
            },
            &bytes, sizeof(Work));
    }
    // For work that add() cannot compare: what was held back goes first, and the step ends here.
    RawQueue* direct();
    // Until everything is done. Ends a step.
    Status wait();

    // ---- steps. From here to the next wait() work is likely to be that of the last step with this key.
    Status begin_step(uint64_t key);
    // Memory for an array of the step, at the same place in every step that asks for the same sizes; null
    // where there is no step or no room. What lies in `pinned` is on the device when work behind staged()
    // runs.
    StagedPlace place(int64_t bytes);
    Status staged(const StagedPlace& place, int64_t bytes);
    // The place of the last array in `slot` of this step, where it has these contents.
    const std::byte* find_again(int slot, const void* host, int64_t bytes) const;
    void remember(int slot, const StagedPlace& place, int64_t bytes);

    // Gives back the steps' memory, with the graphs that name places in it; after wait(). The next step takes
    // it anew, also where it was refused before.
    void drop_memory();

    const StepCounts& counts() const { return counts_; }

  private:
    enum class Mode {
        Ordinary,  // no step
        Noting,    // work goes on at once and is written down, for the next step to be compared with
        Holding    // the same work as before, so far
    };
    using Run = Status (*)(const void* work, RawQueue* raw);
    struct Entry {
        Run run;
        size_t bytes;  // of the work behind it
    };
    struct Recording {
        uint64_t key = 0;
        int64_t last_used = 0;
        std::vector<std::byte> work;  // entries; none: nothing is known
        int64_t staged = 0;           // bytes of the step's memory
        RawGraph* graph = nullptr;
        bool current = false;  // the graph does this work
        bool refused = false;  // no graph could be made
    };
    struct Slot {
        StagedPlace place;
        int64_t bytes = -1;
    };
    static constexpr int kRecordings = 8;
    static constexpr int kSlots = 8;
    static constexpr int64_t kAny = int64_t{1} << 62;

    explicit Queue(PlaceSource& source) : source_(source) {}
    Status enter(Run run, const void* work, size_t bytes);
    bool as_before(size_t from) const;
    // What was held back is launched; work goes on at once.
    Status let_go();
    void leave_step();
    Status run_all();
    Status end_step();
    Status run_graph();
    Status make_graph();
    Recording& recording_of(uint64_t key);
    bool has_memory();
    void forget();

    PlaceSource& source_;
    RawQueue* raw_ = nullptr;
    Mode mode_ = Mode::Ordinary;
    std::vector<std::byte> work_;  // of this step
    Recording recordings_[kRecordings];
    Recording* recording_ = nullptr;  // that this step is compared with
    int64_t steps_ = 0;
    Slot slots_[kSlots];

    StagedPlace memory_;  // of steps
    int64_t size_ = 0, used_ = 0, wanted_ = 0;
    int64_t most_ = kAny;       // less than what was refused
    bool busy_ = false;         // work may still read it
    Status late_ = Status::Ok;  // of work that nobody could be told about
    StepCounts counts_;
};

// In the queue's order. Host memory must be pinned and stay as it is until the queue has come to it.
Status copy_in(void* device, const void* pinned, int64_t bytes, Queue* queue);
Status copy_out(void* pinned, const void* device, int64_t bytes, Queue* queue);
Status copy_within(void* target, const void* source, int64_t bytes, Queue* queue);
Status clear(void* device, int64_t bytes, Queue* queue);  // zeros
inline Status wait(Queue* queue) {
    return queue->wait();
}

}  // namespace attune::gpu
