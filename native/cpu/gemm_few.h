// The GEMM microkernel for one or two rows, which wait for memory: several blocks of depth are in flight at
// once, so that a panel is read as several streams. The same products and sums in the same order as
// gemm_tile, block by block: the same bits. Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/gemm_kernel.h"

namespace attune {
namespace {

inline constexpr int64_t kFewRows = 2;
inline constexpr int64_t kBlocksInFlight = 3;

// Blocks of `steps` steps that lie one behind the other; the last of them has `last` steps.
struct DepthBlocks {
    int64_t steps;
    int64_t last;
};

// sum += the products of one step, at `at` from the first one of a and b.
template <class V, class F, Side side, int R>
inline void block_step(V (&sum)[R][2], const typename F::A* a, int64_t stride, const typename F::B* b,
                       int64_t at) {
    constexpr int64_t kAhead = 16;  // steps
    const typename F::B* from = b + at * kStepB<F>;
    __builtin_prefetch(from + kAhead * kStepB<F>);
    if constexpr (2 * V::kLanes * F::kStep * sizeof(typename F::B) > 64)
        __builtin_prefetch(from + kAhead * kStepB<F> + kStepB<F> / 2);
    F::step(sum, Lanes<side, V, typename F::A, R>(a + at * kStepA<V, F, side>, stride), 0, from);
}

// The same of the first kCount blocks, `steps` steps apart. Sums that a lambda captures would stay in memory.
template <class V, class F, Side side, int kCount, int kBlocks, int R>
inline void blocks_step(V (&sum)[kBlocks][R][2], const typename F::A* a, int64_t stride,
                        const typename F::B* b, int64_t steps, int64_t at) {
    static_assert(kBlocks <= kBlocksInFlight && kBlocksInFlight == 3);
    if constexpr (kCount > 0) block_step<V, F, side>(sum[0], a, stride, b, at);
    if constexpr (kCount > 1) block_step<V, F, side>(sum[1], a, stride, b, at + steps);
    if constexpr (kCount > 2) block_step<V, F, side>(sum[2], a, stride, b, at + 2 * steps);
}

// tile[R][32] = (first) or += the sums of kBlocks blocks, each from zero, in order.
template <class V, class F, Side side, int R, int kBlocks>
void gemm_blocks(float* tile, const typename F::A* a, int64_t stride, const typename F::B* b,
                 DepthBlocks blocks, bool first) {
    constexpr int64_t kWidth = 2 * V::kLanes;
    for (int64_t column = 0; column < kPanel; column += kWidth) {
        V sum[kBlocks][R][2];
#pragma GCC unroll 3
        for (int i = 0; i < kBlocks; ++i)
#pragma GCC unroll 2
            for (int r = 0; r < R; ++r) sum[i][r][0] = sum[i][r][1] = V::zero();
        const typename F::B* b_column = b + column * F::kStep;
        int64_t step = 0;
        for (; step < blocks.last; ++step)
            blocks_step<V, F, side, kBlocks>(sum, a, stride, b_column, blocks.steps, step);
        for (; step < blocks.steps; ++step)
            blocks_step<V, F, side, kBlocks - 1>(sum, a, stride, b_column, blocks.steps, step);
        float* out = tile + column;
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r, out += kPanel) {
            V left = first ? sum[0][r][0] : V::load(out) + sum[0][r][0];
            V right = first ? sum[0][r][1] : V::load(out + V::kLanes) + sum[0][r][1];
#pragma GCC unroll 3
            for (int i = 1; i < kBlocks; ++i) {
                left = left + sum[i][r][0];
                right = right + sum[i][r][1];
            }
            left.store(out);
            right.store(out + V::kLanes);
        }
    }
}

// All depth of one tile of R rows.
template <class V, class F, Side side, int R>
void gemm_few_rows(float* tile, const typename F::A* a, int64_t stride, const typename F::B* b, int64_t steps,
                   int64_t block) {
    for (int64_t step = 0; step < steps;) {
        const int64_t count = std::min(kBlocksInFlight, (steps - step + block - 1) / block);
        const DepthBlocks blocks{block, std::min(block, steps - step - (count - 1) * block)};
        const auto* a_block = a + step * kStepA<V, F, side>;
        const auto* b_block = b + step * kStepB<F>;
        if (count == 3)
            gemm_blocks<V, F, side, R, 3>(tile, a_block, stride, b_block, blocks, step == 0);
        else if (count == 2)
            gemm_blocks<V, F, side, R, 2>(tile, a_block, stride, b_block, blocks, step == 0);
        else
            gemm_blocks<V, F, side, R, 1>(tile, a_block, stride, b_block, {blocks.last, blocks.last},
                                          step == 0);
        step += count * block;
    }
}

}  // namespace
}  // namespace attune
