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
#include <vector>

#include "cuda/simt/fiber.h"

namespace attune::simt {

namespace {

constexpr size_t kStack = 64 << 10;
constexpr unsigned kMostThreads = 1024;
constexpr size_t kMostShared = 228 << 10;  // of a block, H100 and H200

enum class Wait { None, Block, Warp };

struct LateCopy {
    void* shared;
    const void* from;
    size_t bytes;
};

struct Thread {
    Fiber fiber;
    Place place;
    Wait wait = Wait::None;
    int turn = 0;                                  // which of the warp's two exchange buffers is next
    std::vector<LateCopy> open;                    // not yet committed
    std::deque<std::vector<LateCopy>> on_the_way;  // groups, the oldest first
};

// What one warp exchanges: two buffers take turns, so that a lane that is ahead writes none that is read.
struct Warp {
    std::byte values[2][kWarp][kExchangeBytes];
};

struct Machine {
    std::byte* stacks;
    std::vector<Thread> threads{kMostThreads};
    std::vector<Warp> warps{kMostThreads / kWarp};
    std::vector<std::byte> shared = std::vector<std::byte>(kMostShared);
    std::vector<unsigned> sequence;
    Thread* current = nullptr;
    const std::function<void()>* body = nullptr;
    Order order = Order::Forward;
    uint64_t shuffle = 1;
    std::mutex mutex;

    Machine() {
        void* memory = mmap(nullptr, kStack * kMostThreads, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("simt: no memory for the threads' stacks");
        stacks = static_cast<std::byte*>(memory);
    }
};

Machine& machine() {
    static Machine all;
    return all;
}

unsigned count_of(Extent extent) {
    return extent.x * extent.y * extent.z;
}

void order_threads(Machine& m, unsigned count) {
    m.sequence.resize(count);
    std::iota(m.sequence.begin(), m.sequence.end(), 0u);
    if (m.order == Order::Backward) std::reverse(m.sequence.begin(), m.sequence.end());
    if (m.order != Order::Shuffled) return;
    for (unsigned i = count; i > 1; --i) {
        m.shuffle = m.shuffle * 6364136223846793005u + 1442695040888963407u;
        std::swap(m.sequence[i - 1], m.sequence[(m.shuffle >> 33) % i]);
    }
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
    thread.open.clear();
    thread.on_the_way.clear();
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
    for (unsigned first = 0; first < count; first += kWarp)
        release(first, std::min(first + kWarp, count), Wait::Warp);
    return released;
}

[[noreturn]] void report_divergence(const Machine& m, unsigned count) {
    unsigned ended = 0, block = 0, warp = 0;
    for (unsigned i = 0; i < count; ++i) {
        const Thread& thread = m.threads[i];
        ++(thread.fiber.done() ? ended : thread.wait == Wait::Block ? block : warp);
    }
    throw std::runtime_error("simt: the threads of a block diverge: " + std::to_string(ended) +
                             " have ended, " + std::to_string(block) + " wait for the block, " +
                             std::to_string(warp) + " for their warp");
}

void run_block(Machine& m, Extent grid, Extent block, Extent at, size_t shared_bytes) {
    const unsigned count = count_of(block);
    std::memset(m.shared.data(), 0xff, shared_bytes);
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
        if (!release_waiting(m, count) && !ran) report_divergence(m, count);
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
    return machine().shared.data();
}

void wait_for_block() {
    wait(Wait::Block);
}

void wait_for_warp() {
    wait(Wait::Warp);
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
    m.current->open.push_back({shared, from, bytes});
}

void commit_copies() {
    Thread& thread = *machine().current;
    thread.on_the_way.push_back(std::move(thread.open));
    thread.open.clear();
}

void wait_for_copies(int later) {
    auto& groups = machine().current->on_the_way;
    for (; groups.size() > static_cast<size_t>(later); groups.pop_front())
        for (const LateCopy& copy : groups.front()) arrive(copy);
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
