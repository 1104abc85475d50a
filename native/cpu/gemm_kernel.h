// The one GEMM microkernel: C[i, j] = sum over l of A[l, i] B[l, j] for a tile of up to kTileRows rows and 32
// columns. Templates on the vector type; knows neither ops nor threads, and must not include a vec_*.h.
//
// B, the vector side, lies in panels [l][32]. A, the broadcast side, lies as rows with l side by side, which
// is how activations live (RowLanes), in micropanels [l][kTileRows] (PackedLanes; where kTileRows is a
// multiple of four they may be read in fours), or in panels [l/32][row][32], which is how W lives for sums
// over n (PanelLanes; fp32 only). In bf16 pairs of l lie together: micropanels are
// [l/2][kTileRows][2], panels [l/2][32][2]; that is how bf16 weights live. Each output adds its products over
// l in ascending order, in blocks of depth_block(l) that are summed from zero and then added up in order: a
// result depends on neither the other rows nor their number, nor on how A lies.
//
// Zen 5, two threads: four fifths to nine tenths of what registers alone reach; packing rows first cost up to
// 15 % (attune-tool bench gemm, bench peak; docs/performance.md).
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "core/ops.h"

namespace attune {
namespace {

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

inline constexpr int64_t kLine = 64;  // bytes of a cache line

// Rows of a tile: with two vectors of columns, as many accumulators as leave registers for the operands.
template <class V>
inline constexpr int kTileRows = V::kRegisters >= 32 ? 12 : 6;

// ---- how the broadcast side lies: value(r, l) and pair(r, l) are of lane r, l on from where `advance` came
// to

// R rows, `stride` elements apart. Few pointers with offsets, so that twelve rows leave registers free.
template <class V, class A, int R>
struct RowLanes {
    static constexpr int kRows = 3;  // of a pointer
    const A* rows[(R + kRows - 1) / kRows];
    int64_t stride;

    RowLanes(const A* first, int64_t stride) : stride(stride) {
#pragma GCC unroll 4
        for (int i = 0; i < (R + kRows - 1) / kRows; ++i) rows[i] = first + i * kRows * stride;
    }
    const A* at(int r, int l) const {
        return rows[r / kRows] + r % kRows * stride + l;
    }
    V value(int r, int l) const {
        return V::set(*at(r, l));
    }
    auto pair(int r, int l) const {
        return V::broadcast_pair(at(r, l));
    }
    void advance(int64_t l) {
#pragma GCC unroll 4
        for (const A*& row : rows) row += l;
    }
};

// A micropanel: fp32 [l][kTileRows], bf16 [l/2][kTileRows][2].
template <class V, class A, int R>
struct PackedLanes {
    const A* first;

    PackedLanes(const A* micropanel, int64_t) : first(micropanel) {}
    V value(int r, int l) const { return V::broadcast(first + l * kTileRows<V>, r); }
    auto pair(int r, int l) const { return V::broadcast_pair(first + l * kTileRows<V> + 2 * r); }
    void advance(int64_t l) { first += l * kTileRows<V>; }
};

// Rows of panels [l/32][row][32] that lie `stride` elements apart; l = 0 is a panel's first. The tile's rows
// of one panel lie side by side, and those of the next tile behind them: they are fetched meanwhile.
template <class V, class A, int R>
struct PanelLanes {
    const A* first;
    int64_t jump;           // from a panel's end to the next one
    int64_t left = kPanel;  // l of this panel

    PanelLanes(const A* panel, int64_t stride) : first(panel), jump(stride - kPanel) {}
    V value(int r, int l) const { return V::set(first[r * kPanel + l]); }
    void advance(int64_t l) {
        const int64_t passed = kPanel - left;
        const A* next = first - passed + R * (kPanel + passed);
        for (int64_t i = 0; i < R * l; i += kLine / static_cast<int64_t>(sizeof(A)))
            __builtin_prefetch(next + i);
        first += l;
        left -= l;
        if (left > 0) return;
        first += jump;
        left = kPanel;
    }
};

enum class Side { Rows, Packed, Panels };

template <class A, Side side>
struct Broadcast {
    const A* data;
    int64_t stride = 0;  // of rows, or of panels
};

template <Side side, class V, class A, int R>
using Lanes =
    std::conditional_t<side == Side::Rows, RowLanes<V, A, R>,
                       std::conditional_t<side == Side::Panels, PanelLanes<V, A, R>, PackedLanes<V, A, R>>>;

// ---- formats: sum[r] += the products of one step, at l on the broadcast side and at b on the other

// Both operands fp32.
template <class V>
struct PlainFormat {
    using A = float;
    using B = float;
    static constexpr int64_t kStep = 1;  // l per step

    template <int R, class From>
    static void step(V (&sum)[R][2], const From& a, int l, const float* b) {
        const V left = V::load(b);
        const V right = V::load(b + V::kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const V x = a.value(r, l);
            V::accumulate(sum[r][0], x, left);
            V::accumulate(sum[r][1], x, right);
        }
    }
};

// A fp32, B bf16 pairs that are widened on load: bf16 as a storage format.
template <class V>
struct StorageFormat {
    using A = float;
    using B = bf16_t;
    static constexpr int64_t kStep = 2;

    template <int R, class From>
    static void step(V (&sum)[R][2], const From& a, int l, const bf16_t* b) {
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
                const V x = a.value(r, l + half);
                V::accumulate(sum[r][0], x, left[half]);
                V::accumulate(sum[r][1], x, right[half]);
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

    template <int R, class From>
    static void step(V (&sum)[R][2], const From& a, int l, const bf16_t* b) {
        const auto left = V::load_pairs_raw(b);
        const auto right = V::load_pairs_raw(b + 2 * V::kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const auto x = a.pair(r, l);
            V::accumulate(sum[r][0], x, left);
            V::accumulate(sum[r][1], x, right);
        }
    }
};

// A bf16 pairs, B fp32: products in fp32 over rows that are there in bf16.
template <class V>
struct MixedFormat {
    static_assert(2 * V::kLanes == kPanel);  // the tile's columns in one go
    using A = bf16_t;
    using B = float;
    static constexpr int64_t kStep = 2;

    template <int R, class From>
    static void step(V (&sum)[R][2], const From& a, int l, const float* b) {
        const V left[2] = {V::load(b), V::load(b + kPanel)};
        const V right[2] = {V::load(b + V::kLanes), V::load(b + kPanel + V::kLanes)};
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            V x[2];
            V::split(a.pair(r, l), x[0], x[1]);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                V::accumulate(sum[r][0], x[half], left[half]);
                V::accumulate(sum[r][1], x[half], right[half]);
            }
        }
    }
};

// Elements per step of the broadcast side and of a panel.
template <class V, class F, Side side>
inline constexpr int64_t kStepA = F::kStep * (side == Side::Rows ? 1 : kTileRows<V>);
template <class F>
inline constexpr int64_t kStepB = kPanel * F::kStep;

// Steps before their operands are advanced.
inline constexpr int kUnroll = 4;

// Few rows wait for memory: they fetch their own panel some steps ahead. Many wait for arithmetic, and fetch
// a line of the next block of B.
template <class V, class F, int R>
inline void prefetch_step(const typename F::B* b, const char* line) {
    constexpr int64_t kAhead = 16 * kStepB<F>;  // steps of 128 bytes
    if constexpr (R > 4) {
        __builtin_prefetch(line);
    } else {
        __builtin_prefetch(b + kAhead);
        if constexpr (2 * V::kLanes * F::kStep * sizeof(typename F::B) > 64)
            __builtin_prefetch(b + kAhead + kStepB<F> / 2);
    }
}

// tile[R][32] = (first) or += the product of `steps` steps. Meanwhile `steps` cache lines from `ahead` on
// (null = its own, which are there) are fetched: where few rows meet each block of B, it comes from memory,
// and arithmetic must not wait for it. `stride` is that of rows.
template <class V, class F, Side side, int R>
void gemm_tile(float* tile, const typename F::A* a, int64_t stride, const typename F::B* b, int64_t steps,
               bool first, const void* ahead) {
    constexpr int64_t kWidth = 2 * V::kLanes;
    constexpr int64_t kNextLine = kLine * kWidth / kPanel;
    const auto* line = static_cast<const char*>(ahead == nullptr ? b : ahead);
    for (int64_t column = 0; column < kPanel; column += kWidth) {
        V sum[R][2];
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = V::zero();
        Lanes<side, V, typename F::A, R> lanes(a, stride);
        const typename F::B* b_step = b + column * F::kStep;
        int64_t left = steps;
        for (; left >= kUnroll; left -= kUnroll) {
#pragma GCC unroll 4
            for (int i = 0; i < kUnroll; ++i, b_step += kStepB<F>, line += kNextLine) {
                prefetch_step<V, F, R>(b_step, line);
                F::step(sum, lanes, i * static_cast<int>(F::kStep), b_step);
                asm("" : "+r"(line));  // not three more registers for it
            }
            lanes.advance(kUnroll * F::kStep);
        }
        for (; left > 0; --left, b_step += kStepB<F>, line += kNextLine) {
            prefetch_step<V, F, R>(b_step, line);
            F::step(sum, lanes, 0, b_step);
            lanes.advance(F::kStep);
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
using TileKernel = void (*)(float* tile, const typename F::A* a, int64_t stride, const typename F::B* b,
                            int64_t steps, bool first, const void* ahead);

// Entry r - 1 computes r rows, so that a short last tile wastes nothing.
template <class V, class F, Side side>
inline constexpr auto kTileKernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<TileKernel<F>, sizeof...(R)>{gemm_tile<V, F, side, R + 1>...};
}
(std::make_integer_sequence<int, kTileRows<V>>{});

template <class V, class F, Side side>
TileKernel<F> tile_kernel(int64_t rows) {
    return kTileKernels<V, F, side>[static_cast<size_t>(rows - 1)];
}

// l per block: at most 256, blocks of a sum about equal. One block alone is even, several are whole panels of
// l.
inline constexpr int64_t kDepthBlock = 256;
constexpr int64_t depth_block(int64_t depth) {
    const int64_t blocks = divide_up(depth, kDepthBlock);
    return blocks <= 1 ? even(depth) : divide_up(divide_up(depth, blocks), kPanel) * kPanel;
}

}  // namespace
}  // namespace attune
