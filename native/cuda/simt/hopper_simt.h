// hopper.h's words for fibers. Boxes arrive when no thread can go on without one, or at once when threads run
// backward; products are made when they are waited for: whoever is early, or overwrites what is still read,
// gets other bits. For checks on the CPU alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/runtime.h"
#include "cuda/simt/grid.h"

namespace attune::gpu {

inline constexpr bool kHopper = true;
inline void stop_here() {}

// Of 64 bits, as the hardware's.
struct TransferBarrier {
    int32_t bytes;      // announced and not yet there
    uint16_t arrivals;  // of a phase
    uint16_t missing : 15;
    uint16_t phase : 1;
};
static_assert(sizeof(TransferBarrier) == 8);

void start_barrier(TransferBarrier& barrier, unsigned arrivals);
inline void show_barriers() {}
void arrive(TransferBarrier& barrier);
void arrive_expecting(TransferBarrier& barrier, unsigned bytes);
void wait_for(TransferBarrier& barrier, unsigned parity);
void fetch_box(void* shared, const TensorMap& map, int64_t column, int64_t row, TransferBarrier& barrier);

uint64_t slab_descriptor(const std::byte* slabs, int group_bytes);

template <int kRegisters>
void take_registers() {}
template <int kRegisters>
void give_registers() {}

inline void wait_for_group() {
    simt::wait_for_group();
}
inline void show_writes() {}
template <class Registers>
void rest_until_here(Registers&) {}

// A product that a thread has asked for: rows of 8 columns of c follow each other. held: the thread's words
// of a, which are read when the product is made; null: a is in shared memory.
struct AskedProduct {
    float (*c)[4];
    int columns;
    const uint32_t* held;
    uint64_t a, b;
    bool add, turned_a, turned_b;
};
void ask_for_product(const AskedProduct& product);
inline void begin_products() {}
void commit_products();
void wait_for_products(int later);
template <int kLater>
void wait_for_products() {
    wait_for_products(kLater);
}

template <int kColumns>
struct Wgmma {
    template <bool kTurnedA, bool kTurnedB>
    static void run(float (&c)[kColumns / 8][4], uint64_t a, uint64_t b, int add) {
        ask_for_product({c, kColumns, nullptr, a, b, add != 0, kTurnedA, kTurnedB});
    }
};

template <int kColumns>
struct WgmmaHeld {
    template <bool kTurnedB>
    static void run(float (&c)[kColumns / 8][4], const uint32_t (&a)[4], uint64_t b, int add) {
        ask_for_product({c, kColumns, a, 0, b, add != 0, false, kTurnedB});
    }
};

}  // namespace attune::gpu
