// Small matrix products on packed tiles: C (+)= A B with A broadcast and B in vectors, both fp32 or both bf16
// in pairs along the depth. Every element of C adds over the depth in ascending order, whatever the blocking.
// Templates on the vector type only; no threads, no tensors.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace attune {

// Values of one l: bf16 lies in pairs along the depth.
template <class T>
inline constexpr int64_t kElementsOf = sizeof(T) == 2 ? 2 : 1;

// A by rows: element (i, l) at data[i * stride + l]; of bf16 a pair, l its number.
template <class T>
struct LeftRows {
    const T* data;
    int64_t stride;

    LeftRows from_row(int64_t i) const { return {data + i * stride, stride}; }
};

// A by columns: element (i, l) at data[l * stride + i]; of bf16 a pair, i its number.
template <class T>
struct LeftColumns {
    const T* data;
    int64_t stride;

    LeftColumns from_row(int64_t i) const { return {data + i * kElementsOf<T>, stride}; }
};

// Operands of one l.
template <class V, class T>
struct ProductStep;

template <class V>
struct ProductStep<V, float> {
    static V left(const float* a) { return V::set(*a); }
    static V right(const float* b) { return V::load(b); }
};

template <class V>
struct ProductStep<V, bf16_t> {
    static auto left(const bf16_t* a) { return V::broadcast_pair(a); }
    static auto right(const bf16_t* b) { return V::load_pairs_raw(b); }
};

// Rows of a register tile: 12 x 2 vectors where there are 32 registers, 6 x 2 where there are 16.
template <class V>
constexpr int64_t kProductRows = V::kRegisters >= 32 ? 12 : 6;

// Where kRows rows of A are read: at(i, l), l on from where `advance` came to.
template <class Left, int kRows>
struct LeftCursor;

template <class T, int kRows>
struct LeftCursor<LeftRows<T>, kRows> {
    // One pointer for three rows: base, base + stride, base + 2 stride are addressing modes of one register
    // pair.
    static constexpr int kPointers = (kRows + 2) / 3;
    const T* rows[kPointers];
    int64_t stride;

    explicit LeftCursor(LeftRows<T> a) : stride(a.stride) {
#pragma GCC unroll 4
        for (int p = 0; p < kPointers; ++p) rows[p] = a.data + 3 * p * a.stride;
    }
    const T* at(int i, int l) const {
        return rows[i / 3] + i % 3 * stride + l * kElementsOf<T>;
    }
    void advance(int l) {
#pragma GCC unroll 4
        for (const T*& row : rows) row += l * kElementsOf<T>;
    }
};

template <class T, int kRows>
struct LeftCursor<LeftColumns<T>, kRows> {
    const T* data;
    int64_t stride;

    explicit LeftCursor(LeftColumns<T> a) : data(a.data), stride(a.stride) {}
    const T* at(int i, int l) const { return data + l * stride + i * kElementsOf<T>; }
    void advance(int l) { data += l * stride; }
};

// sum += the products of one l
template <class V, int kRows, int kVectors, class Cursor, class T>
inline void product_step(V (&sum)[kRows][kVectors], const Cursor& cursor, int l, const T* b) {
    using Step = ProductStep<V, T>;
    decltype(Step::right(b)) right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = Step::right(b + v * V::kLanes * kElementsOf<T>);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
        const auto left = Step::left(cursor.at(i, l));
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) V::accumulate(sum[i][v], left, right[v]);
    }
}

// c[kRows, kVectors] (ldc) = or += a[kRows, depth] b[depth, kVectors] (ldb)
template <class V, int kRows, int kVectors, bool kAdd, class Left, class T>
inline void product_tile(float* c, int64_t ldc, Left a, const T* b, int64_t ldb, int64_t depth) {
    V sum[kRows][kVectors];
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
            sum[i][v] = kAdd ? V::load(c + i * ldc + v * V::kLanes) : V::zero();
    LeftCursor<Left, kRows> cursor(a);
    int64_t left = depth;
    for (; left >= 4; left -= 4) {
#pragma GCC unroll 4
        for (int l = 0; l < 4; ++l, b += ldb) product_step<V>(sum, cursor, l, b);
        cursor.advance(4);
    }
    for (; left > 0; --left, b += ldb) {
        product_step<V>(sum, cursor, 0, b);
        cursor.advance(1);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[i][v].store(c + i * ldc + v * V::kLanes);
}

// kRows rows against all columns; few rows take wider tiles, so that enough sums are in flight.
template <class V, int kRows, bool kAdd, class Left, class T>
inline void product_rows(float* c, int64_t ldc, int64_t cols, Left a, const T* b, int64_t ldb,
                         int64_t depth) {
    constexpr int kWide = kRows <= 4 ? 4 : 2;
    constexpr int64_t kStrip = kWide * V::kLanes;
    int64_t col = 0;
    for (; col + kStrip <= cols; col += kStrip)
        product_tile<V, kRows, kWide, kAdd>(c + col, ldc, a, b + col * kElementsOf<T>, ldb, depth);
    for (; col < cols; col += V::kLanes)
        product_tile<V, kRows, 1, kAdd>(c + col, ldc, a, b + col * kElementsOf<T>, ldb, depth);
}

// c[rows, cols] (ldc) = or += a[rows, depth] b[depth, cols] (ldb); cols is a whole number of vectors, depth
// of bf16 a number of pairs.
template <class V, bool kAdd, class Left, class T>
void product(float* c, int64_t ldc, int64_t rows, int64_t cols, Left a, const T* b, int64_t ldb,
             int64_t depth) {
    constexpr int kMost = static_cast<int>(kProductRows<V>);
    const auto advance = [&](int64_t done) {
        c += done * ldc;
        a = a.from_row(done);
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
