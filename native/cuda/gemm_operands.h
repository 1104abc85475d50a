// Operands of the GEMM kernels and how a block brings tiles of them into shared memory. C[i, j] = sum over l
// of A(i, l) B(j, l): an operand is numbered by its outer index (i or j) and the depth l, however it lies.
// Outside of it are zeros.
//
// A tile of bf16 consists of slabs of 64 numbers by some rows, 128 bytes to a row, whose eight chunks of 16
// bytes change places by the row number (chunk ^ row % 8): the eight rows of a matrix that ldmatrix or wgmma
// reads lie in different banks. It is what a tensor map with a swizzle of 128 bytes writes. Rows of a slab
// are outer indices where the operand lies along the depth, and depths where it lies along the outer index (a
// slab per 64 outer indices then). A tile of fp32 is [kDepth][kOuter + pad].
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int kSlabColumns = 64;
constexpr int kSlabRowBytes = 128;
constexpr int kChunkNumbers = 8;  // bf16 numbers of 16 bytes

// (i, l) at data[i * stride + l].
template <class T>
struct RowsOperand {
    const T* data;
    int64_t stride;
    int64_t outer, depth;
    bool aligned;  // 16 bytes of a row may be read at once from every multiple of as many on

    static constexpr bool kAlongDepth = true;
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
    __device__ const T* place(int64_t i, int64_t l) const { return data + i * stride + l; }
};

// (i, l) at data[l * stride + i].
template <class T>
struct ColumnsOperand {
    const T* data;
    int64_t stride;
    int64_t outer, depth;
    bool aligned;

    static constexpr bool kAlongDepth = false;
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
    __device__ const T* place(int64_t i, int64_t l) const { return data + l * stride + i; }
};

// As it lies in memory.
template <class T>
ConstMat matrix_of(const RowsOperand<T>& a) {
    return {a.data, sizeof(T) == 4 ? DType::F32 : DType::BF16, a.outer, a.depth, a.stride};
}
template <class T>
ConstMat matrix_of(const ColumnsOperand<T>& a) {
    return {a.data, sizeof(T) == 4 ? DType::F32 : DType::BF16, a.depth, a.outer, a.stride};
}

// Number (i, l), or zero outside.
template <class Operand>
__device__ inline float number_at(const Operand& operand, int64_t i, int64_t l) {
    return i < operand.outer && l < operand.depth ? load_number(operand.place(i, l)) : 0.0f;
}
// kCount numbers from (i, l) on, along the operand's own direction, are inside and may be read at once.
template <int kCount, class Operand>
__device__ inline bool reads_at_once(const Operand& operand, int64_t i, int64_t l) {
    if (!operand.aligned) return false;
    return Operand::kAlongDepth ? i < operand.outer && l + kCount <= operand.depth
                                : i + kCount <= operand.outer && l < operand.depth;
}

// ---- tiles of bf16

constexpr int slab_offset(int row, int chunk) {
    return row * kSlabRowBytes + (chunk ^ row % 8) * 16;
}

// tile (bytes, kOuter x 64 numbers) = the operand from (i0, l0) on, by `kThreadCount` threads; what is copied
// while they go on belongs to the open group of copies.
template <int kOuter, int kThreadCount, class Operand>
__device__ inline void fill_slabs(std::byte* tile, const Operand& operand, int64_t i0, int64_t l0) {
    constexpr int kRows = Operand::kAlongDepth ? kOuter : kSlabColumns;  // of a slab
    static_assert(kOuter * kChunkNumbers % kThreadCount == 0);
#pragma unroll
    for (int step = 0; step < kOuter * kChunkNumbers / kThreadCount; ++step) {
        const int index = step * kThreadCount + static_cast<int>(threadIdx.x);
        const int row = index / kChunkNumbers % kRows, chunk = index % kChunkNumbers;
        const int slab = index / kChunkNumbers / kRows;
        std::byte* to = tile + slab * kRows * kSlabRowBytes + slab_offset(row, chunk);
        const int64_t i = i0 + (Operand::kAlongDepth ? row : slab * kSlabColumns + chunk * kChunkNumbers);
        const int64_t l = l0 + (Operand::kAlongDepth ? chunk * kChunkNumbers : row);
        const bool inside = i < operand.outer && l < operand.depth;
        if (!inside || reads_at_once<kChunkNumbers>(operand, i, l)) {
            copy_async(to, inside ? operand.place(i, l) : operand.data, inside);
        } else {
            auto* numbers = reinterpret_cast<bf16_t*>(to);
            for (int n = 0; n < kChunkNumbers; ++n)
                numbers[n] = to_bf16(
                    number_at(operand, Operand::kAlongDepth ? i : i + n, Operand::kAlongDepth ? l + n : l));
        }
    }
}

// Words of four matrices of 8 x 8; the lane's own begins at outer index `outer` and depth l of the tile,
// multiples of 8.
template <class Operand>
__device__ inline void load_words(uint32_t (&words)[4], const std::byte* tile, int outer, int l) {
    const int row = static_cast<int>(threadIdx.x) % 8;
    if constexpr (Operand::kAlongDepth)
        load_matrices(words, tile + slab_offset(outer + row, l / kChunkNumbers));
    else
        load_matrices_turned(words, tile + outer / kSlabColumns * kSlabColumns * kSlabRowBytes +
                                        slab_offset(l + row, outer % kSlabColumns / kChunkNumbers));
}
// The words of a (m16 x k16) for mma_bf16, from outer index i and depth l of the tile on; both multiples
// of 16.
template <class Operand>
__device__ inline void load_left(uint32_t (&words)[4], const std::byte* tile, int i, int l) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    load_words<Operand>(words, tile, i + lane / 8 % 2 * 8, l + lane / 16 * 8);
}
// The words of two neighbouring b (k16 x n8): words[0], [1] of the first, [2], [3] of the second.
template <class Operand>
__device__ inline void load_right(uint32_t (&words)[4], const std::byte* tile, int j, int l) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    load_words<Operand>(words, tile, j + lane / 16 * 8, l + lane / 8 % 2 * 8);
}

// ---- tiles of fp32

// Fours of a thread, where 256 threads share a tile of kOuter x kDepth; 0: some have none.
template <int kOuter, int kDepth>
inline constexpr int kFoursOf = (kOuter * kDepth / 4 + 255) / 256;

// Where four `index` of a tile begins. Neighbouring threads take what lies side by side in memory.
template <bool kAlongDepth, int kOuter, int kDepth>
struct FourPlace {
    int outer, depth;
    __device__ explicit FourPlace(int index)
        : outer(kAlongDepth ? index / (kDepth / 4) : index % (kOuter / 4) * 4),
          depth(kAlongDepth ? index % (kDepth / 4) * 4 : index / (kOuter / 4)) {}
};

// values = the fours of the thread, of the tile at (i0, l0).
template <int kOuter, int kDepth, class Operand>
__device__ inline void fetch_floats(float (&values)[kFoursOf<kOuter, kDepth>][4], const Operand& operand,
                                    int64_t i0, int64_t l0) {
    using Place = FourPlace<Operand::kAlongDepth, kOuter, kDepth>;
#pragma unroll
    for (int f = 0; f < kFoursOf<kOuter, kDepth>; ++f) {
        const Place place(f * 256 + static_cast<int>(threadIdx.x));
        const int64_t i = i0 + place.outer, l = l0 + place.depth;
        if (reads_at_once<4>(operand, i, l)) {
            load_numbers(values[f], operand.place(i, l));
            continue;
        }
        for (int n = 0; n < 4; ++n)
            values[f][n] =
                number_at(operand, Operand::kAlongDepth ? i : i + n, Operand::kAlongDepth ? l + n : l);
    }
}

// tile[kDepth][kStride]; kStride is 2 modulo 8, so that fours along the depth meet every bank once.
template <class Operand, int kOuter, int kDepth, int kStride>
__device__ inline void put_floats(float* tile, const float (&values)[kFoursOf<kOuter, kDepth>][4]) {
    using Place = FourPlace<Operand::kAlongDepth, kOuter, kDepth>;
#pragma unroll
    for (int f = 0; f < kFoursOf<kOuter, kDepth>; ++f) {
        const int index = f * 256 + static_cast<int>(threadIdx.x);
        if (kOuter * kDepth / 4 % 256 != 0 && index >= kOuter * kDepth / 4) break;
        const Place place(index);
        for (int n = 0; n < 4; ++n)
            tile[(Operand::kAlongDepth ? place.depth + n : place.depth) * kStride +
                 (Operand::kAlongDepth ? place.outer : place.outer + n)] = values[f][n];
    }
}

}  // namespace attune::gpu
