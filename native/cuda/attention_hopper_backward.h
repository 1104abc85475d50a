// Flash attention, backward, of Hopper (sm_90a) in bf16: as attention_backward.h, with wgmma. Two groups of
// 128 threads take 64 keys each of a tile of 128; scores and dP are found turned, so that P and dS are left
// factors out of registers. dS goes through shared memory for dq alone, of which each group makes 64 columns:
// with wide heads half of them, so that each has turns of its own and none waits for what the other adds;
// with heads of one slab what its own keys give, one group after the other. While one kind of product is
// under way, the numbers of the next are found: dS during dv, the adding of dq during dk.
//
// D = 128, per tile of 128 keys x 64 queries: 10.5 MFLOP; 32 KiB of queries and upstream gradients from
// memory or L2, 32 KiB of dq added there; wgmma reads 256 KiB of shared memory (scores and dP 64 each, dv and
// dk 32 each, dq 64), 41 operations per byte.
#pragma once

#include <cstdint>

#include "cuda/attention_backward.h"
#include "cuda/attention_hopper_product.h"
#include "cuda/attention_steps.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"
#include "cuda/hopper.h"

namespace attune::gpu {

// Three stages: one is multiplied, one has arrived for whoever is ahead, one is on its way.
template <int kWidth_>
struct HopperBackwardShape {
    static constexpr int kWidth = kWidth_, kColumns = kWidth, kParts = 1;
    static constexpr int kGroups = 2, kThreads = 128 * kGroups;
    static constexpr int kKeys = 64 * kGroups, kQueries = 64, kStages = 3;
    // dq of a group: a slab of columns, over all keys where there is a slab for each group.
    static constexpr int kDqColumns = 64;
    static constexpr bool kOwnColumns = kWidth == kDqColumns * kGroups;
    static constexpr int kDqKeys = kOwnColumns ? kKeys : 64, kTurns = kOwnColumns ? kGroups : 1;
    static_assert(kOwnColumns || kWidth == kDqColumns);
};

template <class Shape>
struct HopperBackwardShared {
    alignas(1024) Tile<bf16_t, Shape::kKeys, Shape::kWidth> keys;
    alignas(1024) Tile<bf16_t, Shape::kKeys, Shape::kWidth> values;
    alignas(1024) Tile<bf16_t, Shape::kQueries, Shape::kWidth> queries[Shape::kStages];
    alignas(1024) Tile<bf16_t, Shape::kQueries, Shape::kWidth> upstream[Shape::kStages];
    // By turns, so that one step's can be written while the other group reads those before.
    alignas(1024) Tile<bf16_t, Shape::kKeys, Shape::kQueries> slopes[2];
    RowStats stats[Shape::kStages][Shape::kQueries];
    // Not in registers, of which results take all.
    KeyJob<bf16_t, Shape> job;
    QueryStep<bf16_t, Shape> steps[Shape::kStages];
};

// product[64 keys of the group, queries] = keys (or values) times queries (or upstream gradients)^T
template <class Shape, class Keys, class Queries>
__device__ inline void ask_for_turned(float (&product)[1][Shape::kQueries / 8][4], const Keys& keys,
                                      const Queries& queries, int group) {
    begin_products();
#pragma unroll
    for (int d = 0; d < Shape::kWidth; d += 16) {
        const uint64_t a = panel_descriptor(keys, d / 64, 64 * group) + d % 64 / 8;
        const uint64_t b = panel_descriptor(queries, d / 64, 0) + d % 64 / 8;
        Wgmma<Shape::kQueries>::template run<false, false>(product[0], a, b, d > 0 ? 1 : 0);
    }
    commit_products();
}

// sum[64 keys of the group, kWidth] += left[keys, queries] times the tile of queries
template <class Shape, class Queries>
__device__ inline void ask_for_key_gradient(float (&sum)[1][Shape::kWidth / 8][4],
                                            const uint32_t (&left)[Shape::kQueries / 16][4],
                                            const Queries& queries) {
    const uint64_t right = panel_descriptor(queries, 0, 0);
    begin_products();
#pragma unroll
    for (int step = 0; step < Shape::kQueries / 16; ++step)
        WgmmaHeld<Shape::kWidth>::template run<true>(sum[0], left[step], right + step * kSixteenRows, 1);
    commit_products();
}

// dq[queries, the group's columns] of this tile of keys, or of the group's
template <class Shape>
__device__ inline void ask_for_query_gradient(float (&dq)[Shape::kDqColumns / 8][4],
                                              const HopperBackwardShared<Shape>& shared, int number,
                                              int group) {
    const int panel = Shape::kOwnColumns ? group : 0, key = Shape::kOwnColumns ? 0 : 64 * group;
    const uint64_t left = panel_descriptor(shared.slopes[number % 2], 0, key);
    const uint64_t right = panel_descriptor(shared.keys, panel, key);
    begin_products();
#pragma unroll
    for (int step = 0; step < Shape::kDqKeys / 16; ++step)
        Wgmma<Shape::kDqColumns>::template run<true, true>(dq, left + step * kSixteenRows,
                                                           right + step * kSixteenRows, step > 0 ? 1 : 0);
    commit_products();
}

// Tiles of queries on their way to shared memory, two steps before they are multiplied.
template <class Shape>
struct HopperQueries {
    QueryWalk<bf16_t, Shape> walk;
    int asked = 0;  // steps
    bool under_way = false;
    RowStats stats{};  // of the step that is under way: the thread's row

    __device__ HopperQueries(const Gradient<bf16_t>& gradient, const KeyJob<bf16_t, Shape>& job)
        : walk(gradient, job) {}
    // Step number `asked`, if there is one.
    __device__ void fetch(HopperBackwardShared<Shape>& shared) {
        under_way = walk.more();
        if (!under_way) return;
        const QueryStep<bf16_t, Shape> step(walk);
        const int stage = asked++ % Shape::kStages;
        if (threadIdx.x == 0) shared.steps[stage] = step;
        stats = step.fetch(shared, stage, walk.gradient);
        walk.advance();
    }
    // What was asked for is there for all behind the next barrier of the block.
    __device__ void arrive(HopperBackwardShared<Shape>& shared) {
        if (!under_way) return;
        if (threadIdx.x < Shape::kQueries) shared.stats[(asked - 1) % Shape::kStages][threadIdx.x] = stats;
        wait_for_copies<0>();
    }
};

template <int kWidth>
struct HopperGradient {
    using Shape = HopperBackwardShape<kWidth>;
    using Shared = HopperBackwardShared<Shape>;
    using Job = KeyJob<bf16_t, Shape>;
    using Step = QueryStep<bf16_t, Shape>;

    const Gradient<bf16_t>& gradient;
    Shared& shared;
    const Job& job;
    int group;
    float dk[1][kWidth / 8][4] = {}, dv[1][kWidth / 8][4] = {};

    // dv +=, asked for; dS of the step in shared memory and, as a left factor, in registers.
    __device__ void find_step(uint32_t (&slope_words)[Shape::kQueries / 16][4], const Step& step, int stage,
                              int number) {
        const HeadSizes& sizes = gradient.keys.sizes;
        float powers[1][Shape::kQueries / 8][4], slopes[1][Shape::kQueries / 8][4];
        ask_for_turned<Shape>(powers, shared.keys, shared.queries[stage], group);
        ask_for_turned<Shape>(slopes, shared.values, shared.upstream[stage], group);
        wait_for_products<1>();
        rest_until_here(powers[0]);
        soften_turned<bf16_t>(powers, shared.stats[stage], sizes.scale * kLog2E);
        if (step.masked) mask_turned(step, job, sizes, powers);
        uint32_t power_words[Shape::kQueries / 16][4];
        pack_left(power_words, powers);
        ask_for_key_gradient<Shape>(dv, power_words, shared.upstream[stage]);
        wait_for_products<1>();
        rest_until_here(slopes[0]);
        find_slopes(slopes, powers, shared.stats[stage]);
        if (step.masked) mask_turned(step, job, sizes, slopes);
        share_slopes<bf16_t, Shape>(shared.slopes[number % 2], slopes);
        pack_left(slope_words, slopes);
        wait_for_products<0>();
        rest_until_here(power_words);
        rest_until_here(dv[0]);
    }

    // dk += and dq +=, when all threads' dS are there.
    __device__ void finish_step(const uint32_t (&slope_words)[Shape::kQueries / 16][4], const Step& step,
                                int stage, int number) {
        constexpr bool kOwn = Shape::kOwnColumns;
        const int row0 = static_cast<int>(threadIdx.x) % 128 / kWarp * kStrip;
        uint32_t* turns = gradient.turns + step.turn_at + (kOwn ? group : 0);
        const uint32_t turn = kOwn ? step.turn : Shape::kGroups * step.turn + group;
        float dq[Shape::kDqColumns / 8][4];
        ask_for_query_gradient(dq, shared, number, group);
        ask_for_key_gradient<Shape>(dk, slope_words, shared.queries[stage]);
        if (threadIdx.x % 128 == 0) wait_for_turn(turns, turn);
        wait_for_products<1>();
        rest_until_here(dq);
        wait_for_group();  // it is the group's turn
        add_rows(gradient, step, row0, kOwn ? group * Shape::kDqColumns : 0, turn == 0, dq);
        wait_for_group();
        if (threadIdx.x % 128 == 0) end_turn(turns, turn);
        wait_for_products<0>();
        rest_until_here(dk[0]);
    }
};

template <int kWidth>
__device__ inline void find_gradient(const Gradient<bf16_t>& gradient) {
    using Shape = HopperBackwardShape<kWidth>;
    auto* memory = shared_memory<std::byte>();
    auto& shared = *reinterpret_cast<HopperBackwardShared<Shape>*>(
        memory + (1024 - shared_address(memory) % 1024) % 1024);
    const HeadSizes& sizes = gradient.keys.sizes;
    const int group = static_cast<int>(threadIdx.x) / 128;
    if (threadIdx.x == 0)
        shared.job = KeyJob<bf16_t, Shape>(gradient, static_cast<int>(take_ticket(gradient.turns)));
    __syncthreads();
    const KeyJob<bf16_t, Shape>& job = shared.job;
    const auto own = gradient.keys.run(job.segment, 1, job.g);
    own.template copy_keys<Shape::kThreads>(shared.keys, job.first);
    own.template copy_values<Shape::kThreads>(shared.values, job.first);
    commit_copies();
    HopperQueries<Shape> coming(gradient, job);
    coming.fetch(shared);
    coming.arrive(shared);
    show_writes();
    coming.fetch(shared);
    __syncthreads();
    HopperGradient<kWidth> sums{gradient, shared, job, group};
    for (int number = 0; number < coming.asked; ++number) {
        const int stage = number % Shape::kStages;
        const QueryStep<bf16_t, Shape>& step = shared.steps[stage];
        uint32_t slope_words[Shape::kQueries / 16][4];
        sums.find_step(slope_words, step, stage, number);
        coming.arrive(shared);
        show_writes();
        __syncthreads();  // dS and the next queries are there; those before this step's are done with
        coming.fetch(shared);
        sums.finish_step(slope_words, step, stage, number);
        rest_until_here(slope_words);
    }
    const int64_t column = int64_t{sizes.H + job.g} * sizes.D;
    store_key_gradient<bf16_t, Shape>(gradient, job, column, sums.dk, sizes.scale);
    store_key_gradient<bf16_t, Shape>(gradient, job, column + int64_t{sizes.G} * sizes.D, sums.dv, 1.0f);
}

template <int kWidth>
__global__ void __launch_bounds__(HopperBackwardShape<kWidth>::kThreads, 1)
    attention_hopper_gradient_kernel(Gradient<bf16_t> gradient) {
    if constexpr (kHopper)
        find_gradient<kWidth>(gradient);
    else
        stop_here();
}

}  // namespace attune::gpu
