// The products that linear maps and low-rank terms are made of, and where their results go.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// c = activation(scale * product (+ c when accumulate) + bias) + residual
struct Product {
    Mat c;
    Epilogue epilogue{};
    float scale = 1;
    bool accumulate = false;
};

// dw in panels, rows [first, first + rows) of it: = or += scale * product
struct PanelProduct {
    WeightGrad dw;
    int64_t first = 0;
    float scale = 1;
    bool accumulate = false;
};

// x[M,K] times rows [first, first + rows) of W: c[M, rows].
Status rows_times_outputs(const Product& target, ConstMat x, const Weight& w, int64_t first, int64_t rows,
                          void* queue);
// dy[M,N] times rows [first, first + N) of W: c[M, K].
Status rows_times_inputs(const Product& target, ConstMat dy, const Weight& w, int64_t first, void* queue);
// dy^T x: [dy.cols, x.cols]; pairs: in bf16.
Status columns_times_columns(const PanelProduct& target, ConstMat dy, ConstMat x, bool pairs, void* queue);

// ---- inside of kernels

// A matrix of either dtype, decided at each access.
struct AnyView {
    void* data;
    int64_t stride;
    DType dtype;

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
};
inline AnyView any_view(const ConstMat& m) {
    return {const_cast<void*>(m.data), m.stride, m.dtype};
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
    __device__ void one(int64_t i, int64_t j, float sum) const {
        float value = sum * scale;
        if (accumulate) value += c.get(i, j);
        if (bias != nullptr) value += bias[j];
        if (before.data != nullptr) before.set(i, j, value);
        if (gelu) value = gelu_tanh(value);
        if (residual.data != nullptr) value += residual.get(i, j);
        c.set(i, j, value);
    }
    __device__ void operator()(int64_t i, int64_t j, float value, float next) const {
        if (i >= rows) return;
        if (j < cols) one(i, j, value);
        if (j + 1 < cols) one(i, j + 1, next);
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

struct PanelStore {
    PanelProduct target;
    int64_t rows, cols;

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(target.dw.data);
    }
    __device__ void one(int64_t i, int64_t j, float sum) const {
        const int64_t n = target.first + i;
        const int64_t padded = (target.dw.K + 1) / 2 * 2;
        float& at = target.dw.data[n / kPanel * kPanel * padded + j * kPanel + n % kPanel];
        const float value = sum * target.scale;
        at = target.accumulate ? at + value : value;
    }
    __device__ void operator()(int64_t i, int64_t j, float value, float next) const {
        if (i >= rows) return;
        if (j < cols) one(i, j, value);
        if (j + 1 < cols) one(i, j + 1, next);
    }
};

// Four of a row may be read at once where its place is a multiple of four.
inline bool fours(const ConstMat& m) {
    return reinterpret_cast<uintptr_t>(m.data) % (4 * static_cast<uintptr_t>(dtype_size(m.dtype))) == 0 &&
           m.stride % 4 == 0;
}

}  // namespace attune::gpu
