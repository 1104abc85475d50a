// Small matrix products on packed tiles: C (+)= A B with A broadcast and B in vectors, both fp32 or both bf16
// in pairs along the depth. Every element of C adds over the depth in ascending order, whatever the blocking.
// Templates on the vector type only; no threads, no tensors.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/dtype.h"

namespace attune {

// Element (i, l) of A at data[i * row + l * step]; of bf16 a pair, l its number.
template <class T>
struct Left {
    const T* data;
    int64_t row;
    int64_t step;
};

// sum += a b for one l
template <class V, class T>
struct ProductStep;

template <class V>
struct ProductStep<V, float> {
    static constexpr int64_t kElements = 1;  // of one l
    static V left(const float* a) { return V::set(*a); }
    static V right(const float* b) { return V::load(b); }
    static V add(V sum, V a, V b) { return V::fma(a, b, sum); }
};

template <class V>
struct ProductStep<V, bf16_t> {
    static constexpr int64_t kElements = 2;
    static auto left(const bf16_t* a) { return V::broadcast_pair(a); }
    static auto right(const bf16_t* b) { return V::load_pairs_raw(b); }
    static V add(V sum, typename V::Pairs a, typename V::Pairs b) { return V::dot(sum, a, b); }
};

// Rows of a register tile: 12 x 2 vectors where there are 32 registers, 6 x 2 where there are 16.
template <class V>
constexpr int64_t kProductRows = V::kRegisters >= 32 ? 12 : 6;

// c[kRows, kVectors] (ldc) = or += a[kRows, depth] b[depth, kVectors] (ldb)
template <class V, int kRows, int kVectors, bool kAdd, class T>
inline void product_tile(float* c, int64_t ldc, Left<T> a, const T* b, int64_t ldb, int64_t depth) {
    using Step = ProductStep<V, T>;
    V sum[kRows][kVectors];
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
            sum[i][v] = kAdd ? V::load(c + i * ldc + v * V::kLanes) : V::zero();
    // One pointer for three rows: base, base + row, base + 2 row are addressing modes of one register pair.
    constexpr int kPointers = (kRows + 2) / 3;
    const T* rows[kPointers];
#pragma GCC unroll 4
    for (int p = 0; p < kPointers; ++p) rows[p] = a.data + 3 * p * a.row;
    for (int64_t l = 0; l < depth; ++l) {
        decltype(Step::right(b)) right[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) right[v] = Step::right(b + v * V::kLanes * Step::kElements);
#pragma GCC unroll 12
        for (int i = 0; i < kRows; ++i) {
            const auto left = Step::left(rows[i / 3] + i % 3 * a.row);
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) sum[i][v] = Step::add(sum[i][v], left, right[v]);
        }
        b += ldb;
#pragma GCC unroll 4
        for (int p = 0; p < kPointers; ++p) rows[p] += a.step;
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[i][v].store(c + i * ldc + v * V::kLanes);
}

// kRows rows against all columns; few rows take wider tiles, so that enough sums are in flight.
template <class V, int kRows, bool kAdd, class T>
inline void product_rows(float* c, int64_t ldc, int64_t cols, Left<T> a, const T* b, int64_t ldb,
                         int64_t depth) {
    constexpr int64_t kElements = ProductStep<V, T>::kElements;
    constexpr int kWide = kRows <= 4 ? 4 : 2;
    constexpr int64_t kStrip = kWide * V::kLanes;
    int64_t col = 0;
    for (; col + kStrip <= cols; col += kStrip)
        product_tile<V, kRows, kWide, kAdd>(c + col, ldc, a, b + col * kElements, ldb, depth);
    for (; col < cols; col += V::kLanes)
        product_tile<V, kRows, 1, kAdd>(c + col, ldc, a, b + col * kElements, ldb, depth);
}

// c[rows, cols] (ldc) = or += a[rows, depth] b[depth, cols] (ldb); cols is a whole number of vectors, depth
// of bf16 a number of pairs.
template <class V, bool kAdd, class T>
void product(float* c, int64_t ldc, int64_t rows, int64_t cols, std::type_identity_t<Left<T>> a, const T* b,
             int64_t ldb, int64_t depth) {
    constexpr int kMost = static_cast<int>(kProductRows<V>);
    const auto advance = [&](int64_t done) {
        c += done * ldc;
        a.data += done * a.row;
        rows -= done;
    };
    for (; rows >= kMost; advance(kMost)) product_rows<V, kMost, kAdd>(c, ldc, cols, a, b, ldb, depth);
    if constexpr (kMost > 8)
        for (; rows >= 8; advance(8)) product_rows<V, 8, kAdd>(c, ldc, cols, a, b, ldb, depth);
    for (; rows >= 4; advance(4)) product_rows<V, 4, kAdd>(c, ldc, cols, a, b, ldb, depth);
    for (; rows >= 2; advance(2)) product_rows<V, 2, kAdd>(c, ldc, cols, a, b, ldb, depth);
    for (; rows >= 1; advance(1)) product_rows<V, 1, kAdd>(c, ldc, cols, a, b, ldb, depth);
}

}  // namespace attune
