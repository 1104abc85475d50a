// How a block brings tiles of both operands into shared memory. C[i, j] = sum over l of A(i, l) B(j, l): an
// operand is numbered by its outer index (i or j) and the depth l, however it lies. Outside of it are zeros.
//
// Tiles in shared memory: fp32 [kDepth][kOuter + pad], bf16 as pairs along the depth [kDepth / 2][kOuter +
// pad] of 32 bits. fp32 numbers are rounded to bf16 where the tile is of pairs.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

// (i, l) at data[i * stride + l]: rows of activations.
template <class T>
struct RowsOperand {
    const T* data;
    int64_t stride;
    int64_t outer, depth;
    bool aligned;  // four of a row may be read at once, wherever l % 4 is 0

    static constexpr bool kAlongDepth = true;
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
    __device__ float at(int64_t i, int64_t l) const {
        return i < outer && l < depth ? load_number(data + i * stride + l) : 0.0f;
    }
    __device__ bool has_four(int64_t i, int64_t l) const { return aligned && i < outer && l + 4 <= depth; }
    __device__ const T* four(int64_t i, int64_t l) const { return data + i * stride + l; }
};

// (i, l) at data[l * stride + i]: columns of activations.
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
    __device__ float at(int64_t i, int64_t l) const {
        return i < outer && l < depth ? load_number(data + l * stride + i) : 0.0f;
    }
    __device__ bool has_four(int64_t i, int64_t l) const { return aligned && i + 4 <= outer && l < depth; }
    __device__ const T* four(int64_t i, int64_t l) const { return data + l * stride + i; }
};

// (i, l) is element (first + i, l) of a parameter in panels: i its outputs.
template <class T>
struct OutputsOperand {
    const T* data;
    int64_t padded;  // K of a panel, even
    int64_t first;
    int64_t outer, depth;

    static constexpr bool kAlongDepth = false;
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
    __device__ int64_t index(int64_t i, int64_t l) const {
        const int64_t n = first + i, panel = n / kPanel * kPanel * padded;
        return sizeof(T) == 4 ? panel + l * kPanel + n % kPanel : panel + l / 2 * 64 + n % kPanel * 2 + l % 2;
    }
    __device__ float at(int64_t i, int64_t l) const {
        return i < outer && l < depth ? load_number(data + index(i, l)) : 0.0f;
    }
};

// (i, l) is element (first + l, i) of a parameter in panels: l its outputs.
template <class T>
struct InputsOperand {
    const T* data;
    int64_t padded;
    int64_t first;
    int64_t outer, depth;

    static constexpr bool kAlongDepth = true;
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
    __device__ int64_t index(int64_t i, int64_t l) const {
        return OutputsOperand<T>{data, padded, first, depth, outer}.index(l, i);
    }
    __device__ float at(int64_t i, int64_t l) const {
        return i < outer && l < depth ? load_number(data + index(i, l)) : 0.0f;
    }
};

// ---- tiles of pairs

// Words of a thread, where `threads` share a tile of kOuter x kDepth.
template <int kOuter, int kDepth>
inline constexpr int kPairWords = kOuter * kDepth / 2 / static_cast<int>(kThreads);

// Where the words of a thread belong: word w of the thread is pair row `pair(w)` of outer index `outer(w)`.
// Along the depth, neighbouring threads take neighbouring outer indices; along the outer index, a thread
// takes neighbours.
template <bool kAlongDepth, int kOuter, int kDepth>
struct PairPlace {
    static constexpr int kWords = kPairWords<kOuter, kDepth>;
    __device__ static int outer(int thread, int word) {
        return kAlongDepth ? thread % kOuter : thread * kWords % kOuter + word;
    }
    __device__ static int pair(int thread, int word) {
        return kAlongDepth ? thread / kOuter * kWords + word : thread * kWords / kOuter;
    }
};

template <class T>
__device__ inline uint32_t pair_of(const T* first, const T* second) {
    if constexpr (sizeof(T) == 2)
        return uint32_t{*first} | uint32_t{*second} << 16;
    else
        return pack_pair(*first, *second);
}

// Words of four numbers that lie side by side along the depth.
template <class T>
__device__ inline void pairs_along(uint32_t (&out)[2], const T* four) {
    const auto chunk = *reinterpret_cast<const Chunk<T, 4>*>(four);
    out[0] = pair_of(&chunk.values[0], &chunk.values[1]);
    out[1] = pair_of(&chunk.values[2], &chunk.values[3]);
}
// Words of four outer indices, of two rows of four.
template <class T>
__device__ inline void pairs_across(uint32_t (&out)[4], const T* first, const T* second) {
    const auto a = *reinterpret_cast<const Chunk<T, 4>*>(first);
    const auto b = *reinterpret_cast<const Chunk<T, 4>*>(second);
    for (int i = 0; i < 4; ++i) out[i] = pair_of(&a.values[i], &b.values[i]);
}

template <class Operand>
__device__ inline uint32_t any_pair(const Operand& operand, int64_t i, int64_t l) {
    return pack_pair(operand.at(i, l), operand.at(i, l + 1));
}

// words = those of the thread, of the tile at (i0, l0); l0 is even.
template <int kOuter, int kDepth, class T>
__device__ inline void fetch_pairs(uint32_t (&words)[kPairWords<kOuter, kDepth>],
                                   const RowsOperand<T>& operand, int64_t i0, int64_t l0) {
    using Place = PairPlace<true, kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t i = i0 + Place::outer(thread, 0), first = l0 + 2 * Place::pair(thread, 0);
#pragma unroll
    for (int w = 0; w < Place::kWords; w += 2) {
        const int64_t l = first + 2 * w;
        if (operand.has_four(i, l)) {
            uint32_t both[2];
            pairs_along(both, operand.four(i, l));
            words[w] = both[0];
            words[w + 1] = both[1];
        } else {
            words[w] = any_pair(operand, i, l);
            words[w + 1] = any_pair(operand, i, l + 2);
        }
    }
}

template <int kOuter, int kDepth, class T>
__device__ inline void fetch_pairs(uint32_t (&words)[kPairWords<kOuter, kDepth>],
                                   const ColumnsOperand<T>& operand, int64_t i0, int64_t l0) {
    using Place = PairPlace<false, kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t i = i0 + Place::outer(thread, 0), l = l0 + 2 * Place::pair(thread, 0);
    if constexpr (Place::kWords % 4 == 0) {
#pragma unroll
        for (int w = 0; w < Place::kWords; w += 4) {
            if (operand.has_four(i + w, l) && operand.has_four(i + w, l + 1)) {
                uint32_t four[4];
                pairs_across(four, operand.four(i + w, l), operand.four(i + w, l + 1));
                for (int j = 0; j < 4; ++j) words[w + j] = four[j];
            } else {
                for (int j = 0; j < 4; ++j) words[w + j] = any_pair(operand, i + w + j, l);
            }
        }
    } else {
        for (int w = 0; w < Place::kWords; ++w) words[w] = any_pair(operand, i + w, l);
    }
}

// Pairs lie in the parameter as they do in the tile; panels are whole, and behind K are zeros.
template <int kOuter, int kDepth>
__device__ inline void fetch_pairs(uint32_t (&words)[kPairWords<kOuter, kDepth>],
                                   const OutputsOperand<bf16_t>& operand, int64_t i0, int64_t l0) {
    using Place = PairPlace<false, kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t i = i0 + Place::outer(thread, 0), l = l0 + 2 * Place::pair(thread, 0);
    if (operand.first % kPanel == 0 && l < operand.padded && i + Place::kWords <= operand.outer) {
        const auto chunk =
            *reinterpret_cast<const Chunk<uint32_t, Place::kWords>*>(operand.data + operand.index(i, l));
        for (int w = 0; w < Place::kWords; ++w) words[w] = chunk.values[w];
    } else {
        for (int w = 0; w < Place::kWords; ++w) words[w] = any_pair(operand, i + w, l);
    }
}

// A parameter has pairs along its inputs: words of outputs l and l + 1 change halves.
template <int kOuter, int kDepth>
__device__ inline void fetch_pairs(uint32_t (&words)[kPairWords<kOuter, kDepth>],
                                   const InputsOperand<bf16_t>& operand, int64_t i0, int64_t l0) {
    constexpr int kWords = kPairWords<kOuter, kDepth>;
    constexpr int kPairs = kDepth / 2;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t l = l0 + 2 * (thread % kPairs), i = i0 + thread / kPairs * kWords;
#pragma unroll
    for (int w = 0; w < kWords; w += 2) {
        if (operand.first % 2 == 0 && l + 1 < operand.depth && i + w + 1 < operand.outer) {
            const auto both =
                *reinterpret_cast<const Chunk<uint32_t, 2>*>(operand.data + operand.index(i + w, l));
            words[w] = (both.values[0] & 0xffffu) | both.values[1] << 16;
            words[w + 1] = both.values[0] >> 16 | (both.values[1] & 0xffff0000u);
        } else {
            words[w] = any_pair(operand, i + w, l);
            words[w + 1] = any_pair(operand, i + w + 1, l);
        }
    }
}

template <class Operand>
inline constexpr bool kIsInputs = false;
template <class T>
inline constexpr bool kIsInputs<InputsOperand<T>> = true;

// tile[kDepth / 2][kStride] = the words that fetch_pairs() of the same operand brought.
template <class Operand, int kOuter, int kDepth, int kStride>
__device__ inline void put_pairs(uint32_t* tile, const uint32_t (&words)[kPairWords<kOuter, kDepth>]) {
    constexpr int kWords = kPairWords<kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
    if constexpr (kIsInputs<Operand>) {
        constexpr int kPairs = kDepth / 2;
        uint32_t* at = tile + thread % kPairs * kStride + thread / kPairs * kWords;
        for (int w = 0; w < kWords; ++w) at[w] = words[w];
    } else {
        using Place = PairPlace<Operand::kAlongDepth, kOuter, kDepth>;
        for (int w = 0; w < kWords; ++w)
            tile[Place::pair(thread, w) * kStride + Place::outer(thread, w)] = words[w];
    }
}

// ---- tiles of fp32

template <int kOuter, int kDepth>
inline constexpr int kFloatsOf = kOuter * kDepth / static_cast<int>(kThreads);

// Number w of the thread, within the tile.
template <bool kAlongDepth, int kOuter, int kDepth>
struct FloatPlace {
    static constexpr int kFloats = kFloatsOf<kOuter, kDepth>;
    __device__ static int outer(int thread, int w) {
        return kAlongDepth ? thread % kOuter : thread * kFloats % kOuter + w;
    }
    __device__ static int depth(int thread, int w) {
        return kAlongDepth ? thread / kOuter * kFloats + w : thread * kFloats / kOuter;
    }
};

template <int kOuter, int kDepth, class Operand>
__device__ inline void fetch_floats(float (&values)[kFloatsOf<kOuter, kDepth>], const Operand& operand,
                                    int64_t i0, int64_t l0) {
    using Place = FloatPlace<Operand::kAlongDepth, kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int w = 0; w < Place::kFloats; ++w)
        values[w] = operand.at(i0 + Place::outer(thread, w), l0 + Place::depth(thread, w));
}

// tile[kDepth][kStride]
template <class Operand, int kOuter, int kDepth, int kStride>
__device__ inline void put_floats(float* tile, const float (&values)[kFloatsOf<kOuter, kDepth>]) {
    using Place = FloatPlace<Operand::kAlongDepth, kOuter, kDepth>;
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int w = 0; w < Place::kFloats; ++w)
        tile[Place::depth(thread, w) * kStride + Place::outer(thread, w)] = values[w];
}

}  // namespace attune::gpu
