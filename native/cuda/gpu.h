// What kernels are written in: CUDA C++ under nvcc, and under a C++ compiler the same words over fibers
// (simt/grid.h), so that every kernel can be checked without a GPU. Knows no op.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "core/ops.h"
#include "cuda/queue.h"
#include "cuda/runtime.h"

#ifdef __CUDACC__
#include "cuda/gpu_nvcc.h"
#else
#include "cuda/simt/gpu_simt.h"
#endif

namespace attune::gpu {

constexpr int kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

// ---- numbers in memory. bf16 is the upper half of a float.

__device__ inline float load_number(const float* at) {
    return *at;
}
__device__ inline float load_number(const bf16_t* at) {
    return bits_to_float(uint32_t{*at} << 16);
}
__device__ inline void store_number(float* at, float value) {
    *at = value;
}
__device__ inline void store_number(bf16_t* at, float value) {
    *at = to_bf16(value);
}

// Two numbers as a pair of bf16, the first in the low half: what mma takes.
__device__ inline uint32_t pack_pair(float first, float second) {
    return uint32_t{to_bf16(first)} | uint32_t{to_bf16(second)} << 16;
}

// `kCount` numbers that lie side by side: one or more accesses of up to 16 bytes.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount < 16 ? sizeof(T) * kCount : 16) Chunk {
    T values[kCount];
};
template <int kCount, class T>
__device__ inline void load_numbers(float (&out)[kCount], const T* at) {
    const auto chunk = *reinterpret_cast<const Chunk<T, kCount>*>(at);
    for (int i = 0; i < kCount; ++i) out[i] = load_number(&chunk.values[i]);
}
template <int kCount, class T>
__device__ inline void store_numbers(T* at, const float (&values)[kCount]) {
    Chunk<T, kCount> chunk;
    for (int i = 0; i < kCount; ++i) store_number(&chunk.values[i], values[i]);
    *reinterpret_cast<Chunk<T, kCount>*>(at) = chunk;
}

// ---- sums and maxima over threads, in a fixed order

__device__ inline float warp_sum(float value) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) value += __shfl_xor_sync(kAll, value, lane);
    return value;
}
__device__ inline double warp_sum(double value) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) value += __shfl_xor_sync(kAll, value, lane);
    return value;
}
__device__ inline float warp_max(float value) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) {
        const float other = __shfl_xor_sync(kAll, value, lane);
        value = other > value ? other : value;
    }
    return value;
}

// Combines a value of each thread of the block with `combine`, the same for all threads, and gives every
// thread the result. `slots`: shared, one per warp; may be used again after the call.
template <class T, class Combine>
__device__ inline T block_combine(T value, T* slots, const Combine& combine) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2)
        value = combine(value, __shfl_xor_sync(kAll, value, lane));
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = value;
    __syncthreads();
    T total = slots[0];
    for (int warp = 1; warp < warps; ++warp) total = combine(total, slots[warp]);
    __syncthreads();
    return total;
}
template <class T>
__device__ inline T block_sum(T value, T* slots) {
    return block_combine(value, slots, [](T a, T b) { return a + b; });
}

// ---- launches

// What a kernel is given, as bytes that can be kept and compared.
template <class... Parameters>
struct Arguments {};
template <class First, class... Rest>
struct Arguments<First, Rest...> {
    First first;
    Arguments<Rest...> rest;
};

inline Arguments<> packed() {
    return {};
}
template <class First, class... Rest>
Arguments<First, Rest...> packed(First first, Rest... rest) {
    return {first, packed(rest...)};
}

template <class... Parameters>
struct Launch {
    const char* name;
    void (*kernel)(Parameters...);
    Grid grid;
    unsigned block;
    size_t shared;
    Arguments<Parameters...> arguments;

    Status run(RawQueue* queue) const { return with(queue, arguments); }

  private:
    // The rest behind those that are unpacked.
    template <class First, class... Rest, class... Done>
    Status with(RawQueue* queue, const Arguments<First, Rest...>& given, Done... done) const {
        return with(queue, given.rest, done..., given.first);
    }
    template <class... Done>
    Status with(RawQueue* queue, const Arguments<>&, Done... done) const {
        return launch_now<Parameters...>(name, kernel, grid, block, shared, queue, done...);
    }
};

// A kernel goes to the device's queue(). Grids of no blocks are nothing to do.
template <class... Parameters, class... Given>
Status launch(const char* name, void (*kernel)(Parameters...), Grid grid, unsigned block, size_t shared,
              void* queue, Given... given) {
    static_assert(sizeof...(Parameters) == sizeof...(Given));
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return Status::Ok;
    return static_cast<Queue*>(queue)->add(
        Launch<Parameters...>{name, kernel, grid, block, shared, packed(static_cast<Parameters>(given)...)});
}

}  // namespace attune::gpu
