// Gradients of low-rank factors: products of a narrow matrix [M,R] and a wide one [M,C] over their rows. The
// wide one is read once, packed block by block into cache and used for all R. Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_forward.h"
#include "cpu/lowrank_term.h"

namespace attune {
namespace {

inline constexpr int64_t kNarrowRows = 128;  // m per block: four panels of them take 64 KiB
inline constexpr int64_t kWidePanels = 4;    // panels of a task, at most

// The narrow columns in micropanels of about equal width.
template <class V>
struct NarrowCut {
    int64_t columns;
    int64_t micropanels() const { return divide_up(columns, kTileRows<V>); }
    int64_t width() const { return divide_up(columns, micropanels()); }
    int64_t count(int64_t i) const { return std::min(width(), columns - i * width()); }
};

// narrow[M, first column ...] as [micropanels][M rounded up to steps][kTileRows]
template <class V, class F>
void pack_narrow(typename F::A* out, const ConstMat& narrow, int64_t column, const NarrowCut<V>& cut,
                 int64_t padded, Stream* stream) {
    stream->pool->parallel(divide_up(narrow.rows, kNarrowRows), [&](int64_t task, int) {
        const int64_t first = task * kNarrowRows, rows = std::min(kNarrowRows, narrow.rows - first);
        for (int64_t i = 0; i < cut.micropanels(); ++i)
            pack_columns<V>(out + (i * padded + first) * kTileRows<V>,
                            row_of<float>(narrow, first) + column + i * cut.width(), narrow.stride,
                            cut.count(i), rows, std::min(kNarrowRows, padded - first));
    });
}

// Rows [first, first + rows) of panels [panel, panel + count) of wide, whose column 0 is column `shift` of
// the panels: [count][kNarrowRows][32] (in bf16 pairs of rows), zero outside.
template <class V, class F>
void pack_wide(typename F::B* out, const ConstMat& wide, int64_t first, int64_t rows, int64_t panel,
               int64_t count, int64_t shift) {
    with_element(wide.dtype, [&](auto element) {
        using From = typename decltype(element)::Type;
        for (int64_t p = 0; p < count; ++p) {
            typename F::B* target = out + p * kNarrowRows * kPanel;
            const int64_t column = (panel + p) * kPanel - shift;
            const From* source = row_of<From>(wide, first);
            if (column >= 0) {
                pack_panel<V>(target, source + column, wide.stride, std::min(kPanel, wide.cols - column),
                              rows);
                continue;
            }
            // The panel begins with another part's rows.
            From own[kNarrowRows * kPanel] = {};
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t c = -column; c < std::min(kPanel, wide.cols - column); ++c)
                    own[r * kPanel + c] = source[r * wide.stride + column + c];
            pack_panel<V>(target, own, kPanel, kPanel, rows);
        }
    });
}

// sink(j, count, panel, tile[count][32]) with tile[i][c] = sum over m of narrow[m, column + j + i] wide[m, 32
// panel + c - shift]: panels are those of the gradient's layout, so that the first and the last may be
// partial. Blocks of kNarrowRows rows are summed from zero and added in order.
template <class V, class F, class Sink>
Status narrow_product(const ConstMat& narrow, int64_t column, int64_t columns, const ConstMat& wide,
                      int64_t shift, Stream* stream, const Sink& sink) {
    constexpr int64_t kTile = kTileRows<V> * kPanel;
    const NarrowCut<V> cut{columns};
    const int64_t M = wide.rows, padded = divide_up(M, F::kStep) * F::kStep, micropanels = cut.micropanels();
    const int64_t begin_panel = shift / kPanel, end_panel = divide_up(shift + wide.cols, kPanel);
    const int64_t group = std::clamp<int64_t>(divide_up(end_panel - begin_panel, 16), 1, kWidePanels);
    const int64_t block = group * kNarrowRows * kPanel;  // of the wide matrix, for a worker
    const int64_t own = group * micropanels * kTile;     // of its tiles
    auto* packed = gemm_scratch<typename F::A>(stream, kSlotA, micropanels * padded * kTileRows<V>);
    auto* blocks = gemm_scratch<typename F::B>(stream, kSlotB, stream->pool->threads() * block);
    float* work = gemm_scratch<float>(stream, kTileSlot, stream->pool->threads() * own);
    if (packed == nullptr || blocks == nullptr || work == nullptr) return Status::Memory;
    pack_narrow<V, F>(packed, narrow, column, cut, padded, stream);
    stream->pool->parallel(divide_up(end_panel - begin_panel, group), [&](int64_t task, int worker) {
        typename F::B* panels = blocks + worker * block;
        float* tiles = work + worker * own;
        const int64_t first_panel = begin_panel + task * group;
        const int64_t count = std::min(group, end_panel - first_panel);
        for (int64_t m = 0; m < M; m += kNarrowRows) {
            const int64_t rows = std::min(kNarrowRows, M - m);
            pack_wide<V, F>(panels, wide, m, rows, first_panel, count, shift);
            for (int64_t i = 0; i < micropanels; ++i)
                for (int64_t p = 0; p < count; ++p)
                    kTileKernels<V, F>[static_cast<size_t>(cut.count(i) - 1)](
                        tiles + (i * group + p) * kTile, packed + (i * padded + m) * kTileRows<V>,
                        panels + p * kNarrowRows * kPanel, divide_up(rows, F::kStep), m == 0, nullptr);
        }
        for (int64_t i = 0; i < micropanels; ++i)
            for (int64_t p = 0; p < count; ++p)
                sink(i * cut.width(), cut.count(i), first_panel + p, tiles + (i * group + p) * kTile);
    });
    return Status::Ok;
}

// Both gradients; F is the format of both products.
template <class V, class F>
Status lowrank_weight_in(const WeightGrad& da, const WeightGrad& db, const ConstMat& dy, const ConstMat& dh,
                         const ConstMat& x, const ConstMat& h, const LowRank& term, Stream* stream) {
    const int64_t rank = term.rank;
    const auto add_a = [&](int64_t j, int64_t count, int64_t panel, const float* tile) {
        const int64_t columns = std::min(kPanel, da.K - panel * kPanel);
        for (int64_t i = j; i < j + count; ++i) {
            float* row = da.data + (i / kPanel * even(da.K) + panel * kPanel) * kPanel + i % kPanel;
            for (int64_t k = 0; k < columns; ++k) row[k * kPanel] += tile[(i - j) * kPanel + k];
        }
    };
    Status status = narrow_product<V, F>(dh, 0, dh.cols, x, 0, stream, add_a);
    for (int64_t part = 0; part < term.part_count && status == Status::Ok; ++part) {
        const LowRankPart& rows = term.parts[part];
        const auto add_b = [&](int64_t j, int64_t count, int64_t panel, const float* tile) {
            const int64_t low = std::max<int64_t>(0, rows.row - panel * kPanel);
            const int64_t high = std::min(kPanel, rows.row + rows.rows - panel * kPanel);
            for (int64_t i = 0; i < count; ++i) {
                float* row = db.data + (panel * even(rank) + j + i) * kPanel;
                for (int64_t n = low; n < high; ++n) row[n] += term.scale * tile[i * kPanel + n];
            }
        };
        ConstMat own = dy;
        own.data = static_cast<const std::byte*>(dy.data) + rows.row * dtype_size(dy.dtype);
        own.cols = rows.rows;
        status = narrow_product<V, F>(h, part * rank, rank, own, rows.row, stream, add_b);
    }
    return status;
}

// da[R,K] += dh^T x;  db[N,rank] += scale dy^T h of each part. Where the processor multiplies bf16 pairs and
// x is bf16, all four are rounded to it, as linear_backward_weight does.
template <class V>
Status lowrank_backward_weight(WeightGrad da, WeightGrad db, ConstMat dy, ConstMat dh, ConstMat x, ConstMat h,
                               const LowRank* term, Stream* stream) {
    if (term == nullptr || !well_formed(x) || !well_formed(dy) || !fits_term(*term, dy.cols, x.cols))
        return Status::Shape;
    const int64_t M = dy.rows, R = term_columns(*term);
    if (x.rows != M || !is_gradient(dh, M, R) || !is_gradient(h, M, R)) return Status::Shape;
    if (!is_panels(da.layout, da.data, da.N, da.K) || da.N != R || da.K != x.cols) return Status::Shape;
    if (!is_panels(db.layout, db.data, db.N, db.K) || db.N != dy.cols || db.K != term->rank)
        return Status::Shape;
    if (M == 0) return Status::Ok;
    if constexpr (V::kBf16Dot)
        if (x.dtype == DType::BF16)
            return lowrank_weight_in<V, DotFormat<V>>(da, db, dy, dh, x, h, *term, stream);
    return lowrank_weight_in<V, PlainFormat<V>>(da, db, dy, dh, x, h, *term, stream);
}

}  // namespace
}  // namespace attune
