// How launchers hand matrices to kernels: typed views, chunks where rows allow them, the choice of dtype made
// once. Knows no op. What is handed to a kernel shows its pointers, so that checks see that they are the
// device's.
#pragma once

#include <cstdint>

#include "core/shapes.h"
#include "cuda/device.h"
#include "cuda/gpu.h"

namespace attune::gpu {

template <class T>
struct View {
    T* data;
    int64_t stride;

    __device__ T* row(int64_t index) const { return data + index * stride; }
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
};

template <class T>
View<T> view_of(const Mat& m) {
    return {static_cast<T*>(m.data), m.stride};
}
template <class T>
View<const T> view_of(const ConstMat& m) {
    return {static_cast<const T*>(m.data), m.stride};
}

template <class T>
struct Element {
    using Type = T;
};
// body(Element<float>{}) or body(Element<bf16_t>{}), and what it returns.
template <class Body>
Status with_element(DType dtype, const Body& body) {
    return dtype == DType::F32 ? body(Element<float>{}) : body(Element<bf16_t>{});
}
template <class Body>
Status with_elements(DType first, DType second, const Body& body) {
    return with_element(first,
                        [&](auto a) { return with_element(second, [&](auto b) { return body(a, b); }); });
}

// Columns that a thread takes at once, where every row of every matrix allows it.
constexpr int kChunk = 8;
inline bool in_chunks(const ConstMat& m) {
    const auto bytes = static_cast<uintptr_t>(dtype_size(m.dtype));
    return m.cols % kChunk == 0 && m.stride * static_cast<int64_t>(bytes) % 16 == 0 &&
           reinterpret_cast<uintptr_t>(m.data) % 16 == 0;
}
template <int kCount>
struct Count {
    static constexpr int value = kCount;
};
// body(Count<kChunk>{}) or body(Count<1>{})
template <class Body>
Status with_chunks(bool possible, const Body& body) {
    return possible ? body(Count<kChunk>{}) : body(Count<1>{});
}

constexpr unsigned kThreads = 256;
inline unsigned blocks_for(int64_t threads) {
    return static_cast<unsigned>((threads + kThreads - 1) / kThreads);
}
__device__ inline int64_t thread_index() {
    return int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

}  // namespace attune::gpu
