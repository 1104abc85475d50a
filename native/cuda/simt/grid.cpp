// A round lets every thread run to its next wait; then those whose group is complete go on.
#include "cuda/simt/grid.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cuda/simt/fiber.h"

namespace attune::simt {

namespace {

constexpr size_t kStack = 64 << 10;
constexpr unsigned kMostThreads = 1024;
constexpr size_t kMostShared = 227 << 10;  // of a block, H100 and H200
constexpr size_t kSharedUnit = 1024;       // its address on a GPU begins at 0

enum class Wait { None, Block, Group, Warp, Change };

struct LateCopy {
    void* shared;
    const void* from;
    size_t bytes;
};

// Work of a thread that is done when it waits for it: groups, the oldest first.
template <class Work>
struct Groups {
    std::vector<Work> open;  // not yet committed
    std::deque<std::vector<Work>> committed;

    void clear() {
        open.clear();
        committed.clear();
    }
    void commit() {
        committed.push_back(std::move(open));
        open.clear();
    }
    template <class Do>
    void finish_all_but(int later, const Do& work) {
        for (; committed.size() > static_cast<size_t>(later); committed.pop_front())
            for (const Work& one : committed.front()) work(one);
    }
};

struct Thread {
    Fiber fiber;
    Place place;
    Wait wait = Wait::None;
    int turn = 0;  // which of the warp's two exchange buffers is next
    Groups<LateCopy> copies;
    Groups<std::function<void()>> deferred;
};

// What one warp exchanges: two buffers take turns, so that a lane that is ahead writes none that is read.
struct Warp {
    std::byte values[2][kWarp][kExchangeBytes];
};

struct Machine {
    std::byte* stacks;
    std::vector<Thread> threads{kMostThreads};
    std::vector<Warp> warps{kMostThreads / kWarp};
    std::vector<std::byte> shared = std::vector<std::byte>(kMostShared + kSharedUnit);
    std::vector<unsigned> sequence;
    Thread* current = nullptr;
    const std::function<void()>* body = nullptr;
    Order order = Order::Forward;
    uint64_t shuffle = 1;
    bool changed = false;                      // since those that wait for a change last ran
    std::deque<std::function<void()>> events;  // still to happen
    std::mutex mutex;

    Machine() {
        void* memory = mmap(nullptr, kStack * kMostThreads, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("simt: no memory for the threads' stacks");
        stacks = static_cast<std::byte*>(memory);
    }
};

// Never destroyed: a process may end while a kernel runs on another thread.
Machine& machine() {
    static auto* all = new Machine;
    return *all;
}

unsigned count_of(Extent extent) {
    return extent.x * extent.y * extent.z;
}

unsigned next_shuffled(Machine& m, size_t below) {
    m.shuffle = m.shuffle * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>((m.shuffle >> 33) % below);
}

void order_threads(Machine& m, unsigned count) {
    m.sequence.resize(count);
    std::iota(m.sequence.begin(), m.sequence.end(), 0u);
    if (m.order == Order::Backward) std::reverse(m.sequence.begin(), m.sequence.end());
    if (m.order != Order::Shuffled) return;
    for (unsigned i = count; i > 1; --i) std::swap(m.sequence[i - 1], m.sequence[next_shuffled(m, i)]);
}

void start_thread(Machine& m, unsigned index, Extent grid, Extent block, Extent at) {
    Thread& thread = m.threads[index];
    thread.place = {{index % block.x, index / block.x % block.y, index / block.x / block.y},
                    at,
                    block,
                    grid,
                    index % kWarp};
    thread.wait = Wait::None;
    thread.turn = 0;
    thread.copies.clear();
    thread.deferred.clear();
    thread.fiber.start(
        m.stacks + index * kStack, kStack,
        [](void* function) { (*static_cast<const std::function<void()>*>(function))(); },
        const_cast<void*>(static_cast<const void*>(m.body)));
}

// Lets go what is complete; says whether anything was.
bool release_waiting(Machine& m, unsigned count) {
    bool released = false;
    const auto release = [&](unsigned first, unsigned last, Wait wait) {
        for (unsigned i = first; i < last; ++i)
            if (m.threads[i].fiber.done() || m.threads[i].wait != wait) return;
        for (unsigned i = first; i < last; ++i) m.threads[i].wait = Wait::None;
        released = true;
    };
    release(0, count, Wait::Block);
    for (unsigned first = 0; first < count; first += kGroup)
        release(first, std::min(first + kGroup, count), Wait::Group);
    for (unsigned first = 0; first < count; first += kWarp)
        release(first, std::min(first + kWarp, count), Wait::Warp);
    if (!std::exchange(m.changed, false)) return released;
    for (unsigned i = 0; i < count; ++i)
        if (m.threads[i].wait == Wait::Change) m.threads[i].wait = Wait::None;
    return true;
}

// Nobody can go on: one of the events that were put off happens. False: there is none.
bool happen(Machine& m) {
    if (m.events.empty()) return false;
    const size_t at = m.order == Order::Shuffled ? next_shuffled(m, m.events.size()) : 0;
    const std::function<void()> event = std::move(m.events[at]);
    m.events.erase(m.events.begin() + static_cast<std::ptrdiff_t>(at));
    event();
    return true;
}

[[noreturn]] void report_divergence(const Machine& m, unsigned count) {
    unsigned ended = 0, block = 0, group = 0, warp = 0, change = 0;
    for (unsigned i = 0; i < count; ++i) {
        const Thread& thread = m.threads[i];
        ++(thread.fiber.done()          ? ended
           : thread.wait == Wait::Block ? block
           : thread.wait == Wait::Group ? group
           : thread.wait == Wait::Warp  ? warp
                                        : change);
    }
    throw std::runtime_error("simt: the threads of a block diverge: " + std::to_string(ended) +
                             " have ended, " + std::to_string(block) + " wait for the block, " +
                             std::to_string(group) + " for their group, " + std::to_string(warp) +
                             " for their warp, " + std::to_string(change) + " for a barrier of their own");
}

void run_block(Machine& m, Extent grid, Extent block, Extent at, size_t shared_bytes) {
    const unsigned count = count_of(block);
    std::memset(shared_memory(), 0xff, shared_bytes);
    m.events.clear();
    m.changed = false;
    for (unsigned i = 0; i < count; ++i) start_thread(m, i, grid, block, at);
    for (;;) {
        order_threads(m, count);
        bool ran = false, all_done = true;
        for (const unsigned index : m.sequence) {
            Thread& thread = m.threads[index];
            if (thread.fiber.done() || thread.wait != Wait::None) continue;
            m.current = &thread;
            thread.fiber.resume();
            ran = true;
        }
        for (unsigned i = 0; i < count; ++i) all_done = all_done && m.threads[i].fiber.done();
        if (all_done) return;
        if (!release_waiting(m, count) && !ran && !happen(m)) report_divergence(m, count);
    }
}

void wait(Wait kind) {
    Thread* thread = machine().current;
    thread->wait = kind;
    thread->fiber.yield();
}

}  // namespace

void set_order(Order order) {
    machine().order = order;
}

void run_grid(Extent grid, Extent block, size_t shared_bytes, const std::function<void()>& body) {
    Machine& m = machine();
    const std::scoped_lock lock(m.mutex);
    if (count_of(block) == 0 || count_of(block) > kMostThreads || shared_bytes > kMostShared)
        throw std::runtime_error("simt: a block of " + std::to_string(count_of(block)) + " threads and " +
                                 std::to_string(shared_bytes) + " bytes cannot be launched");
    m.body = &body;
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x) run_block(m, grid, block, {x, y, z}, shared_bytes);
}

const Place& place() {
    return machine().current->place;
}

std::byte* shared_memory() {
    std::byte* memory = machine().shared.data();
    return memory + (kSharedUnit - reinterpret_cast<uintptr_t>(memory) % kSharedUnit) % kSharedUnit;
}

void wait_for_block() {
    wait(Wait::Block);
}

void wait_for_warp() {
    wait(Wait::Warp);
}

void wait_for_group() {
    wait(Wait::Group);
}

namespace {
void arrive(const LateCopy& copy) {
    if (copy.from == nullptr)
        std::memset(copy.shared, 0, copy.bytes);
    else
        std::memcpy(copy.shared, copy.from, copy.bytes);
}
}  // namespace

void copy_later(void* shared, const void* from, size_t bytes) {
    const Machine& m = machine();
    if (m.order == Order::Backward) return arrive({shared, from, bytes});
    m.current->copies.open.push_back({shared, from, bytes});
}

void commit_copies() {
    machine().current->copies.commit();
}

void wait_for_copies(int later) {
    machine().current->copies.finish_all_but(later, arrive);
}

void defer(std::function<void()> work) {
    machine().current->deferred.open.push_back(std::move(work));
}

void commit_deferred() {
    machine().current->deferred.commit();
}

void wait_for_deferred(int later) {
    machine().current->deferred.finish_all_but(later, [](const auto& work) { work(); });
}

void wait_for_change() {
    wait(Wait::Change);
}

void note_change() {
    machine().changed = true;
}

void happen_later(std::function<void()> event) {
    Machine& m = machine();
    if (m.order == Order::Backward) return event();
    m.events.push_back(std::move(event));
}

const std::byte* exchange(const void* value, size_t bytes) {
    Machine& m = machine();
    Thread& thread = *m.current;
    Warp& warp = m.warps[static_cast<size_t>(&thread - m.threads.data()) / kWarp];
    auto& buffer = warp.values[thread.turn];
    thread.turn ^= 1;
    std::memcpy(buffer[thread.place.warp_thread], value, bytes);
    wait(Wait::Warp);
    return buffer[0];
}

}  // namespace attune::simt
