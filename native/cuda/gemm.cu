// Linear maps: forward with its epilogue, gradients of inputs and of weights. Where a model is bf16 its
// products are those of tensor cores, and gradients are rounded on their way there; everything else is in
// full fp32.
#include "cuda/gemm.h"

#include <cmath>
#include <cstdint>

#include "cuda/column_sums.h"
#include "cuda/gemm_hopper.h"
#include "cuda/gemm_tile.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kPartialSlot = 0;
constexpr int kRoundedSlot = 2;
constexpr int kCublasLtSlot = 3;
constexpr int64_t kBiasRows = 128;  // of a partial sum

// 16 bytes of a row may be read at once, from every multiple of as many on.
bool reads_sixteen(const void* data, int64_t stride, DType dtype) {
    return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride * dtype_size(dtype) % 16 == 0;
}

// The operand whose outer indices are the rows, or the columns, of m.
template <class T>
RowsOperand<T> rows_of(const ConstMat& m) {
    return {static_cast<const T*>(m.data), m.stride, m.rows, m.cols,
            reads_sixteen(m.data, m.stride, m.dtype)};
}
template <class T>
ColumnsOperand<T> columns_of(const ConstMat& m) {
    return {static_cast<const T*>(m.data), m.stride, m.cols, m.rows,
            reads_sixteen(m.data, m.stride, m.dtype)};
}

ConstMat weight_rows(const Weight& w, int64_t first, int64_t rows) {
    const int64_t stride = weight_stride(w.layout, w.K);
    return {static_cast<const std::byte*>(w.data) + first * stride * dtype_size(w.dtype), w.dtype, rows, w.K,
            stride};
}

__global__ void say_hopper_kernel(int32_t* out) {
    *out = kHopper ? 1 : 0;
}

template <class A, class B>
Status multiply_bf16(const char* name, const A& a, const B& b, const EpilogueStore& store, Device& device) {
    if (device.has_wgmma() && fits_tensor_map(matrix_of(a)) && fits_tensor_map(matrix_of(b)))
        return gemm_hopper(name, a, b, store, device);
    return gemm_pairs(name, a, b, store, device.queue());
}

// ---- gradients by NVIDIA's library, where it is asked for

bool uses_cublaslt(const CublasLtProduct& product, Device& device) {
    return device.cublaslt() != nullptr && device.cublaslt()->takes(product);
}

Status multiply_by_cublaslt(const CublasLtProduct& product, Device& device) {
    auto* workspace = device.workspace<std::byte>(kCublasLtSlot, CublasLt::kWorkspaceBytes);
    if (workspace == nullptr) return Status::Memory;
    return device.cublaslt()->multiply(product, workspace, device.queue()->direct());
}

// ---- gradients on their way to tensor cores

template <int kCount>
__global__ void round_kernel(bf16_t* target, int64_t target_stride, View<const float> source, int64_t rows,
                             int64_t cols) {
    const int64_t index = thread_index(), per_row = cols / kCount;
    if (index >= rows * per_row) return;
    const int64_t row = index / per_row, col = index % per_row * kCount;
    float values[kCount];
    load_numbers(values, source.row(row) + col);
    store_numbers(target + row * target_stride + col, values);
}

// A copy of fp32 m in bf16, until the next one; m itself where it is bf16. data null: there is no memory.
ConstMat rounded(const ConstMat& m, Device& device) {
    if (m.dtype == DType::BF16) return m;
    const int64_t stride = (m.cols + kChunkNumbers - 1) / kChunkNumbers * kChunkNumbers;
    auto* memory = device.workspace<bf16_t>(kRoundedSlot, m.rows * stride);
    ConstMat copy{memory, DType::BF16, m.rows, m.cols, stride};
    if (memory == nullptr) return copy;
    const Status status = with_chunks(in_chunks(m), [&](auto count) {
        constexpr int kCount = decltype(count)::value;
        return launch("linear_backward", round_kernel<kCount>, {blocks_for(m.rows * m.cols / kCount)},
                      kThreads, 0, device.queue(), memory, stride, view_of<float>(m), m.rows, m.cols);
    });
    if (status != Status::Ok) copy.data = nullptr;
    return copy;
}

bool fits(const Weight& w, int64_t N, int64_t K) {
    return w.layout == Layout::Panels && w.N == N && w.K == K && (w.data != nullptr || N == 0 || K == 0);
}

bool epilogue_fits(const Epilogue& e, int64_t M, int64_t N) {
    return (e.residual.data == nullptr || has_shape(e.residual, M, N)) &&
           (e.before_activation.data == nullptr || has_shape(e.before_activation, M, N));
}

}  // namespace

Status has_hopper_code(bool& has, Device& device) {
    void* said = nullptr;  // of no op: their work spaces are one another's
    Status status = allocate(&said, sizeof(int32_t));
    if (status != Status::Ok) return status;
    int32_t result = 0;
    status = launch("say_hopper", say_hopper_kernel, {1}, 1, 0, device.queue(), static_cast<int32_t*>(said));
    if (status == Status::Ok) status = device.read(&result, said, sizeof(result));
    has = status == Status::Ok && result != 0;
    release(said);
    return status;
}

// The three shapes of a product. Where weights (or, for their gradient, activations) are bf16, tensor cores
// multiply; fp32 activations keep their precision on the way forward, gradients are rounded.
Status rows_times_outputs(const Product& target, ConstMat x, const Weight& w, int64_t first, int64_t rows,
                          Device& device) {
    constexpr const char* kName = "linear_forward";
    const auto store = store_of(target, x.rows, rows);
    const ConstMat weights = weight_rows(w, first, rows);
    if (w.dtype == DType::BF16 && x.dtype == DType::BF16)
        return multiply_bf16(kName, rows_of<bf16_t>(x), rows_of<bf16_t>(weights), store, device);
    return with_elements(x.dtype, w.dtype, [&](auto left, auto right) {
        using Left = typename decltype(left)::Type;
        using Right = typename decltype(right)::Type;
        return gemm_floats(kName, rows_of<Left>(x), rows_of<Right>(weights), store, device.queue());
    });
}

Status rows_times_inputs(const Product& target, ConstMat dy, const Weight& w, int64_t first, Device& device) {
    constexpr const char* kName = "linear_backward_input";
    const auto store = store_of(target, dy.rows, w.K);
    const ConstMat weights = weight_rows(w, first, dy.cols);
    if (w.dtype == DType::BF16) {
        const ConstMat left = rounded(dy, device);
        if (left.data == nullptr) return Status::Memory;
        const CublasLtProduct product{target.c, left, weights, false, false, target.scale, target.accumulate};
        if (uses_cublaslt(product, device)) return multiply_by_cublaslt(product, device);
        return multiply_bf16(kName, rows_of<bf16_t>(left), columns_of<bf16_t>(weights), store, device);
    }
    return with_element(dy.dtype, [&](auto left) {
        using Left = typename decltype(left)::Type;
        return gemm_floats(kName, rows_of<Left>(dy), columns_of<float>(weights), store, device.queue());
    });
}

Status columns_times_columns(const Product& target, ConstMat dy, ConstMat x, bool pairs, Device& device) {
    constexpr const char* kName = "linear_backward_weight";
    const auto store = store_of(target, dy.cols, x.cols);
    if (pairs) {
        const ConstMat left = rounded(dy, device);
        if (left.data == nullptr && dy.rows > 0) return Status::Memory;
        const CublasLtProduct product{target.c, left, x, true, false, target.scale, target.accumulate};
        if (uses_cublaslt(product, device)) return multiply_by_cublaslt(product, device);
        return multiply_bf16(kName, columns_of<bf16_t>(left), columns_of<bf16_t>(x), store, device);
    }
    return with_elements(dy.dtype, x.dtype, [&](auto left, auto right) {
        using Left = typename decltype(left)::Type;
        using Right = typename decltype(right)::Type;
        return gemm_floats(kName, columns_of<Left>(dy), columns_of<Right>(x), store, device.queue());
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
    return rows_times_outputs({.c = y, .epilogue = e}, x, w, 0, w.N, device_of(stream));
}

Status linear_backward_input(Mat dx, ConstMat dy, Weight w, int32_t accumulate, Stream* stream) {
    if (!is_gradient(dx, dy.rows, w.K) || !has_shape(dy, dy.rows, w.N) || !fits(w, dy.cols, dx.cols))
        return Status::Shape;
    if (dx.rows == 0 || dx.cols == 0) return Status::Ok;
    return rows_times_inputs({.c = dx, .accumulate = accumulate != 0}, dy, w, 0, device_of(stream));
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
    return columns_times_columns({.c = gradient_rows(dw, 0, dw.N), .accumulate = accumulate != 0}, dy, x,
                                 x.dtype == DType::BF16, device);
}

}  // namespace

void fill_gemm(Ops& ops) {
    ops.linear_forward = linear_forward;
    ops.linear_backward_input = linear_backward_input;
    ops.linear_backward_weight = linear_backward_weight;
}

}  // namespace attune::gpu
