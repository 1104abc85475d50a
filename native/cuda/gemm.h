// The products that linear maps and low-rank terms are made of, and where their results go.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"
#include "cuda/layout.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// c = activation(scale * product (+ c when accumulate) + bias) + residual
struct Product {
    Mat c;
    Epilogue epilogue{};
    float scale = 1;
    bool accumulate = false;
};

// Rows [first, first + rows) of a parameter's gradient.
inline Mat gradient_rows(const WeightGrad& dw, int64_t first, int64_t rows) {
    const int64_t stride = weight_stride(dw.layout, dw.K);
    return {dw.data + first * stride, DType::F32, rows, dw.K, stride};
}

// x[M,K] times rows [first, first + rows) of W: c[M, rows].
Status rows_times_outputs(const Product& target, ConstMat x, const Weight& w, int64_t first, int64_t rows,
                          Device& device);
// dy[M,N] times rows [first, first + N) of W: c[M, K].
Status rows_times_inputs(const Product& target, ConstMat dy, const Weight& w, int64_t first, Device& device);
// dy^T x: [dy.cols, x.cols]; pairs: in bf16.
Status columns_times_columns(const Product& target, ConstMat dy, ConstMat x, bool pairs, Device& device);

// ---- inside of kernels

// A matrix of either dtype, decided at each access.
struct AnyView {
    void* data;
    int64_t stride;
    DType dtype;
    bool in_pairs;  // columns j and j + 1 may be accessed at once where j is even

    __device__ float get(int64_t row, int64_t col) const {
        const int64_t at = row * stride + col;
        return dtype == DType::F32 ? static_cast<const float*>(data)[at]
                                   : load_number(static_cast<const bf16_t*>(data) + at);
    }
    __device__ void set(int64_t row, int64_t col, float value) const {
        const int64_t at = row * stride + col;
        if (dtype == DType::F32)
            static_cast<float*>(data)[at] = value;
        else
            store_number(static_cast<bf16_t*>(data) + at, value);
    }
    // Of columns col and col + 1, in_pairs.
    __device__ void get_pair(float (&values)[2], int64_t row, int64_t col) const {
        const int64_t at = row * stride + col;
        if (dtype == DType::F32)
            load_numbers(values, static_cast<const float*>(data) + at);
        else
            load_numbers(values, static_cast<const bf16_t*>(data) + at);
    }
    __device__ void set_pair(int64_t row, int64_t col, const float (&values)[2]) const {
        const int64_t at = row * stride + col;
        if (dtype == DType::F32)
            store_numbers(static_cast<float*>(data) + at, values);
        else
            store_numbers(static_cast<bf16_t*>(data) + at, values);
    }
};
inline AnyView any_view(const ConstMat& m) {
    const bool in_pairs =
        m.stride % 2 == 0 &&
        reinterpret_cast<uintptr_t>(m.data) % (2 * static_cast<uintptr_t>(dtype_size(m.dtype))) == 0;
    return {const_cast<void*>(m.data), m.stride, m.dtype, in_pairs};
}

__device__ inline float gelu_tanh(float x) {
    const float z = 1.5957691216f * fmaf(0.044715f * x * x, x, x);
    return x / (1.0f + expf(-fmaxf(z, -80.0f)));
}

struct EpilogueStore {
    AnyView c, residual, before;
    const float* bias;
    int64_t rows, cols;
    float scale;
    bool accumulate;
    bool gelu;

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(c.data), visit(residual.data), visit(before.data), visit(bias);
    }
    // `count` neighbours, one or two
    __device__ void pair(int64_t i, int64_t j, float (&values)[2], int count) const {
        const auto add = [&](const AnyView& view) {
            float other[2] = {};
            if (count == 2 && view.in_pairs)
                view.get_pair(other, i, j);
            else
                for (int n = 0; n < count; ++n) other[n] = view.get(i, j + n);
            for (int n = 0; n < 2; ++n) values[n] += other[n];
        };
        const auto put = [&](const AnyView& view) {
            if (count == 2 && view.in_pairs)
                view.set_pair(i, j, values);
            else
                for (int n = 0; n < count; ++n) view.set(i, j + n, values[n]);
        };
        for (int n = 0; n < 2; ++n) values[n] *= scale;
        if (accumulate) add(c);
        if (bias != nullptr)
            for (int n = 0; n < count; ++n) values[n] += bias[j + n];
        if (before.data != nullptr) put(before);
        if (gelu)
            for (int n = 0; n < 2; ++n) values[n] = gelu_tanh(values[n]);
        if (residual.data != nullptr) add(residual);
        put(c);
    }
    __device__ void operator()(int64_t i, int64_t j, float value, float next) const {
        if (i >= rows || j >= cols) return;
        float values[2] = {value, next};
        pair(i, j, values, j + 1 < cols ? 2 : 1);
    }
};

inline EpilogueStore store_of(const Product& p, int64_t rows, int64_t cols) {
    return {any_view(p.c),
            any_view(p.epilogue.residual),
            any_view(p.epilogue.before_activation),
            p.epilogue.bias,
            rows,
            cols,
            p.scale,
            p.accumulate,
            p.epilogue.activation == Activation::GeluTanh};
}

}  // namespace attune::gpu
