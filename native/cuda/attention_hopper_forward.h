// Flash attention, forward, of Hopper (sm_90a) in bf16: two groups of 128 threads, 64 (query, head) pairs
// each, multiply with wgmma. While the probabilities of a tile of keys are found, the products of those
// before with their values are under way. What a row gets does not depend on the other rows of its tile;
// packed segments and decode steps have the same bits.
//
// D = 128, per tile of 128 x 128: 8.4 MFLOP for 64 KiB of keys and values; wgmma reads 192 KiB of shared
// memory (queries 32 and keys 32 for each group, values 32), 43 operations per byte.
#pragma once

#include <cstdint>

#include "cuda/attention_forward.h"
#include "cuda/attention_hopper_product.h"
#include "cuda/attention_keys.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"
#include "cuda/hopper.h"

namespace attune::gpu {

template <int kWidth_>
struct HopperForwardShape {
    static constexpr int kWidth = kWidth_, kThreads = 256, kRows = 128, kKeys = 128;
};

// Keys of a tile arrive together with the values of the one before: those are needed one step later.
template <class Shape>
struct HopperForwardShared {
    alignas(1024) Tile<bf16_t, Shape::kRows, Shape::kWidth> queries;
    alignas(1024) Tile<bf16_t, Shape::kKeys, Shape::kWidth> keys[2];
    alignas(1024) Tile<bf16_t, Shape::kKeys, Shape::kWidth> values[2];
};

// scores[64, kKeys] of the group = its queries times the tile's keys
template <class Shape>
__device__ inline void ask_for_scores(float (&scores)[Shape::kKeys / 8][4],
                                      const HopperForwardShared<Shape>& shared, int stage, int group) {
    begin_products();
#pragma unroll
    for (int d = 0; d < Shape::kWidth; d += 16) {
        const uint64_t a = panel_descriptor(shared.queries, d / 64, 64 * group) + d % 64 / 8;
        const uint64_t b = panel_descriptor(shared.keys[stage], d / 64, 0) + d % 64 / 8;
        Wgmma<Shape::kKeys>::template run<false, false>(scores, a, b, d > 0 ? 1 : 0);
    }
    commit_products();
}

// output[64, kWidth] += probabilities times the tile's values
template <class Shape>
__device__ inline void ask_for_output(float (&output)[Shape::kWidth / 8][4],
                                      const uint32_t (&probabilities)[Shape::kKeys / 16][4],
                                      const HopperForwardShared<Shape>& shared, int stage) {
    const uint64_t values = panel_descriptor(shared.values[stage], 0, 0);
    begin_products();
#pragma unroll
    for (int step = 0; step < Shape::kKeys / 16; ++step)
        WgmmaHeld<Shape::kWidth>::template run<true>(output, probabilities[step],
                                                     values + step * kSixteenRows, 1);
    commit_products();
}

// The tiles of keys in order: where keys of the next are copied from, and values of this one.
template <class Shape, class Keys>
struct HopperFetch {
    KeyWalk<Keys, Shape::kKeys> walk;
    typename Keys::Run values{};
    int first = 0;  // of the values, in their run

    __device__ void keys(HopperForwardShared<Shape>& shared, int stage) {
        if (walk.more()) walk.from.template copy_keys<Shape::kThreads>(shared.keys[stage], walk.first);
    }
    __device__ void keep_values() {
        values = walk.from;
        first = walk.first;
    }
    __device__ void fetch_values(HopperForwardShared<Shape>& shared, int stage) const {
        values.template copy_values<Shape::kThreads>(shared.values[stage], first);
    }
};

template <int kWidth, class Keys>
__device__ inline void attend(const AnyView& out, float* lse, const Keys& keys, const QueryTile& tile) {
    using Shape = HopperForwardShape<kWidth>;
    using Shared = HopperForwardShared<Shape>;
    constexpr int kKeys = Shape::kKeys, kThreads = Shape::kThreads;
    auto* memory = shared_memory<std::byte>();
    auto& shared = *reinterpret_cast<Shared*>(memory + (1024 - shared_address(memory) % 1024) % 1024);
    const HeadSizes& sizes = keys.sizes;
    const int g = static_cast<int>(blockIdx.y), position0 = keys.position0(tile.segment);
    const int group = static_cast<int>(threadIdx.x) / 128;
    const WarpRows<1> own(tile, sizes, g, position0);
    HopperFetch<Shape, Keys> fetch{KeyWalk<Keys, kKeys>(keys, tile.segment, g, position0 + own.pairs.query(0),
                                                        position0 + own.pairs.query(tile.rows - 1))};
    copy_tile<kThreads>(shared.queries, tile.rows, sizes.D, [&](int row) {
        return keys.query(keys.query_row(tile.segment, own.pairs.query(row)), own.pairs.head(row));
    });
    fetch.keys(shared, 0);
    commit_copies();
    const float rate = sizes.scale * kLog2E;
    RunningSoftmax<1> state;
    float output[1][kWidth / 8][4] = {}, scores[1][kKeys / 8][4], factors[1][2];
    uint32_t probabilities[kKeys / 16][4] = {};
    for (int stage = 0, step = 0; fetch.walk.more(); stage ^= 1, ++step) {
        wait_for_copies<0>();
        show_writes();
        __syncthreads();  // keys of this tile and values of the one before are there; both others are free
        const int key = fetch.walk.position(), count = fetch.walk.count();
        fetch.keep_values();
        fetch.walk.advance();
        fetch.keys(shared, stage ^ 1);
        fetch.fetch_values(shared, stage);
        commit_copies();
        ask_for_scores<Shape>(scores[0], shared, stage, group);
        if (step > 0) ask_for_output<Shape>(output[0], probabilities, shared, stage ^ 1);
        if (step > 0)
            wait_for_products<1>();
        else
            wait_for_products<0>();
        rest_until_here(scores[0]);
        if (own.template must_mask<kKeys>(key, count)) own.mask(scores, key, count);
        soften_scores<bf16_t>(scores, state, factors, rate);
        wait_for_products<0>();
        rest_until_here(probabilities);
        rest_until_here(output[0]);
        rescale(output, factors);
        pack_left(probabilities, scores);
        if (fetch.walk.more()) continue;
        wait_for_copies<0>();
        show_writes();
        __syncthreads();
        ask_for_output<Shape>(output[0], probabilities, shared, stage);
        wait_for_products<0>();
        rest_until_here(output[0]);
    }
    store_results(out, lse, keys, tile.segment, own, state, output, rate);
}

template <int kWidth, class Keys>
__global__ void __launch_bounds__(HopperForwardShape<kWidth>::kThreads, 1)
    attention_hopper_kernel(AnyView out, float* lse, Keys keys, const QueryTile* tiles) {
    if constexpr (kHopper)
        attend<kWidth>(out, lse, keys, tiles[blockIdx.x]);
    else
        stop_here();
}

}  // namespace attune::gpu
