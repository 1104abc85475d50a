// Parameters between rows of the host and those on the device. Rare, and bound by the bus.
#include <cstdint>

#include "cuda/layout.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kRowsSlot = 0;

// Elements (n, k) with n in [first, end) and k below `width`: source[n - first, k], or zero where there is
// none.
template <class T>
__global__ void import_kernel(T* weight, const float* source, Layout layout, int64_t K, int64_t width,
                              int64_t first, int64_t rows, int64_t end) {
    const int64_t index = thread_index();
    if (index >= (end - first) * width) return;
    const int64_t row = index / width, k = index % width;
    const float value = row < rows && k < K ? source[row * K + k] : 0.0f;
    store_number(weight + weight_index(layout, K, first + row, k), value);
}

Status weight_import(void* weight, DType dtype, Layout layout, int64_t N, int64_t K, int64_t first,
                     int64_t rows, const float* source, Stream* stream) {
    if (!is_row_range(N, K, first, rows)) return Status::Shape;
    if (rows == 0 || K == 0) return Status::Ok;
    Device& device = device_of(stream);
    auto* staged = device.workspace<float>(kRowsSlot, rows * K);
    if (staged == nullptr) return Status::Memory;
    if (const Status status = device.write(staged, source, rows * K * 4); status != Status::Ok) return status;
    const bool panels = layout == Layout::Panels, last = first + rows == N;
    const int64_t width = weight_stride(layout, K);
    const int64_t end = panels && last ? (N + kPanel - 1) / kPanel * kPanel : first + rows;
    return with_element(dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("weight_import", import_kernel<T>, {blocks_for((end - first) * width)}, kThreads, 0,
                      device.queue(), static_cast<T*>(weight), staged, layout, K, width, first, rows, end);
    });
}

template <class T>
__global__ void export_kernel(float* target, const T* weight, Layout layout, int64_t K, int64_t first,
                              int64_t rows) {
    const int64_t index = thread_index();
    if (index >= rows * K) return;
    target[index] = load_number(weight + weight_index(layout, K, first + index / K, index % K));
}

Status weight_export(float* target, Weight weight, int64_t first, int64_t rows, Stream* stream) {
    if (!is_row_range(weight.N, weight.K, first, rows)) return Status::Shape;
    const int64_t count = rows * weight.K;
    if (count == 0) return Status::Ok;
    Device& device = device_of(stream);
    auto* staged = device.workspace<float>(kRowsSlot, count);
    if (staged == nullptr) return Status::Memory;
    const Status status = with_element(weight.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("weight_export", export_kernel<T>, {blocks_for(count)}, kThreads, 0, device.queue(),
                      staged, static_cast<const T*>(weight.data), weight.layout, weight.K, first, rows);
    });
    return status == Status::Ok ? device.read(target, staged, count * 4) : status;
}

template <class T>
__global__ void convert_kernel(T* target, const float* source, int64_t n) {
    const int64_t i = thread_index();
    if (i < n) store_number(target + i, source[i]);
}

Status weight_convert(void* target, DType dtype, const float* source, Layout layout, int64_t N, int64_t K,
                      Stream* stream) {
    if (N < 0 || K < 0) return Status::Shape;
    const int64_t n = layout_elements(layout, N, K);
    return with_element(dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("weight_convert", convert_kernel<T>, {blocks_for(n)}, kThreads, 0,
                      device_of(stream).queue(), static_cast<T*>(target), source, n);
    });
}

}  // namespace

void fill_weights(Ops& ops) {
    ops.weight_import = weight_import;
    ops.weight_export = weight_export;
    ops.weight_convert = weight_convert;
}

}  // namespace attune::gpu
