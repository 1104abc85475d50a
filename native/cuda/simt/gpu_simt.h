// The words of CUDA C++ for a C++ compiler: a kernel is an ordinary function that runs in fibers. For
// checks on the CPU alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

#include "core/dtype.h"
#include "core/ops.h"
#include "cuda/runtime.h"
#include "cuda/simt/grid.h"
#include "cuda/simt/runtime_simt.h"

// Words of the language.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define threadIdx (attune::simt::place().thread)
#define blockIdx (attune::simt::place().block)
#define blockDim (attune::simt::place().block_size)
#define gridDim (attune::simt::place().grid_size)

inline void __syncthreads() {
    attune::simt::wait_for_block();
}
inline void __syncwarp(unsigned = 0xffffffffu) {
    attune::simt::wait_for_warp();
}
template <class T>
T attune_lane_value(T value, unsigned lane) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= attune::simt::kExchangeBytes);
    const std::byte* lanes = attune::simt::exchange(&value, sizeof(T));
    T result;
    std::memcpy(&result, lanes + lane % attune::simt::kWarp * attune::simt::kExchangeBytes, sizeof(T));
    return result;
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
    return attune_lane_value(value, static_cast<unsigned>(lane));
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return attune_lane_value(value, attune::simt::place().warp_thread ^ static_cast<unsigned>(mask));
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned distance) {
    const unsigned lane = attune::simt::place().warp_thread;
    return attune_lane_value(value, lane < distance ? lane : lane - distance);
}
inline unsigned __ballot_sync(unsigned, bool set) {
    const std::byte* lanes = attune::simt::exchange(&set, sizeof(set));
    unsigned bits = 0;
    for (unsigned lane = 0; lane < attune::simt::kWarp; ++lane)
        bits |= static_cast<unsigned>(lanes[lane * attune::simt::kExchangeBytes] != std::byte{0}) << lane;
    return bits;
}
// Whole numbers only: their sums do not depend on the order.
inline unsigned long long atomicAdd(unsigned long long* at, unsigned long long value) {  // NOLINT
    return std::exchange(*at, *at + value);
}
inline float rsqrtf(float x) {
    return 1.0f / std::sqrt(x);
}

namespace attune::gpu {

inline float bits_to_float(uint32_t bits) {
    return std::bit_cast<float>(bits);
}
inline uint32_t float_to_bits(float value) {
    return std::bit_cast<uint32_t>(value);
}
inline bf16_t to_bf16(float value) {
    return float_to_bf16(value);
}

inline uint32_t shared_address(const void* shared) {
    return static_cast<uint32_t>(static_cast<const std::byte*>(shared) - simt::shared_memory());
}
template <class T>
T* shared_memory() {
    return reinterpret_cast<T*>(simt::shared_memory());
}

// As gpu_nvcc.h says; the lanes' fragments are put together from all lanes.
void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void load_matrices(uint32_t (&out)[4], const void* row);
void load_matrices_turned(uint32_t (&out)[4], const void* row);

// Copies arrive as late as they may, or at once, by the order of threads (grid.h): the bits must be the same.
inline void copy_async(void* shared, const void* from, bool inside) {
    simt::copy_later(shared, inside ? from : nullptr, 16);
}
inline void commit_copies() {
    simt::commit_copies();
}
template <int kLater>
void wait_for_copies() {
    simt::wait_for_copies(kLater);
}

inline unsigned computed_here(unsigned value) {
    return value;
}
inline float quick_exp2(float x) {
    return std::exp2(x);
}

// Blocks run one after another, in the order of their tickets: a turn of another block has come when it is
// waited for, or never comes, and the launch fails.
inline uint32_t take_ticket(uint32_t* tickets) {
    return (*tickets)++;
}
inline void wait_for_turn(const uint32_t* turns, uint32_t turn) {
    while (*turns != turn) simt::wait_for_change();
}
inline void end_turn(uint32_t* turns, uint32_t turn) {
    *turns = turn + 1;
    simt::note_change();
}
inline void add_in_turn(float* at, float value) {
    *at += value;
}
inline void add_pair_in_turn(float* at, float first, float second) {
    at[0] += first;
    at[1] += second;
}

struct Grid {
    unsigned x = 1, y = 1, z = 1;
};

template <class... Parameters>
Status launch_now(const char* name, void (*kernel)(Parameters...), Grid grid, unsigned block, size_t shared,
                  RawQueue* queue, Parameters... arguments) {
    (simt::expect_device_pointer(name, arguments), ...);
    return simt::enqueue_kernel(name, queue, [=] {
        simt::run_grid({grid.x, grid.y, grid.z}, {block, 1, 1}, shared, [&] { kernel(arguments...); });
    });
}

}  // namespace attune::gpu
