// Linear maps with weights in panels: forward with its epilogue, gradients of inputs and of weights. Where a
// model is bf16 its products are those of tensor cores, and gradients are rounded on their way into shared
// memory; everything else is in full fp32.
#include "cuda/gemm.h"

#include <cmath>
#include <cstdint>

#include "cuda/column_sums.h"
#include "cuda/gemm_tile.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kPartialSlot = 0;
constexpr int64_t kBiasRows = 128;  // of a partial sum

// body(operand of the rows of x)
template <class Body>
Status with_rows(const ConstMat& x, const Body& body) {
    return with_element(x.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return body(RowsOperand<T>{static_cast<const T*>(x.data), x.stride, x.rows, x.cols, fours(x)});
    });
}
template <class Body>
Status with_columns(const ConstMat& x, const Body& body) {
    return with_element(x.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return body(ColumnsOperand<T>{static_cast<const T*>(x.data), x.stride, x.cols, x.rows, fours(x)});
    });
}

bool fits(const Weight& w, int64_t N, int64_t K) {
    return w.layout == Layout::Panels && w.N == N && w.K == K && (w.data != nullptr || N == 0 || K == 0);
}

bool epilogue_fits(const Epilogue& e, int64_t M, int64_t N) {
    return (e.residual.data == nullptr || has_shape(e.residual, M, N)) &&
           (e.before_activation.data == nullptr || has_shape(e.before_activation, M, N));
}

}  // namespace

Status rows_times_outputs(const Product& target, ConstMat x, const Weight& w, int64_t first, int64_t rows,
                          void* queue) {
    return with_rows(x, [&](const auto& left) {
        const auto store = store_of(target, x.rows, rows);
        if (w.dtype == DType::BF16 && x.dtype == DType::F32)
            return gemm_floats(
                "linear_forward", left,
                OutputsOperand<bf16_t>{static_cast<const bf16_t*>(w.data), even(w.K), first, rows, w.K},
                store, queue);
        if (w.dtype == DType::BF16)
            return gemm_pairs(
                "linear_forward", left,
                OutputsOperand<bf16_t>{static_cast<const bf16_t*>(w.data), even(w.K), first, rows, w.K},
                store, queue);
        return gemm_floats(
            "linear_forward", left,
            OutputsOperand<float>{static_cast<const float*>(w.data), even(w.K), first, rows, w.K}, store,
            queue);
    });
}

Status rows_times_inputs(const Product& target, ConstMat dy, const Weight& w, int64_t first, void* queue) {
    return with_rows(dy, [&](const auto& left) {
        const auto store = store_of(target, dy.rows, w.K);
        if (w.dtype == DType::BF16)
            return gemm_pairs(
                "linear_backward_input", left,
                InputsOperand<bf16_t>{static_cast<const bf16_t*>(w.data), even(w.K), first, w.K, dy.cols},
                store, queue);
        return gemm_floats(
            "linear_backward_input", left,
            InputsOperand<float>{static_cast<const float*>(w.data), even(w.K), first, w.K, dy.cols}, store,
            queue);
    });
}

Status columns_times_columns(const PanelProduct& target, ConstMat dy, ConstMat x, bool pairs, void* queue) {
    return with_columns(dy, [&](const auto& left) {
        return with_columns(x, [&](const auto& right) {
            const PanelStore store{target, dy.cols, x.cols};
            return pairs ? gemm_pairs("linear_backward_weight", left, right, store, queue)
                         : gemm_floats("linear_backward_weight", left, right, store, queue);
        });
    });
}

namespace {

// ---- the ops

Status linear_forward(Mat y, ConstMat x, Weight w, const Epilogue* epilogue, Stream* stream) {
    const Epilogue e = epilogue == nullptr ? Epilogue{} : *epilogue;
    if (!well_formed(x) || !has_shape(y, x.rows, w.N) || !fits(w, y.cols, x.cols) ||
        !epilogue_fits(e, y.rows, y.cols))
        return Status::Shape;
    if (y.rows == 0 || y.cols == 0) return Status::Ok;
    return rows_times_outputs({.c = y, .epilogue = e}, x, w, 0, w.N, device_of(stream).queue());
}

Status linear_backward_input(Mat dx, ConstMat dy, Weight w, int32_t accumulate, Stream* stream) {
    if (!is_gradient(dx, dy.rows, w.K) || !has_shape(dy, dy.rows, w.N) || !fits(w, dy.cols, dx.cols))
        return Status::Shape;
    if (dx.rows == 0 || dx.cols == 0) return Status::Ok;
    return rows_times_inputs({.c = dx, .accumulate = accumulate != 0}, dy, w, 0, device_of(stream).queue());
}

// partial[blocks][N] = sums over kBiasRows rows of dy
template <class T>
__global__ void bias_kernel(float* partial, View<const T> dy, int64_t rows, int64_t N) {
    const int64_t n = thread_index();
    if (n >= N) return;
    const int64_t first = int64_t{blockIdx.y} * kBiasRows;
    const int64_t last = first + kBiasRows < rows ? first + kBiasRows : rows;
    float sum = 0;
    for (int64_t row = first; row < last; ++row) sum += load_number(dy.row(row) + n);
    partial[blockIdx.y * N + n] = sum;
}

Status add_bias_gradient(float* dbias, ConstMat dy, Device& device) {
    const int64_t blocks = (dy.rows + kBiasRows - 1) / kBiasRows;
    auto* partial = device.workspace<float>(kPartialSlot, blocks * dy.cols);
    if (partial == nullptr) return Status::Memory;
    const Status status = with_element(dy.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("linear_backward_weight", bias_kernel<T>,
                      {blocks_for(dy.cols), static_cast<unsigned>(blocks)}, kThreads, 0, device.queue(),
                      partial, view_of<T>(dy), dy.rows, dy.cols);
    });
    if (status != Status::Ok) return status;
    return add_column_sums("linear_backward_weight", dbias, partial, blocks, dy.cols, device.queue());
}

Status linear_backward_weight(WeightGrad dw, float* dbias, ConstMat dy, ConstMat x, int32_t accumulate,
                              Stream* stream) {
    if (!has_shape(dy, x.rows, dw.N) || !has_shape(x, dy.rows, dw.K) || dw.layout != Layout::Panels)
        return Status::Shape;
    if (dw.N == 0) return Status::Ok;
    Device& device = device_of(stream);
    Status status = Status::Ok;
    if (dbias != nullptr && dy.rows > 0) status = add_bias_gradient(dbias, dy, device);
    if (status != Status::Ok || dw.K == 0) return status;
    return columns_times_columns({.dw = dw, .accumulate = accumulate != 0}, dy, x, x.dtype == DType::BF16,
                                 device.queue());
}

}  // namespace

void fill_gemm(Ops& ops) {
    ops.linear_forward = linear_forward;
    ops.linear_backward_input = linear_backward_input;
    ops.linear_backward_weight = linear_backward_weight;
}

}  // namespace attune::gpu
