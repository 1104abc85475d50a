// Runs a kernel's grid on the CPU: every CUDA thread is a fiber, blocks run one after another. Finds
// divergent barriers; cannot find races, which an order of fibers hides (three are offered). Knows no
// kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace attune::simt {

struct Extent {
    unsigned x = 1, y = 1, z = 1;
};

// In which order the threads of a block come to run between two barriers.
enum class Order { Forward, Backward, Shuffled };
void set_order(Order order);

// Runs body() once for every thread of the grid. Dynamic shared memory is NaN when a block begins. Throws
// std::runtime_error where threads of a block wait at different places, or some wait and others have ended.
void run_grid(Extent grid, Extent block, size_t shared_bytes, const std::function<void()>& body);

// ---- from inside of body()

// The thread that runs, its block and the grid.
struct Place {
    Extent thread, block, block_size, grid_size;
    unsigned warp_thread;  // lane
};
const Place& place();
std::byte* shared_memory();
// Every thread of the block.
void wait_for_block();
// Every thread of the warp.
void wait_for_warp();
// Every one of the 128 threads that make products of Hopper together.
void wait_for_group();
// Until something that any thread may wait for has changed: note_change() says so.
void wait_for_change();
void note_change();
// `event` happens when no thread can go on without one (the oldest first, or a shuffled one), or at once when
// threads run backward. What it captures by reference must last as long as the block.
void happen_later(std::function<void()> event);
// Work of the thread, in groups, done when it waits for all but the last `later` of them.
void defer(std::function<void()> work);
void commit_deferred();
void wait_for_deferred(int later);
// Copies of the thread into shared memory (from null: zeros), in groups; all but the last `later` groups have
// arrived after a wait. They arrive then, or at once when threads run backward: whoever reads too early, or
// writes what is still read, gets other bits in one of the orders.
void copy_later(void* shared, const void* from, size_t bytes);
void commit_copies();
void wait_for_copies(int later);
// `bytes` (at most 64) of each lane, in the order of lanes, valid until the lane's next exchange; every lane
// of the warp takes part.
const std::byte* exchange(const void* value, size_t bytes);

constexpr unsigned kWarp = 32, kGroup = 128;
constexpr size_t kExchangeBytes = 64;

}  // namespace attune::simt
