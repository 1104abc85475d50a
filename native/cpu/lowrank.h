// Linear maps with a low-rank term, forward and backward to the input. The term is added while the tiles of
// the map's own GEMM are in cache, so that it costs its products and no pass over memory; where x and dy
// are converted, once for both. Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_backward_input.h"
#include "cpu/gemm_forward.h"
#include "cpu/lowrank_term.h"
#include "cpu/lowrank_weight.h"

namespace attune {
namespace {

// F: format of the map; H: of h = x A^T over the same rows of x.
template <class V, class F, class H>
Status lowrank_forward_in(const Mat& y, const Mat& h, const ConstMat& x, const Weight& w, const LowRank& term,
                          const Epilogue& epilogue, Stream* stream) {
    const int64_t padded = divide_up(w.K, F::kStep) * F::kStep;
    int64_t slab_first = 0;
    float* scaled = nullptr;
    const auto prepare = [&]<Side side>(const Broadcast<typename F::A, side>& a, int64_t first,
                                        int64_t rows) {
        slab_first = first;
        scaled = gemm_scratch<float>(stream, kSlotTermA, rows * h.cols);
        if (scaled == nullptr) return Status::Memory;
        const auto* factors = static_cast<const float*>(term.a.data);
        const Gemm<H, side> gemm{a, factors, even(w.K) * kPanel, rows, divide_up(h.cols, kPanel), padded};
        const auto store = [&](int64_t row, int64_t count, int64_t panel, const float* tile) {
            store_rows<V>(h, false, first + row, count, panel, tile);
        };
        if (!gemm_run<V>(gemm, stream, store)) return Status::Memory;
        scale_term_rows<V>(scaled, h, first, rows, term, stream);
        return Status::Ok;
    };
    return forward_in<V, F>(y, x, w, stream, prepare,
                            [&](int64_t row, int64_t rows, int64_t panel, float* tile) {
                                add_term<V>(tile, scaled + (row - slab_first) * h.cols, rows, panel, term);
                                store_epilogue<V>(y, epilogue, row, rows, panel, tile);
                            });
}

template <class V>
Status lowrank_forward(Mat y, Mat h, ConstMat x, Weight w, const LowRank* term, const Epilogue* given,
                       Stream* stream) {
    const Epilogue epilogue = given != nullptr ? *given : Epilogue{};
    if (term == nullptr || !is_panels(w.layout, w.data, w.N, w.K) || !well_formed(x) || x.cols != w.K)
        return Status::Shape;
    if (!fits_term(*term, w.N, w.K) || !is_gradient(h, x.rows, term_columns(*term))) return Status::Shape;
    if (!has_shape(y, x.rows, w.N) || !fits_epilogue(epilogue, x.rows, w.N)) return Status::Shape;
    using Plain = PlainFormat<V>;
    if (w.dtype == DType::F32)
        return lowrank_forward_in<V, Plain, Plain>(y, h, x, w, *term, epilogue, stream);
    if constexpr (V::kBf16Dot)
        if (x.dtype == DType::BF16)
            return lowrank_forward_in<V, DotFormat<V>, MixedFormat<V>>(y, h, x, w, *term, epilogue, stream);
    return lowrank_forward_in<V, StorageFormat<V>, Plain>(y, h, x, w, *term, epilogue, stream);
}

// scale B as the vector side of dh = dy B: panels [ceil(parts*rank/32)], b_stride elements apart, of rows
// [first, first + count) of n; column i*rank + j holds B[n,j] where n is of part i.
template <class V, class F>
void pack_term_columns(typename F::B* out, int64_t b_stride, const LowRank& term, int64_t first,
                       int64_t count, Stream* stream) {
    constexpr int64_t kRows = 256;
    const int64_t panels = divide_up(term_columns(term), kPanel);
    const int64_t padded = divide_up(count, kPanel) * kPanel;
    const auto* b = static_cast<const float*>(term.b.data);
    stream->pool->parallel(divide_up(padded, kRows), [&](int64_t task, int) {
        const int64_t begin = task * kRows, end = std::min(begin + kRows, padded);
        const auto at = [&](int64_t n, int64_t column) -> typename F::B& {
            typename F::B* panel = out + column / kPanel * b_stride;
            if constexpr (F::kStep == 2) return panel[n / 2 * 2 * kPanel + column % kPanel * 2 + n % 2];
            return panel[n * kPanel + column % kPanel];
        };
        for (int64_t panel = 0; panel < panels; ++panel)
            std::fill_n(out + panel * b_stride + begin * kPanel, (end - begin) * kPanel, typename F::B{});
        for (int64_t i = 0; i < term.part_count; ++i) {
            const int64_t low = std::max(first + begin, term.parts[i].row);
            const int64_t high = std::min(first + end, term.parts[i].row + term.parts[i].rows);
            for (int64_t n = low; n < high; ++n) {
                const float* row = b + n / kPanel * even(term.rank) * kPanel + n % kPanel;
                for (int64_t j = 0; j < term.rank; ++j) {
                    const float value = row[j * kPanel] * term.scale;
                    if constexpr (sizeof(typename F::B) == 2)
                        at(n - first, i * term.rank + j) = float_to_bf16(value);
                    else
                        at(n - first, i * term.rank + j) = value;
                }
            }
        }
    });
}

// Everything about dx = dy W + dh A and dh = scale dy B that does not change from slab to slab.
template <class F>
struct LowRankInput {
    const Mat& dx;  // data null: dh alone
    const Mat& dh;
    const ConstMat& dy;
    const LowRank& term;
    typename F::B* b;         // packed W^T of this slab of n
    typename F::B* factor_b;  // packed scale B of it
    typename F::B* factor_a;  // [panels of K][parts*rank rounded up to 32][32]: A, for the term of dx
    int64_t b_stride;
    Stream* stream;

    int64_t factor_rows() const { return divide_up(dh.cols, kPanel) * kPanel; }
};

// Slab [n_first, n_first + n_count) of n over all rows. dh is complete, and its term is added, at the last
// one.
template <class V, class F, Side side>
Status lowrank_input_slab(const LowRankInput<F>& in, int64_t n_first, int64_t n_count, bool last) {
    using A = typename F::A;
    constexpr Side kDhSide = sizeof(A) == 4 ? Side::Rows : Side::Packed;  // dh is fp32
    const int64_t slab = slab_rows<V>(n_count, sizeof(A));
    const int64_t columns = in.dh.cols, steps = divide_up(columns, F::kStep);
    for (int64_t first = 0; first < in.dy.rows; first += slab) {
        const int64_t rows = std::min(slab, in.dy.rows - first);
        const auto a = broadcast_rows<V, F, side>(in.dy, first, rows, n_first, n_count, kSlotA, in.stream);
        if (a.data == nullptr) return Status::Memory;
        const Gemm<F, side> to_dh{a, in.factor_b, in.b_stride, rows, divide_up(columns, kPanel), n_count};
        const auto store_dh = [&](int64_t row, int64_t count, int64_t panel, const float* tile) {
            store_rows<V>(in.dh, n_first > 0, first + row, count, panel, tile);
        };
        if (!gemm_run<V>(to_dh, in.stream, store_dh)) return Status::Memory;
        if (in.dx.data == nullptr) continue;
        Broadcast<A, kDhSide> dh{};
        if (last) {
            dh = broadcast_rows<V, F, kDhSide>(in.dh, first, rows, 0, columns, kSlotTermA, in.stream);
            if (dh.data == nullptr) return Status::Memory;
        }
        const Gemm<F, kDhSide> term{dh, in.factor_a, in.factor_rows() * kPanel, rows, 0, columns};
        const Gemm<F, side> to_dx{a, in.b, in.b_stride, rows, divide_up(in.dx.cols, kPanel), n_count};
        const auto store_dx = [&](int64_t row, int64_t count, int64_t panel, float* tile) {
            if (last)
                tile_kernel<V, F, kDhSide>(count)(tile, term.template a_at<V>(row - first, 0), dh.stride,
                                                  term.b + panel * term.b_stride, steps, false, nullptr);
            store_rows<V>(in.dx, n_first > 0, row, count, panel, tile);
        };
        const RowSink<decltype(store_dx)> sink{in.dx, first, 0, store_dx};
        if (!gemm_run<V>(to_dx, in.stream, sink)) return Status::Memory;
    }
    return Status::Ok;
}

// Columns [32 q, 32 q + 32) of A[R,K], R rounded up to 32: [l][32], in bf16 [l/2][32][2]; zero outside.
inline void pack_factor(float* out, const Weight& a, int64_t q) {
    for (int64_t n = 0; n < a.N; n += kPanel) pack_transposed<float, float>(out + n * kPanel, a, q, n);
}
inline void pack_factor(bf16_t* out, const Weight& a, int64_t q) {
    const auto* data = static_cast<const float*>(a.data);
    for (int64_t l0 = 0; l0 < a.N; l0 += kPanel)
        for (int64_t j = 0; j < kPanel; ++j) {
            const int64_t k = q * kPanel + j;
            const float* column = data + (l0 * even(a.K) + k * kPanel);  // 32 rows of A
            for (int64_t l = 0; l < kPanel; ++l)
                out[((l0 + l) / 2 * kPanel + j) * 2 + l % 2] = k < a.K ? float_to_bf16(column[l]) : bf16_t{0};
        }
}

template <class V, class F, Side side, class From>
Status lowrank_input_in(const Mat& dx, const Mat& dh, const ConstMat& dy, const Weight& w,
                        const LowRank& term, Stream* stream) {
    using B = typename F::B;
    const int64_t panels = dx.data == nullptr ? 0 : divide_up(w.K, kPanel);
    const int64_t b_stride = std::min(kDepthSlab, divide_up(w.N, kPanel) * kPanel) * kPanel;
    const int64_t factor_panels = divide_up(dh.cols, kPanel);
    B* b = gemm_scratch<B>(stream, kSlotB, (panels + factor_panels) * b_stride);
    B* factor_a = gemm_scratch<B>(stream, kSlotTermB, panels * factor_panels * kPanel * kPanel);
    if (b == nullptr || factor_a == nullptr) return Status::Memory;
    const LowRankInput<F> in{dx, dh, dy, term, b, b + panels * b_stride, factor_a, b_stride, stream};
    stream->pool->parallel(
        panels, [&](int64_t q, int) { pack_factor(factor_a + q * in.factor_rows() * kPanel, term.a, q); });
    for (int64_t first = 0; first < w.N; first += kDepthSlab) {
        const int64_t count = std::min(kDepthSlab, w.N - first);
        if (panels > 0) pack_weight_slab<B, From>(b, b_stride, w, first, count, stream);
        pack_term_columns<V, F>(in.factor_b, b_stride, term, first, count, stream);
        const Status status = lowrank_input_slab<V, F, side>(in, first, count, first + count == w.N);
        if (status != Status::Ok) return status;
    }
    return Status::Ok;
}

template <class V, class F, class From>
Status lowrank_input_from(const Mat& dx, const Mat& dh, const ConstMat& dy, const Weight& w,
                          const LowRank& term, Stream* stream) {
    if (in_place<F>(dy, w.K)) return lowrank_input_in<V, F, Side::Rows, From>(dx, dh, dy, w, term, stream);
    return lowrank_input_in<V, F, Side::Packed, From>(dx, dh, dy, w, term, stream);
}

template <class V>
Status lowrank_backward_input(Mat dx, Mat dh, ConstMat dy, Weight w, const LowRank* term, Stream* stream) {
    if (term == nullptr || !is_panels(w.layout, w.data, w.N, w.K) || !well_formed(dy) || dy.cols != w.N)
        return Status::Shape;
    if (!fits_term(*term, w.N, w.K) || !is_gradient(dh, dy.rows, term_columns(*term))) return Status::Shape;
    if (dx.data != nullptr && !is_gradient(dx, dy.rows, w.K)) return Status::Shape;
    if (dy.rows == 0) return Status::Ok;
    using Plain = PlainFormat<V>;
    if (w.dtype == DType::F32) return lowrank_input_from<V, Plain, float>(dx, dh, dy, w, *term, stream);
    if constexpr (V::kBf16Dot)
        return lowrank_input_from<V, DotFormat<V>, bf16_t>(dx, dh, dy, w, *term, stream);
    return lowrank_input_from<V, Plain, bf16_t>(dx, dh, dy, w, *term, stream);
}

template <class V>
void fill_lowrank(Ops& ops) {
    ops.lowrank_forward = lowrank_forward<V>;
    ops.lowrank_backward_input = lowrank_backward_input<V>;
    ops.lowrank_backward_weight = lowrank_backward_weight<V>;
}

}  // namespace
}  // namespace attune
