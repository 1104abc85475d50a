// The bf16 GEMM of Hopper (sm_90a): one group of 128 threads brings tiles by TMA, the others multiply them
// with wgmma. Blocks stay and take tile after tile, so that the next tile's operands arrive while results are
// stored. Each output adds over l in ascending order, 16 at a time, whatever the tile. Knows no op.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/device.h"
#include "cuda/gemm_operands.h"
#include "cuda/gemm_tile.h"
#include "cuda/gpu.h"
#include "cuda/hopper.h"
#include "cuda/matrix.h"

namespace attune::gpu {

constexpr int kGroupThreads = 128;

// A tile of 64 kGroups x kCols of C, 64 rows to a group of multiplying threads. Per step of 64 depths the
// widest reads 48 KiB into shared memory for 2 * 128 * 256 * 64 operations: 85 per byte.
template <int kGroups_, int kCols_, int kStages_>
struct HopperTile {
    static constexpr int kGroups = kGroups_, kRows = 64 * kGroups, kCols = kCols_, kDepth = kSlabColumns;
    static constexpr int kStages = kStages_, kThreadCount = (kGroups + 1) * kGroupThreads;
    static constexpr int kBytesA = kRows * kSlabRowBytes, kBytesB = kCols * kSlabRowBytes;
    static constexpr int kStageBytes = kBytesA + kBytesB;
    // Stages begin at multiples of 1024 bytes; barriers lie behind them.
    static constexpr size_t kShared = 1024 + size_t{kStages} * (kStageBytes + 2 * sizeof(TransferBarrier));
    static_assert(kStageBytes % 1024 == 0 && kShared <= size_t{227} << 10);
};
using WideHopperTile = HopperTile<2, 256, 4>;
using MiddleHopperTile = HopperTile<2, 128, 6>;
using FlatHopperTile = HopperTile<1, 32, 12>;  // for decoding: few rows, many tiles, much on the way

// Shared memory of a block, and where both sides are in it.
template <class Tile>
struct HopperStages {
    std::byte* stages;
    TransferBarrier* full;   // has arrived
    TransferBarrier* empty;  // has been multiplied

    __device__ HopperStages() {
        auto* memory = shared_memory<std::byte>();
        stages = memory + (1024 - shared_address(memory) % 1024) % 1024;
        full = reinterpret_cast<TransferBarrier*>(stages + Tile::kStages * Tile::kStageBytes);
        empty = full + Tile::kStages;
    }
    __device__ void start() const {
        if (threadIdx.x == 0) {
            for (int stage = 0; stage < Tile::kStages; ++stage) {
                start_barrier(full[stage], 1);
                start_barrier(empty[stage], Tile::kGroups * kGroupThreads / kWarp);
            }
            show_barriers();
        }
        __syncthreads();
    }
    __device__ std::byte* at(int stage) const { return stages + stage * Tile::kStageBytes; }
};

// Counts stages round and round; `parity` of the phase that a stage is in.
template <int kStages>
struct StageCounter {
    int stage = 0;
    unsigned parity = 0;

    __device__ void next() {
        if (++stage < kStages) return;
        stage = 0;
        parity ^= 1;
    }
};

// Boxes of one operand's tile: one where its rows are outer indices, or one per slab.
template <class Operand, int kOuter>
__device__ inline void fetch_tile(std::byte* to, const TensorMap& map, int64_t i, int64_t l,
                                  TransferBarrier& barrier) {
    if constexpr (Operand::kAlongDepth) {
        fetch_box(to, map, l, i, barrier);
    } else {
        for (int outer = 0; outer < kOuter; outer += kSlabColumns)
            fetch_box(to + outer * kSlabRowBytes, map, i + outer, l, barrier);
    }
}

// What a kernel works through: tiles of C, steps of the depth.
struct HopperWork {
    TileOrder order;
    int64_t tiles, steps;
};

template <class Tile, class A, class B>
__device__ inline void bring_tiles(const HopperStages<Tile>& shared, const TensorMap& a, const TensorMap& b,
                                   const HopperWork& work) {
    StageCounter<Tile::kStages> counter;
    for (int64_t tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
        int64_t row, column;
        work.order.place(tile, row, column);
        for (int64_t step = 0; step < work.steps; ++step, counter.next()) {
            TransferBarrier& full = shared.full[counter.stage];
            wait_for(shared.empty[counter.stage], counter.parity ^ 1);  // at once in the first round
            arrive_expecting(full, Tile::kStageBytes);
            std::byte* to = shared.at(counter.stage);
            fetch_tile<A, Tile::kRows>(to, a, row * Tile::kRows, step * Tile::kDepth, full);
            fetch_tile<B, Tile::kCols>(to + Tile::kBytesA, b, column * Tile::kCols, step * Tile::kDepth,
                                       full);
        }
    }
}

// sum (add 0: =) += the products of a stage by one group.
template <class Tile, class A, class B>
__device__ inline void ask_for_stage(float (&sum)[Tile::kCols / 8][4], const std::byte* stage, int group,
                                     bool add) {
    // From 16 depths to the next, in units of 16 bytes.
    constexpr uint64_t kStepA = A::kAlongDepth ? 2 : 128, kStepB = B::kAlongDepth ? 2 : 128;
    constexpr int kSlabBytes = kSlabColumns * kSlabRowBytes;
    uint64_t a = slab_descriptor(stage + group * kSlabBytes, kSlabBytes);
    uint64_t b = slab_descriptor(stage + Tile::kBytesA, kSlabBytes);
    begin_products();
#pragma unroll
    for (int l = 0; l < Tile::kDepth; l += 16, a += kStepA, b += kStepB)
        Wgmma<Tile::kCols>::template run<!A::kAlongDepth, !B::kAlongDepth>(sum, a, b, add || l > 0 ? 1 : 0);
    commit_products();
}

template <class Tile, class A, class B, class Store>
__device__ inline void multiply_tiles(const HopperStages<Tile>& shared, const HopperWork& work,
                                      const Store& store, int group) {
    const int warp = static_cast<int>(threadIdx.x) % kGroupThreads / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    StageCounter<Tile::kStages> counter;
    float sum[Tile::kCols / 8][4];
    for (int64_t tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
        int previous = -1;
        for (int64_t step = 0; step < work.steps; ++step, counter.next()) {
            wait_for(shared.full[counter.stage], counter.parity);
            ask_for_stage<Tile, A, B>(sum, shared.at(counter.stage), group, step > 0);
            wait_for_products<1>();
            if (previous >= 0 && lane == 0) arrive(shared.empty[previous]);
            previous = counter.stage;
        }
        wait_for_products<0>();
        rest_until_here(sum);
        if (lane == 0) arrive(shared.empty[previous]);
        int64_t row, column;
        work.order.place(tile, row, column);
        const int64_t i = row * Tile::kRows + group * 64 + warp * 16 + lane / 4;
        const int64_t j = column * Tile::kCols + lane % 4 * 2;
#pragma unroll
        for (int x = 0; x < Tile::kCols / 8; ++x) {
            store(i, j + 8 * x, sum[x][0], sum[x][1]);
            store(i + 8, j + 8 * x, sum[x][2], sum[x][3]);
        }
    }
}

// Registers of a thread, of 504 that three groups share, or what the compiler chose for two.
template <class Tile, class A, class B, class Store>
__global__ void __launch_bounds__(Tile::kThreadCount, 1)
    gemm_hopper_kernel(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,
                       HopperWork work, Store store) {
    if constexpr (kHopper) {
        const HopperStages<Tile> shared;
        shared.start();
        const int group = static_cast<int>(threadIdx.x) / kGroupThreads - 1;
        if (group < 0) {
            if constexpr (Tile::kGroups == 2) give_registers<40>();
            if (threadIdx.x == 0) bring_tiles<Tile, A, B>(shared, a, b, work);
        } else {
            if constexpr (Tile::kGroups == 2) take_registers<232>();
            multiply_tiles<Tile, A, B>(shared, work, store, group);
        }
    } else {
        stop_here();
    }
}

// ---- launching

inline bool fits_tensor_map(const ConstMat& m) {
    constexpr int64_t kMost = int64_t{1} << 31;  // coordinates are of 32 bits
    return reinterpret_cast<uintptr_t>(m.data) % 16 == 0 && m.stride % kChunkNumbers == 0 && m.rows < kMost &&
           m.cols < kMost && m.rows > 0 && m.cols > 0;
}

template <class Tile, class A, class B, class Store>
Status launch_hopper(const char* name, const A& a, const B& b, const Store& store, Device& device) {
    TensorMap maps[2];
    Status status = make_tensor_map(maps[0], matrix_of(a), A::kAlongDepth ? Tile::kRows : kSlabColumns);
    if (status == Status::Ok)
        status = make_tensor_map(maps[1], matrix_of(b), B::kAlongDepth ? Tile::kCols : kSlabColumns);
    if (status != Status::Ok) return status;
    const TileOrder order = tile_order<Tile>(a, b);
    const HopperWork work{order, order.rows * order.columns, (a.depth + Tile::kDepth - 1) / Tile::kDepth};
    const auto blocks = std::min<int64_t>(work.tiles, device.properties().multiprocessors);
    return launch(name, gemm_hopper_kernel<Tile, A, B, Store>, {static_cast<unsigned>(blocks)},
                  Tile::kThreadCount, Tile::kShared, device.queue(), maps[0], maps[1], work, store);
}

// The widest tile that gives every multiprocessor work. Their bits are the same.
template <class A, class B, class Store>
Status gemm_hopper(const char* name, const A& a, const B& b, const Store& store, Device& device) {
    if constexpr (A::kAlongDepth && B::kAlongDepth)
        if (a.outer <= FlatHopperTile::kRows)
            return launch_hopper<FlatHopperTile, A, B>(name, a, b, store, device);
    const TileOrder order = tile_order<WideHopperTile>(a, b);
    if (order.rows * order.columns >= device.properties().multiprocessors)
        return launch_hopper<WideHopperTile, A, B>(name, a, b, store, device);
    return launch_hopper<MiddleHopperTile, A, B>(name, a, b, store, device);
}

}  // namespace attune::gpu
