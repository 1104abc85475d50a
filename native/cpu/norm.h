// RMSNorm and LayerNorm over rows, forward and backward. Bytes: forward reads x and writes y; backward reads
// dy and x and writes dx. Statistics are summed in double. Included after a vec_*.h; must not include
// reference.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/ops.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

// Rows whose weight gradients one task adds up. The grouping is part of the result, so it never depends on
// threads.
constexpr int64_t kNormBlock = 32;
constexpr int kNormSlot = 0;

template <class V>
void clear(float* x, int64_t n) {
    over_columns<V>(n, [&](int64_t c, auto lanes) { store<V>(x + c, V::zero(), lanes); });
}

// target[C] += sum over blocks of partial[blocks][stride], first block first
inline void add_partials(float* target, const float* partial, int64_t blocks, int64_t stride, int64_t C,
                         Stream* stream) {
    constexpr int64_t kColumns = 64;
    parallel_blocks(stream, C, kColumns, [&](int64_t first, int64_t count) {
        double sums[kColumns] = {};
        for (int64_t block = 0; block < blocks; ++block)
            for (int64_t c = 0; c < count; ++c)
                sums[c] += static_cast<double>(partial[block * stride + first + c]);
        for (int64_t c = 0; c < count; ++c)
            target[first + c] = static_cast<float>(static_cast<double>(target[first + c]) + sums[c]);
    });
}

// y[C] = x[C] * rstd * w[C]
template <class V, class Y, class X>
void rmsnorm_row(Y* y, float* rstd, const X* x, const float* w, int64_t C, float epsilon) {
    const double squares = sum_columns<V>(C, [&](int64_t c, auto lanes) {
        const V value = load<V>(x + c, lanes);
        return value * value;
    });
    const auto scale =
        static_cast<float>(1 / std::sqrt(squares / static_cast<double>(C) + static_cast<double>(epsilon)));
    *rstd = scale;
    const V factor = V::set(scale);
    over_columns<V>(C, [&](int64_t c, auto lanes) {
        store<V>(y + c, load<V>(x + c, lanes) * factor * load<V>(w + c, lanes), lanes);
    });
}

// y[R,groups*C] =;  rstd[R*groups]
template <class V>
Status rmsnorm_forward(Mat y, float* rstd, ConstMat x, const float* w, int64_t groups, float epsilon,
                       Stream* stream) {
    if (groups <= 0 || !well_formed(x) || !has_shape(y, x.rows, x.cols) || x.cols % groups != 0)
        return Status::Shape;
    const int64_t C = x.cols / groups;
    with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        parallel_rows(stream, x.rows, x.cols, [&](int64_t row) {
            for (int64_t group = 0; group < groups; ++group)
                rmsnorm_row<V>(row_of<Y>(y, row) + group * C, rstd + row * groups + group,
                               row_of<X>(x, row) + group * C, w, C, epsilon);
        });
    });
    return Status::Ok;
}

// dx[C] = (+=) rstd (g - n mean(g n));  dw[C] += dy n   with n = x rstd, g = dy w
template <class V, class X>
void rmsnorm_backward_row(float* dx, float* dw, const float* dy, const X* x, float rstd, const float* w,
                          int64_t C, bool accumulate) {
    const double product = sum_columns<V>(C, [&](int64_t c, auto lanes) {
        return load<V>(dy + c, lanes) * load<V>(w + c, lanes) * load<V>(x + c, lanes);
    });
    const V scale = V::set(rstd);
    const V mean = V::set(static_cast<float>(product * static_cast<double>(rstd) / static_cast<double>(C)));
    over_columns<V>(C, [&](int64_t c, auto lanes) {
        const V upstream = load<V>(dy + c, lanes);
        const V n = load<V>(x + c, lanes) * scale;
        V gradient = V::fnma(n, mean, upstream * load<V>(w + c, lanes)) * scale;
        if (dw != nullptr) store<V>(dw + c, V::fma(upstream, n, load<V>(dw + c, lanes)), lanes);
        if (accumulate) gradient = gradient + load<V>(dx + c, lanes);
        store<V>(dx + c, gradient, lanes);
    });
}

// dx[R,groups*C] fp32 = (+=);  dw[C] += (null = not wanted).  dx may be dy.
template <class V>
Status rmsnorm_backward(Mat dx, float* dw, ConstMat dy, ConstMat x, const float* rstd, const float* w,
                        int64_t groups, int32_t accumulate, Stream* stream) {
    if (groups <= 0 || !well_formed(x) || x.cols % groups != 0 || !is_gradient(dx, x.rows, x.cols) ||
        !is_gradient(dy, x.rows, x.cols))
        return Status::Shape;
    const int64_t C = x.cols / groups, blocks = (x.rows + kNormBlock - 1) / kNormBlock;
    float* partial = nullptr;
    if (dw != nullptr && blocks > 0) {
        partial =
            static_cast<float*>(stream->scratch->try_slot(kNormSlot, static_cast<size_t>(blocks * C * 4)));
        if (partial == nullptr) return Status::Memory;
    }
    with_element(x.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        parallel_blocks(stream, x.rows, kNormBlock, [&](int64_t first, int64_t count) {
            float* sums = partial == nullptr ? nullptr : partial + first / kNormBlock * C;
            if (sums != nullptr) clear<V>(sums, C);
            for (int64_t row = first; row < first + count; ++row)
                for (int64_t group = 0; group < groups; ++group)
                    rmsnorm_backward_row<V>(row_of<float>(dx, row) + group * C, sums,
                                            row_of<float>(dy, row) + group * C, row_of<X>(x, row) + group * C,
                                            rstd[row * groups + group], w, C, accumulate != 0);
        });
    });
    if (partial != nullptr) add_partials(dw, partial, blocks, C, C, stream);
    return Status::Ok;
}

// y[C] = (x[C] - mean) * rstd * w[C] + b[C]; the variance from differences to the mean
template <class V, class Y, class X>
void layernorm_row(Y* y, float* mean, float* rstd, const X* x, const float* w, const float* b, int64_t C,
                   float epsilon) {
    const auto width = static_cast<double>(C);
    const auto centre = static_cast<float>(
        sum_columns<V>(C, [&](int64_t c, auto lanes) { return load<V>(x + c, lanes); }) / width);
    const V shift = V::set(centre);
    const double squares = sum_columns<V>(C, [&](int64_t c, auto lanes) {
        const V difference = cut(load<V>(x + c, lanes) - shift, lanes);
        return difference * difference;
    });
    const auto scale = static_cast<float>(1 / std::sqrt(squares / width + static_cast<double>(epsilon)));
    *mean = centre;
    *rstd = scale;
    const V factor = V::set(scale);
    over_columns<V>(C, [&](int64_t c, auto lanes) {
        const V n = (load<V>(x + c, lanes) - shift) * factor;
        store<V>(y + c, V::fma(n, load<V>(w + c, lanes), load<V>(b + c, lanes)), lanes);
    });
}

// y[R,C] =;  mean[R];  rstd[R]
template <class V>
Status layernorm_forward(Mat y, float* mean, float* rstd, ConstMat x, const float* w, const float* b,
                         float epsilon, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, x.rows, x.cols)) return Status::Shape;
    with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        parallel_rows(stream, x.rows, x.cols, [&](int64_t row) {
            layernorm_row<V>(row_of<Y>(y, row), mean + row, rstd + row, row_of<X>(x, row), w, b, x.cols,
                             epsilon);
        });
    });
    return Status::Ok;
}

// dx[C] = (+=) rstd (g - mean(g) - n mean(g n));  dw[C] += dy n;  db[C] += dy   with n = (x - mean) rstd, g =
// dy w
template <class V, class X>
void layernorm_backward_row(float* dx, float* dw, float* db, const float* dy, const X* x, float mean,
                            float rstd, const float* w, int64_t C, bool accumulate) {
    const V shift = V::set(mean), scale = V::set(rstd);
    const auto width = static_cast<double>(C);
    const double sum_g = sum_columns<V>(
        C, [&](int64_t c, auto lanes) { return load<V>(dy + c, lanes) * load<V>(w + c, lanes); });
    const double sum_gn = sum_columns<V>(C, [&](int64_t c, auto lanes) {
        return load<V>(dy + c, lanes) * load<V>(w + c, lanes) * ((load<V>(x + c, lanes) - shift) * scale);
    });
    const V mean_g = V::set(static_cast<float>(sum_g / width));
    const V mean_gn = V::set(static_cast<float>(sum_gn / width));
    over_columns<V>(C, [&](int64_t c, auto lanes) {
        const V upstream = load<V>(dy + c, lanes);
        const V n = (load<V>(x + c, lanes) - shift) * scale;
        V gradient = V::fnma(n, mean_gn, upstream * load<V>(w + c, lanes) - mean_g) * scale;
        if (dw != nullptr) {
            store<V>(dw + c, V::fma(upstream, n, load<V>(dw + c, lanes)), lanes);
            store<V>(db + c, upstream + load<V>(db + c, lanes), lanes);
        }
        if (accumulate) gradient = gradient + load<V>(dx + c, lanes);
        store<V>(dx + c, gradient, lanes);
    });
}

// dx[R,C] fp32 = (+=);  dw[C] +=;  db[C] += (both null = not wanted).  dx may be dy.
template <class V>
Status layernorm_backward(Mat dx, float* dw, float* db, ConstMat dy, ConstMat x, const float* mean,
                          const float* rstd, const float* w, int32_t accumulate, Stream* stream) {
    if (!well_formed(x) || !is_gradient(dx, x.rows, x.cols) || !is_gradient(dy, x.rows, x.cols) ||
        (dw == nullptr) != (db == nullptr))
        return Status::Shape;
    const int64_t C = x.cols, blocks = (x.rows + kNormBlock - 1) / kNormBlock;
    float* partial = nullptr;  // [blocks][dw C | db C]
    if (dw != nullptr && blocks > 0) {
        partial = static_cast<float*>(
            stream->scratch->try_slot(kNormSlot, static_cast<size_t>(blocks * 2 * C * 4)));
        if (partial == nullptr) return Status::Memory;
    }
    with_element(x.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        parallel_blocks(stream, x.rows, kNormBlock, [&](int64_t first, int64_t count) {
            float* sums = partial == nullptr ? nullptr : partial + first / kNormBlock * 2 * C;
            if (sums != nullptr) clear<V>(sums, 2 * C);
            for (int64_t row = first; row < first + count; ++row)
                layernorm_backward_row<V>(row_of<float>(dx, row), sums, sums == nullptr ? nullptr : sums + C,
                                          row_of<float>(dy, row), row_of<X>(x, row), mean[row], rstd[row], w,
                                          C, accumulate != 0);
        });
    });
    if (partial != nullptr) {
        add_partials(dw, partial, blocks, 2 * C, C, stream);
        add_partials(db, partial + C, blocks, 2 * C, C, stream);
    }
    return Status::Ok;
}

template <class V>
void fill_norm(Ops& ops) {
    ops.rmsnorm_forward = rmsnorm_forward<V>;
    ops.rmsnorm_backward = rmsnorm_backward<V>;
    ops.layernorm_forward = layernorm_forward<V>;
    ops.layernorm_backward = layernorm_backward<V>;
}

}  // namespace
}  // namespace attune
