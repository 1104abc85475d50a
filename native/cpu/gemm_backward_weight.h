// linear_backward_weight: dW = or += dy^T x, dbias += column sums of dy. Packs both sides in slabs that stay
// in cache; no second copy of dW. Must not include a vec_*.h.
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

// Packing reads blocks of kPackRows rows by kPackColumns columns: whole cache lines in runs, each page once.
inline constexpr int64_t kPackRows = 64;  // even: pairs of rows stay together
inline constexpr int64_t kPackColumns = 192;

// Rows [first, first + count) of x as micropanels of columns: [ceil(K/kTileRows)][padded][kTileRows](2)
template <class V, class F>
void pack_all_columns(typename F::A* out, const ConstMat& x, int64_t first, int64_t count, int64_t padded,
                      Stream* stream) {
    using A = typename F::A;
    constexpr int64_t kGroup = kPackColumns / kTileRows<V>;
    const int64_t micropanels = divide_up(x.cols, kTileRows<V>);
    const int64_t groups = divide_up(micropanels, kGroup);
    stream->pool->parallel(groups * divide_up(padded, kPackRows), [&](int64_t task, int) {
        const int64_t begin = task % groups * kGroup, end = std::min(begin + kGroup, micropanels);
        const int64_t row = task / groups * kPackRows;
        with_element(x.dtype, [&](auto element) {
            using From = typename decltype(element)::Type;
            if constexpr (sizeof(A) == 4 || sizeof(From) == 2)
                for (int64_t i = begin; i < end; ++i)
                    pack_columns<V>(out + (i * padded + row) * kTileRows<V>,
                                    row_of<From>(x, first + row) + i * kTileRows<V>, x.stride,
                                    std::min<int64_t>(kTileRows<V>, x.cols - i * kTileRows<V>),
                                    std::min(kPackRows, count - row), std::min(kPackRows, padded - row));
        });
    });
}

// Panels [panel, panel + panels) of rows [first, first + count) of dy: [panels][padded][32](2)
template <class V, class F>
void pack_all_panels(typename F::B* out, const ConstMat& dy, int64_t first, int64_t count, int64_t panel,
                     int64_t panels, int64_t padded, Stream* stream) {
    constexpr int64_t kGroup = kPackColumns / kPanel;
    const int64_t groups = divide_up(panels, kGroup);
    stream->pool->parallel(groups * divide_up(count, kPackRows), [&](int64_t task, int) {
        const int64_t begin = task % groups * kGroup, end = std::min(begin + kGroup, panels);
        const int64_t row = task / groups * kPackRows;
        with_element(dy.dtype, [&](auto element) {
            using From = typename decltype(element)::Type;
            for (int64_t p = begin; p < end; ++p)
                pack_panel<V>(out + (p * padded + row) * kPanel,
                              row_of<From>(dy, first + row) + (panel + p) * kPanel, dy.stride,
                              std::min(kPanel, dy.cols - (panel + p) * kPanel),
                              std::min(kPackRows, count - row));
        });
    });
}

// dW = or += tiles of its panels from `panel` on. A gradient comes from memory: it is fetched while its tile
// is computed.
template <class V>
struct GradientSink {
    const WeightGrad& dw;
    int64_t panel;
    bool add;

    float* target(int64_t k, int64_t p) const {  // [rows][32], contiguous
        return dw.data + ((panel + p) * even(dw.K) + k) * kPanel;
    }
    void fetch(int64_t k, int64_t rows, int64_t p) const {
        const auto* line = reinterpret_cast<const char*>(target(k, p));
        const int64_t bytes = rows * kPanel * static_cast<int64_t>(sizeof(float));
        for (int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(line + i, 1);
    }
    void operator()(int64_t k, int64_t rows, int64_t p, const float* tile) const {
        float* out = target(k, p);
        for (int64_t i = 0; i < rows * kPanel; i += V::kLanes) {
            const V value = V::load(tile + i);
            (add ? V::load(out + i) + value : value).store(out + i);
        }
    }
};

// C = dW transposed, panel by panel: rows are k, vectors n, l runs over rows m in slabs.
template <class V, class F>
Status backward_weight_in(const WeightGrad& dw, const ConstMat& dy, const ConstMat& x, bool accumulate,
                          Stream* stream) {
    using A = typename F::A;
    using B = typename F::B;
    const int64_t panels = divide_up(dw.N, kPanel);
    for (int64_t first = 0; first < x.rows; first += kDepthSlab) {
        const int64_t count = std::min(kDepthSlab, x.rows - first);
        const int64_t padded = divide_up(count, F::kStep) * F::kStep;
        const int64_t group = std::max<int64_t>(kSlabBytes / (padded * kPanel * int64_t{sizeof(B)}), 8);
        A* a = gemm_scratch<A>(stream, kSlotA, divide_up(dw.K, kTileRows<V>) * kTileRows<V> * padded);
        B* b = gemm_scratch<B>(stream, kSlotB, std::min(group, panels) * kPanel * padded);
        if (a == nullptr || b == nullptr) return Status::Memory;
        pack_all_columns<V, F>(a, x, first, count, padded, stream);
        for (int64_t panel = 0; panel < panels; panel += group) {
            const int64_t width = std::min(group, panels - panel);
            pack_all_panels<V, F>(b, dy, first, count, panel, width, padded, stream);
            const Gemm<F, Side::Packed> gemm{{a}, b, padded * kPanel, dw.K, width, count};
            if (!gemm_run<V>(gemm, stream, GradientSink<V>{dw, panel, accumulate || first > 0}))
                return Status::Memory;
        }
    }
    return Status::Ok;
}

// dbias[N] += column sums of dy: blocks of rows are summed in order, then added in order.
template <class V>
void add_column_sums(float* dbias, const ConstMat& dy, Stream* stream) {
    constexpr int64_t kColumns = 4 * V::kLanes, kRows = 256;
    stream->pool->parallel(divide_up(dy.cols, kColumns), [&](int64_t task, int) {
        const int64_t end = std::min((task + 1) * kColumns, dy.cols);
        for (int64_t column = task * kColumns; column < end; column += V::kLanes) {
            const int64_t n = std::min(V::kLanes, end - column);
            V total = V::zero();
            for (int64_t first = 0; first < dy.rows; first += kRows) {
                V sum = V::zero();
                for (int64_t row = first; row < std::min(first + kRows, dy.rows); ++row)
                    sum = sum + load_any<V>(dy, row, column, n);
                total = total + sum;
            }
            (V::load(dbias + column, n) + total).store(dbias + column, n);
        }
    });
}

template <class V>
Status linear_backward_weight(WeightGrad dw, float* dbias, ConstMat dy, ConstMat x, int32_t accumulate,
                              Stream* stream) {
    if (!is_panels(dw.layout, dw.data, dw.N, dw.K) || !well_formed(dy) || dy.cols != dw.N)
        return Status::Shape;
    if (!has_shape(x, dy.rows, dw.K)) return Status::Shape;
    const bool add = accumulate != 0;
    if (dy.rows == 0) {
        if (!add) std::fill_n(dw.data, divide_up(dw.N, kPanel) * even(dw.K) * kPanel, 0.0f);
        return Status::Ok;
    }
    if (dbias != nullptr) add_column_sums<V>(dbias, dy, stream);
    if constexpr (V::kBf16Dot)
        if (x.dtype == DType::BF16) return backward_weight_in<V, DotFormat<V>>(dw, dy, x, add, stream);
    return backward_weight_in<V, PlainFormat<V>>(dw, dy, x, add, stream);
}

}  // namespace
}  // namespace attune
