// The one GEMM microkernel: C[i, j] = sum over l of A[l, i] B[l, j] for a tile of up to kTileRows rows and 32
// columns. Templates on the vector type; knows neither ops nor threads, and must not include a vec_*.h.
//
// A is packed in micropanels [l][kTileRows] (the broadcast side; where kTileRows is a multiple of four they
// may be read in fours), B in panels [l][32] (the vector side). In bf16 pairs of l lie together:
// A [l/2][kTileRows][2], B [l/2][32][2]; that is how bf16 weights live. Each output adds its products over l
// in ascending order, in blocks of depth_block(l) that are summed from zero and then added up in order: a
// result depends on neither the other rows nor their number.
//
// Zen 4, one thread, rows 1024 with N and K of 576, 1536, 49152: 95-105 GFLOP/s of 118 in fp32, 180-205 of
// 235 in bf16 (attune_tool bench gemm, bench peak).
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "core/ops.h"

namespace attune {
namespace {

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

// Rows of a tile: with two vectors of columns, as many accumulators as leave registers for the operands.
template <class V>
inline constexpr int kTileRows = V::kRegisters >= 32 ? 12 : 6;

// Both operands fp32.
template <class V>
struct PlainFormat {
    using A = float;
    using B = float;
    static constexpr int64_t kStep = 1;  // l per step

    template <int R>
    static void step(V (&sum)[R][2], const float* a, const float* b) {
        const V left = V::load(b);
        const V right = V::load(b + V::kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const V x = V::broadcast(a, r);
            sum[r][0] = V::fma(x, left, sum[r][0]);
            sum[r][1] = V::fma(x, right, sum[r][1]);
        }
    }
};

// A fp32, B bf16 pairs that are widened on load: bf16 as a storage format.
template <class V>
struct StorageFormat {
    using A = float;
    using B = bf16_t;
    static constexpr int64_t kStep = 2;

    template <int R>
    static void step(V (&sum)[R][2], const float* a, const bf16_t* b) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            V left[2], right[2];
            V::load_pairs(b, left[0], left[1]);
            V::load_pairs(b + 2 * V::kLanes, right[0], right[1]);
            // Registers do not hold the pairs until the second half: load them again, from L1. AVX-512 has
            // room for them, since its multiply-add takes the broadcast from memory; NEON's comes from a
            // register.
            if constexpr (V::kLanes < 16) asm volatile("" ::: "memory");
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r) {
                const V x = V::broadcast(a + half * kTileRows<V>, r);
                sum[r][0] = V::fma(x, left[half], sum[r][0]);
                sum[r][1] = V::fma(x, right[half], sum[r][1]);
            }
        }
    }
};

// Both operands bf16 pairs, multiplied by the processor's dot product.
template <class V>
struct DotFormat {
    using A = bf16_t;
    using B = bf16_t;
    static constexpr int64_t kStep = 2;

    template <int R>
    static void step(V (&sum)[R][2], const bf16_t* a, const bf16_t* b) {
        const auto left = V::load_pairs_raw(b);
        const auto right = V::load_pairs_raw(b + 2 * V::kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const auto x = V::broadcast_pair(a + 2 * r);
            sum[r][0] = V::dot(sum[r][0], x, left);
            sum[r][1] = V::dot(sum[r][1], x, right);
        }
    }
};

// A bf16 pairs as DotFormat packs them, B fp32: products in fp32 over operands that are packed already.
template <class V>
struct MixedFormat {
    static_assert(2 * V::kLanes == kPanel);  // the tile's columns in one go
    using A = bf16_t;
    using B = float;
    static constexpr int64_t kStep = 2;

    template <int R>
    static void step(V (&sum)[R][2], const bf16_t* a, const float* b) {
        const V left[2] = {V::load(b), V::load(b + kPanel)};
        const V right[2] = {V::load(b + V::kLanes), V::load(b + kPanel + V::kLanes)};
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            V x[2];
            V::split(V::broadcast_pair(a + 2 * r), x[0], x[1]);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                sum[r][0] = V::fma(x[half], left[half], sum[r][0]);
                sum[r][1] = V::fma(x[half], right[half], sum[r][1]);
            }
        }
    }
};

// Elements per step of a micropanel and of a panel.
template <class V, class F>
inline constexpr int64_t kStepA = kTileRows<V> * (sizeof(typename F::A) == 2 ? 2 : F::kStep);
template <class F>
inline constexpr int64_t kStepB = kPanel * F::kStep;

// tile[R][32] = (first) or += the product of `steps` steps. Meanwhile `steps` cache lines from `ahead` on
// (null = none) are fetched: where few rows meet each block of B, it comes from memory, and arithmetic must
// not wait for it.
template <class V, class F, int R>
void gemm_tile(float* tile, const typename F::A* a, const typename F::B* b, int64_t steps, bool first,
               const void* ahead) {
    constexpr int64_t kWidth = 2 * V::kLanes;
    constexpr int64_t kAhead = 16;  // steps of 128 bytes; few rows wait for memory, many for arithmetic
    constexpr int64_t kLine = 64;
    const int64_t stride = ahead == nullptr ? 0 : kLine * kWidth / kPanel;
    const auto* line = static_cast<const char*>(ahead == nullptr ? b : ahead);
    for (int64_t column = 0; column < kPanel; column += kWidth) {
        V sum[R][2];
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = V::zero();
        const typename F::A* a_step = a;
        const typename F::B* b_step = b + column * F::kStep;
        for (int64_t step = 0; step < steps; ++step) {
            if constexpr (R <= 4) {
                __builtin_prefetch(b_step + kAhead * kStepB<F>);
                if constexpr (kWidth * F::kStep * sizeof(typename F::B) > 64)
                    __builtin_prefetch(b_step + kAhead * kStepB<F> + kStepB<F> / 2);
            } else {
                __builtin_prefetch(line);
                line += stride;
            }
            F::step(sum, a_step, b_step);
            a_step += kStepA<V, F>;
            b_step += kStepB<F>;
        }
        float* out = tile + column;
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r, out += kPanel) {
            if (!first) {
                sum[r][0] = V::load(out) + sum[r][0];
                sum[r][1] = V::load(out + V::kLanes) + sum[r][1];
            }
            sum[r][0].store(out);
            sum[r][1].store(out + V::kLanes);
        }
    }
}

template <class F>
using TileKernel = void (*)(float* tile, const typename F::A* a, const typename F::B* b, int64_t steps,
                            bool first, const void* ahead);

// Entry r - 1 computes r rows, so that a short last micropanel wastes nothing.
template <class V, class F>
inline constexpr auto kTileKernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<TileKernel<F>, sizeof...(R)>{gemm_tile<V, F, R + 1>...};
}
(std::make_integer_sequence<int, kTileRows<V>>{});

// l per block, even: at most 256, blocks of a sum about equal.
inline constexpr int64_t kDepthBlock = 256;
constexpr int64_t depth_block(int64_t depth) {
    const int64_t blocks = (depth + kDepthBlock - 1) / kDepthBlock;
    return blocks <= 1 ? even(depth) : even((depth + blocks - 1) / blocks);
}

}  // namespace
}  // namespace attune
