// What the low-rank ops share: packed factors and their product added to a finished tile of a GEMM.
// Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_pack.h"
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

// Rows [first, first + rows) of h, times `scale`, as micropanels
// [ceil(rows/kTileRows)][parts][rank][kTileRows].
template <class V>
void pack_term_rows(float* out, const ConstMat& h, int64_t first, int64_t rows, const LowRank& term,
                    float scale, Stream* stream) {
    const int64_t size = term.rank * kTileRows<V>;
    const int64_t micropanels = divide_up(rows, kTileRows<V>);
    constexpr int64_t kTogether = 16;
    stream->pool->parallel(divide_up(micropanels, kTogether), [&](int64_t task, int) {
        const int64_t end = std::min((task + 1) * kTogether, micropanels);
        for (int64_t i = task * kTogether; i < end; ++i) {
            const int64_t row = i * kTileRows<V>;
            for (int64_t part = 0; part < term.part_count; ++part) {
                float* panel = out + (i * term.part_count + part) * size;
                pack_rows<V>(panel, row_of<float>(h, first + row) + part * term.rank, h.stride,
                             std::min<int64_t>(kTileRows<V>, rows - row), term.rank, term.rank);
                for (int64_t e = 0; e < size; ++e) panel[e] *= scale;
            }
        }
    });
}

// tile[rows][32] += the term's columns [32 panel, 32 panel + 32); packed: this micropanel's
// [parts][rank][..]. Sums over the rank in ascending order, whatever the other rows are.
template <class V>
void add_term(float* tile, const float* packed, int64_t rows, int64_t panel, const LowRank& term) {
    using F = PlainFormat<V>;
    const auto kernel = kTileKernels<V, F>[static_cast<size_t>(rows - 1)];
    const float* b = static_cast<const float*>(term.b.data) + panel * even(term.rank) * kPanel;
    const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, term.b.N);
    for (int64_t i = 0; i < term.part_count; ++i) {
        const int64_t low = std::max(begin, term.parts[i].row);
        const int64_t high = std::min(end, term.parts[i].row + term.parts[i].rows);
        if (low >= high) continue;
        const float* a = packed + i * term.rank * kTileRows<V>;
        if (low == begin && high == end) {
            kernel(tile, a, b, term.rank, false, nullptr);
            continue;
        }
        float own[kTileRows<V> * kPanel];  // the panel holds rows of several parts
        kernel(own, a, b, term.rank, true, nullptr);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t n = low - begin; n < high - begin; ++n) tile[r * kPanel + n] += own[r * kPanel + n];
    }
}

}  // namespace
}  // namespace attune
