// The arena over many blocks of random sizes: none overlaps another, what is free is joined, and the slabs
// stay few.
#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "cuda/arena.h"
#include "tool/check.h"
#include "tool/device_tables.h"

namespace attune::tool {

namespace {

constexpr int64_t kMost = int64_t{256} << 20;  // held at a time

struct Held {
    std::map<std::byte*, int64_t> blocks;
    int64_t bytes = 0;
    int64_t overlaps = 0;
    int64_t misaligned = 0;

    void add(const MemoryBlock& block) {
        auto* const at = static_cast<std::byte*>(block.data);
        const auto next = blocks.lower_bound(at);
        if (next != blocks.end() && next->first < at + block.bytes) ++overlaps;
        if (next != blocks.begin() && std::prev(next)->first + std::prev(next)->second > at) ++overlaps;
        if (reinterpret_cast<uintptr_t>(at) % 256 != 0) ++misaligned;
        blocks.emplace(at, block.bytes);
        bytes += block.bytes;
    }
    std::byte* drop(int64_t index) {
        const auto found = std::next(blocks.begin(), index);
        std::byte* const at = found->first;
        bytes -= found->second;
        blocks.erase(found);
        return at;
    }
};

// From bytes to 32 MiB, small ones as often as large ones.
int64_t random_size(Random& random) {
    return static_cast<int64_t>(std::exp2(25 * random.uniform()));
}

Status take(gpu::Arena& arena, MemoryBlock& block, int64_t bytes) {
    if (arena.take(block, bytes)) return Status::Ok;
    const Status status = arena.grow(bytes);
    if (status != Status::Ok) return status;
    return arena.take(block, bytes) ? Status::Ok : Status::Backend;
}

// Reserves no more than `most` for kMost.
void check_random(Checks& checks, gpu::Arena& arena, Held& held, int64_t most) {
    Random random(1);
    int64_t peak = 0, wrong = 0;
    for (int i = 0; i < 50000; ++i) {
        const int64_t size = random_size(random);
        const bool full = held.bytes + size > kMost;
        if (!held.blocks.empty() && (full || random.uniform() < 0.45)) {
            arena.give_back(held.drop(random.below(static_cast<int64_t>(held.blocks.size()))));
        } else {
            MemoryBlock block;
            if (take(arena, block, size) != Status::Ok || block.bytes < size) ++wrong;
            held.add(block);
        }
        peak = std::max(peak, held.bytes);
        if (arena.free_bytes() != arena.reserved_bytes() - held.bytes) ++wrong;
    }
    checks.expect("blocks are as large as asked for, and counted", wrong == 0, std::to_string(wrong));
    checks.expect("blocks do not overlap", held.overlaps == 0 && held.misaligned == 0);
    checks.expect("holes stay small", arena.reserved_bytes() <= most,
                  std::to_string(arena.reserved_bytes() >> 20) + " MiB for " + std::to_string(peak >> 20));
}

// Slabs as they come, or one that was reserved before.
void check_slabs(Checks& checks, bool reserved_before) {
    gpu::Arena arena;
    Held held;
    const int64_t one = 2 * kMost;
    if (reserved_before) checks.expect_ok("one slab for all", arena.grow(one));
    check_random(checks, arena, held, one);
    const int64_t reserved = arena.reserved_bytes();
    while (!held.blocks.empty()) arena.give_back(held.drop(0));
    checks.expect("all that is given back is free", arena.free_bytes() == reserved && reserved > 0);
    MemoryBlock block;
    checks.expect("and joined: a whole slab can be taken",
                  arena.take(block, int64_t{64} << 20) && arena.reserved_bytes() == reserved);
    arena.release_free_slabs();
    checks.expect("slabs in use stay", arena.reserved_bytes() >= int64_t{64} << 20);
    arena.give_back(block.data);
    arena.release_free_slabs();
    checks.expect("the others go back", arena.reserved_bytes() == 0 && arena.free_bytes() == 0);
}

void check_arena(Checks& checks) {
    device_table();  // a device is there
    for (const bool reserved_before : {false, true}) check_slabs(checks, reserved_before);
}

const Register arena("device_arena", Runs::PerDevice, check_arena);

}  // namespace

}  // namespace attune::tool

#endif
