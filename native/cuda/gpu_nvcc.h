// The words of gpu.h that CUDA C++ does not have by itself. For nvcc alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/ops.h"
#include "cuda/runtime.h"

namespace attune::gpu {

__device__ inline float bits_to_float(uint32_t bits) {
    return __uint_as_float(bits);
}
__device__ inline uint32_t float_to_bits(float value) {
    return __float_as_uint(value);
}
// Round to nearest even; NaN stays NaN.
__device__ inline bf16_t to_bf16(float value) {
    bf16_t result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result) : "f"(value));
    return result;
}

// Dynamic shared memory of the block, aligned to 16 bytes.
template <class T>
__device__ inline T* shared_memory() {
    extern __shared__ __align__(16) unsigned char attune_shared[];
    return reinterpret_cast<T*>(attune_shared);
}

// c[16,8] += a[16,16] b[16,8]. Lane l, r = l / 4, p = l % 4: a holds pairs of columns (row r, pair p),
// (r + 8, p), (r, p + 4), (r + 8, p + 4); b pairs of rows (pair p, column r), (p + 4, r); c (r, 2p), (r, 2p +
// 1), (r + 8, 2p), (r + 8, 2p + 1).
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Where in the shared memory of a block.
__device__ inline uint32_t shared_address(const void* shared) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

// Four matrices of 8 x 8 16-bit numbers out of shared memory (ldmatrix): lane l names row l % 8 of matrix l /
// 8, 16 bytes that lie side by side. Word m of lane l: numbers (l / 4, 2 (l % 4)) and the next one of matrix
// m.
__device__ inline void load_matrices(uint32_t (&out)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// The same matrices turned over: numbers (2 (l % 4), l / 4) and (2 (l % 4) + 1, l / 4).
__device__ inline void load_matrices_turned(uint32_t (&out)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// 16 bytes from the device's memory to shared memory, that arrive while the thread goes on (cp.async); zeros,
// and nothing is read, where not `inside`. Both addresses are multiples of 16.
__device__ inline void copy_async(void* shared, const void* from, bool inside) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(from),
                 "r"(inside ? 16 : 0)
                 : "memory");
}
// The copies of this thread since the last commit become a group.
__device__ inline void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
// All groups of this thread but the last kLater have arrived. Other threads know it behind a barrier.
template <int kLater>
__device__ inline void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kLater) : "memory");
}

// The same number, that the compiler takes for a new one: what is computed from it is computed here, not
// before the loops around.
__device__ inline unsigned computed_here(unsigned value) {
    asm volatile("" : "+r"(value));
    return value;
}

// 2^x with a relative error of about 2^-22.
__device__ inline float quick_exp2(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// ---- order among blocks, so that those that add to the same place do it one after another. A block takes
// its work by a ticket, and waits for blocks of lower tickets alone: those run already.

// By one thread of the block.
__device__ inline uint32_t take_ticket(uint32_t* tickets) {
    return atomicAdd(tickets, 1u);
}
// Until `turn` blocks have ended their turns; then, behind a barrier, every thread sees what those added. By
// one thread of the block.
__device__ inline void wait_for_turn(const uint32_t* turns, uint32_t turn) {
    uint32_t now;
    do asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(turns) : "memory");
    while (now != turn);
}
// What the block's threads added before a barrier is seen by whoever comes next. By one thread.
__device__ inline void end_turn(uint32_t* turns, uint32_t turn) {
    __threadfence();
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(turns), "r"(turn + 1) : "memory");
}
// *at += value in the device's memory, without waiting for it. The order of sums is that of turns.
__device__ inline void add_in_turn(float* at, float value) {
    asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(at), "f"(value) : "memory");
}
// Two neighbours, at a multiple of 8 bytes.
__device__ inline void add_pair_in_turn(float* at, float first, float second) {
#if __CUDA_ARCH__ >= 900
    asm volatile("red.relaxed.gpu.global.add.v2.f32 [%0], {%1, %2};" ::"l"(at), "f"(first), "f"(second)
                 : "memory");
#else
    add_in_turn(at, first);
    add_in_turn(at + 1, second);
#endif
}

struct Grid {
    unsigned x = 1, y = 1, z = 1;
};

Status launched(const char* kernel);  // of the launch before: cudaGetLastError
// So much dynamic shared memory for a kernel's blocks on the thread's device, more than every kernel may
// have. Asks the runtime at a kernel's first launch there, and when it wants more than before.
Status allow_shared(const char* name, const void* kernel, size_t bytes);

template <class... Parameters>
Status launch_now(const char* name, void (*kernel)(Parameters...), Grid grid, unsigned block, size_t shared,
                  RawQueue* queue, Parameters... arguments) {
    if (shared > size_t{48} << 10)
        if (const Status status = allow_shared(name, reinterpret_cast<const void*>(kernel), shared);
            status != Status::Ok)
            return status;
    kernel<<<dim3(grid.x, grid.y, grid.z), block, shared, reinterpret_cast<cudaStream_t>(queue)>>>(
        arguments...);
    return launched(name);
}

}  // namespace attune::gpu
