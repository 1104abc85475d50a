// What the low-rank ops share: scaled rows of h and their product with a factor added to a finished tile of a
// GEMM.
// Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_run.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

inline constexpr int kSlotTermA = 3;  // scratch slots of the low-rank ops, beside those of the GEMM
inline constexpr int kSlotTermB = 4;

inline int64_t term_columns(const LowRank& term) {  // of h
    return term.part_count * term.rank;
}

inline bool fits_term(const LowRank& term, int64_t N, int64_t K) {
    const auto fp32 = [](const Weight& w, int64_t rows, int64_t cols) {
        return w.dtype == DType::F32 && w.layout == Layout::Panels && w.data != nullptr && w.N == rows &&
               w.K == cols;
    };
    if (term.rank <= 0 || term.part_count <= 0 || term.parts == nullptr) return false;
    if (!fp32(term.a, term_columns(term), K) || !fp32(term.b, N, term.rank)) return false;
    int64_t end = 0;
    for (int64_t i = 0; i < term.part_count; ++i) {
        const LowRankPart& part = term.parts[i];
        if (part.row < end || part.rows <= 0 || part.row + part.rows > N) return false;
        end = part.row + part.rows;
    }
    return true;
}

// out[rows][parts * rank] = rows [first, first + rows) of h, times the term's scale
template <class V>
void scale_term_rows(float* out, const ConstMat& h, int64_t first, int64_t rows, const LowRank& term,
                     Stream* stream) {
    const V scale = V::set(term.scale);
    parallel_rows(stream, rows, h.cols, [&](int64_t row) {
        over_columns<V>(h.cols, [&](int64_t c, auto lanes) {
            const V value = load<V>(row_of<float>(h, first + row) + c, lanes);
            store(out + row * h.cols + c, value * scale, lanes);
        });
    });
}

// tile[rows][32] += the term's columns [32 panel, 32 panel + 32); scaled: the tile's [rows][parts * rank].
// Sums over the rank in ascending order, whatever the other rows are.
template <class V>
void add_term(float* tile, const float* scaled, int64_t rows, int64_t panel, const LowRank& term) {
    const auto kernel = tile_kernel<V, PlainFormat<V>, Side::Rows>(rows);
    const int64_t stride = term_columns(term);
    const float* b = static_cast<const float*>(term.b.data) + panel * even(term.rank) * kPanel;
    const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, term.b.N);
    for (int64_t i = 0; i < term.part_count; ++i) {
        const int64_t low = std::max(begin, term.parts[i].row);
        const int64_t high = std::min(end, term.parts[i].row + term.parts[i].rows);
        if (low >= high) continue;
        const float* a = scaled + i * term.rank;
        if (low == begin && high == end) {
            kernel(tile, a, stride, b, term.rank, false, nullptr);
            continue;
        }
        float own[kTileRows<V> * kPanel];  // the panel holds rows of several parts
        kernel(own, a, stride, b, term.rank, true, nullptr);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t n = low - begin; n < high - begin; ++n) tile[r * kPanel + n] += own[r * kPanel + n];
    }
}

}  // namespace
}  // namespace attune
