// linear_backward_input: dx = dy W. Many rows meet W^T, which is packed in slabs that stay in cache; few are
// packed themselves and meet W where it lies. Both give the same bits. Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_forward.h"
#include "cpu/gemm_pack.h"
#include "cpu/gemm_run.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

inline constexpr int64_t kDepthSlab = 2048;  // l per pass over C, a multiple of 32
inline constexpr int64_t kFewColumns = 256;  // fewer of W do not pay for another way

// dx rows = or += tile
template <class V>
void store_rows(const Mat& dx, bool add, int64_t first, int64_t rows, int64_t panel, const float* tile) {
    for (int64_t r = 0; r < rows; ++r) {
        float* row = row_of<float>(dx, first + r) + panel * kPanel;
        for (int64_t c = 0; c < kPanel; c += V::kLanes) {
            const int64_t n = dx.cols - panel * kPanel - c;
            if (n <= 0) break;
            V value = V::load(tile + r * kPanel + c);
            if (n >= V::kLanes) {
                if (add) value = V::load(row + c) + value;
                value.store(row + c);
            } else {
                if (add) value = V::load(row + c, n) + value;
                value.store(row + c, n);
            }
        }
    }
}

// One slab of n for one slab of rows: W^T is packed already.
template <class V, class F, Side side>
Status backward_input_slab(const Mat& dx, const ConstMat& dy, const typename F::B* b, int64_t b_stride,
                           int64_t n_first, int64_t n_count, bool add, Stream* stream) {
    const int64_t slab = slab_rows<V>(n_count, sizeof(typename F::A));
    for (int64_t first = 0; first < dy.rows; first += slab) {
        const int64_t rows = std::min(slab, dy.rows - first);
        const auto a = broadcast_rows<V, F, side>(dy, first, rows, n_first, n_count, kSlotA, stream);
        if (a.data == nullptr) return Status::Memory;
        const Gemm<F, side> gemm{a, b, b_stride, rows, divide_up(dx.cols, kPanel), n_count};
        const auto store = [&](int64_t row, int64_t count, int64_t panel, const float* tile) {
            store_rows<V>(dx, add, row, count, panel, tile);
        };
        if (!gemm_run<V>(gemm, stream, RowSink<decltype(store)>{dx, first, 0, store})) return Status::Memory;
    }
    return Status::Ok;
}

// Rows [first, first + count) of W as panels of its columns, b_stride elements apart:
// [ceil(K/32)][count][32](2)
template <class B, class From>
void pack_weight_slab(B* b, int64_t b_stride, const Weight& w, int64_t first, int64_t count, Stream* stream) {
    // A task reads one panel of W from end to end.
    stream->pool->parallel(divide_up(count, kPanel), [&](int64_t task, int) {
        const int64_t n = task * kPanel;
        for (int64_t q = 0; q < divide_up(w.K, kPanel); ++q)
            pack_transposed<B, From>(b + q * b_stride + n * kPanel, w, q, first + n);
    });
}

// C = dx: l runs over n, in slabs; the vectors are columns k.
template <class V, class F, Side side, class From>
Status backward_input_in(const Mat& dx, const ConstMat& dy, const Weight& w, bool accumulate,
                         Stream* stream) {
    using B = typename F::B;
    const int64_t panels = divide_up(w.K, kPanel);
    const int64_t b_stride = std::min(kDepthSlab, divide_up(w.N, kPanel) * kPanel) * kPanel;
    B* b = gemm_scratch<B>(stream, kSlotB, panels * b_stride);
    if (b == nullptr) return Status::Memory;
    for (int64_t first = 0; first < w.N; first += kDepthSlab) {
        const int64_t count = std::min(kDepthSlab, w.N - first);
        pack_weight_slab<B, From>(b, b_stride, w, first, count, stream);
        const Status status = backward_input_slab<V, F, side>(dx, dy, b, b_stride, first, count,
                                                              accumulate || first > 0, stream);
        if (status != Status::Ok) return status;
    }
    return Status::Ok;
}

// Rows of dy as the vector side: panels [ceil(rows/32)] of columns [first, first + count), b_stride elements
// apart: [count][32]
inline void pack_row_panels(float* b, int64_t b_stride, const ConstMat& dy, int64_t first, int64_t count,
                            Stream* stream) {
    constexpr int64_t kColumns = 16 * kPanel;  // of a task
    constexpr int64_t kTogether = 2 * kPanel;  // what is written of them stays in L1
    const int64_t blocks = divide_up(count, kColumns);
    stream->pool->parallel(divide_up(dy.rows, kPanel) * blocks, [&](int64_t task, int) {
        const int64_t row = task / blocks * kPanel;
        const int64_t column = task % blocks * kColumns;
        const int64_t end = std::min(column + kColumns, count);
        with_element(dy.dtype, [&](auto element) {
            using From = typename decltype(element)::Type;
            for (int64_t l = column; l < end; l += kTogether)
                pack_rows<kPanel>(b + row / kPanel * b_stride + l * kPanel, row_of<From>(dy, row) + first + l,
                                  dy.stride, std::min(kPanel, dy.rows - row), std::min(kTogether, end - l),
                                  std::min(kTogether, end - l));
        });
    });
}

// Columns [first, first + count) of dx's rows of a panel = or += tile[count][32], transposed.
inline void store_columns(const Mat& dx, bool add, int64_t first, int64_t count, int64_t panel,
                          const float* tile) {
    const int64_t rows = std::min(kPanel, dx.rows - panel * kPanel);
    float* out = row_of<float>(dx, panel * kPanel) + first;
    for (int64_t r = 0; r < rows; r += kQuad) {
        for (int64_t k = 0; k < count; k += kQuad) {
            Quad quad[kQuad];
            for (int64_t i = 0; i < kQuad; ++i)
                quad[i] = load_quad(tile + std::min(k + i, count - 1) * kPanel + r);
            transpose(quad);
            for (int64_t j = 0; j < std::min(kQuad, rows - r); ++j)
                store_floats(out + (r + j) * dx.stride + k, quad[j], std::min(kQuad, count - k), add);
        }
    }
}

// C = dx transposed: rows are k, read from the live panels of fp32 weights, and vectors the rows of dy.
template <class V>
Status backward_input_few(const Mat& dx, const ConstMat& dy, const Weight& w, bool accumulate,
                          Stream* stream) {
    using F = PlainFormat<V>;
    const int64_t panels = divide_up(dy.rows, kPanel);
    const int64_t b_stride = std::min(kDepthSlab, w.N) * kPanel;
    float* b = gemm_scratch<float>(stream, kSlotB, panels * b_stride);
    if (b == nullptr) return Status::Memory;
    for (int64_t first = 0; first < w.N; first += kDepthSlab) {
        const int64_t count = std::min(kDepthSlab, w.N - first);
        pack_row_panels(b, b_stride, dy, first, count, stream);
        const auto* live = static_cast<const float*>(w.data) + first * even(w.K);
        const Gemm<F, Side::Panels> gemm{{live, even(w.K) * kPanel}, b, b_stride, w.K, panels, count};
        const bool add = accumulate || first > 0;
        const auto sink = [&](int64_t k, int64_t rows, int64_t panel, const float* tile) {
            store_columns(dx, add, k, rows, panel, tile);
        };
        if (!gemm_run<V>(gemm, stream, sink)) return Status::Memory;
    }
    return Status::Ok;
}

template <class V, class F, class From>
Status backward_input_from(const Mat& dx, const ConstMat& dy, const Weight& w, bool accumulate,
                           Stream* stream) {
    if (in_place<F>(dy, w.K)) return backward_input_in<V, F, Side::Rows, From>(dx, dy, w, accumulate, stream);
    return backward_input_in<V, F, Side::Packed, From>(dx, dy, w, accumulate, stream);
}

template <class V>
Status linear_backward_input(Mat dx, ConstMat dy, Weight w, int32_t accumulate, Stream* stream) {
    if (!is_panels(w.layout, w.data, w.N, w.K) || !well_formed(dy) || dy.cols != w.N) return Status::Shape;
    if (!is_gradient(dx, dy.rows, w.K)) return Status::Shape;
    if (dy.rows == 0) return Status::Ok;
    const bool add = accumulate != 0;
    // Packing an element of W, or of dy, costs as much as sixty rows of products, less where W is small.
    const bool few = 2 * dy.rows <= w.K && w.K >= kFewColumns;
    if (w.dtype == DType::F32 && few) return backward_input_few<V>(dx, dy, w, add, stream);
    if (w.dtype == DType::F32) return backward_input_from<V, PlainFormat<V>, float>(dx, dy, w, add, stream);
    if constexpr (V::kBf16Dot) return backward_input_from<V, DotFormat<V>, bf16_t>(dx, dy, w, add, stream);
    return backward_input_from<V, PlainFormat<V>, bf16_t>(dx, dy, w, add, stream);
}

}  // namespace
}  // namespace attune
