// How row bodies are written once for both dtypes and any width: typed rows, whole and partial vectors, sums
// over a row, tasks of rows. Included after a vec_*.h by the op bodies; knows no op.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/shapes.h"
#include "core/threads.h"

namespace attune {
namespace {

// ---- dtype, decided once at an op's entry

template <class T>
struct Element {
    using Type = T;
};

// body(Element<float>{}) or body(Element<bf16_t>{})
template <class Body>
void with_element(DType dtype, Body&& body) {
    if (dtype == DType::F32)
        body(Element<float>{});
    else
        body(Element<bf16_t>{});
}

template <class A, class B, class Body>
void with_elements(A first, B second, Body&& body) {
    with_element(first, [&](auto a) { with_element(second, [&](auto b) { body(a, b); }); });
}

template <class T>
const T* row_of(const ConstMat& m, int64_t row) {
    return static_cast<const T*>(m.data) + row * m.stride;
}
template <class T>
T* row_of(const Mat& m, int64_t row) {
    return static_cast<T*>(m.data) + row * m.stride;
}

// ---- vectors along a row: body(column, lanes) with lanes = Whole, then Part at the end

struct Whole {};
struct Part {
    int64_t n;
};

template <class V, class T>
V load(const T* p, Whole) {
    return V::load(p);
}
template <class V, class T>
V load(const T* p, Part part) {
    return V::load(p, part.n);
}
template <class V, class T>
void store(T* p, V value, Whole) {
    value.store(p);
}
template <class V, class T>
void store(T* p, V value, Part part) {
    value.store(p, part.n);
}

// Loads, and asks memory for what lies `ahead` elements on, at most up to the end of the next row: where a
// vector takes long to compute, the processor does not look as far ahead by itself. Asking never faults.
template <class V, class T, class Lanes>
V load_ahead(const T* p, int64_t ahead, Lanes lanes) {
    __builtin_prefetch(p + ahead);
    return load<V>(p, lanes);
}

// Zero in the lanes beyond a Part.
template <class V>
V cut(V value, Whole) {
    return value;
}
template <class V>
V cut(V value, Part part) {
    return V::select(V::Mask::first(part.n), value, V::zero());
}

template <class V, class Body>
void over_columns(int64_t cols, Body&& body) {
    int64_t c = 0;
    for (; c + V::kLanes <= cols; c += V::kLanes) body(c, Whole{});
    if (c < cols) body(c, Part{cols - c});
}

// Sum of term(column, lanes) over a row: blocks of 512 columns in two vectors, then double. The order depends
// on `cols` alone. Terms beyond a Part must be zero.
template <class V, class Term>
double sum_columns(int64_t cols, Term&& term) {
    constexpr int64_t kBlock = 512, kLanes = V::kLanes;
    double total = 0;
    for (int64_t first = 0; first < cols; first += kBlock) {
        const int64_t last = std::min(cols, first + kBlock);
        V sum0 = V::zero(), sum1 = V::zero();
        int64_t c = first;
        for (; c + 2 * kLanes <= last; c += 2 * kLanes) {
            sum0 = sum0 + term(c, Whole{});
            sum1 = sum1 + term(c + kLanes, Whole{});
        }
        if (c + kLanes <= last) {
            sum0 = sum0 + term(c, Whole{});
            c += kLanes;
        }
        if (c < last) sum1 = sum1 + term(c, Part{last - c});
        total += (sum0 + sum1).reduce_add_double();
    }
    return total;
}

// ---- tasks

constexpr int64_t kTaskElements = 16384;

// body(first, count) for blocks of [0, n).
template <class Body>
void parallel_blocks(Stream* stream, int64_t n, int64_t block, Body&& body) {
    stream->pool->parallel((n + block - 1) / block, [&](int64_t task, int) {
        const int64_t first = task * block;
        body(first, std::min(block, n - first));
    });
}

// body(row) for every row, some rows to a task: few tasks where there are many rows, since what is asked for
// ahead of a task's end is another's. For ops whose rows do not meet.
template <class Body>
void parallel_rows(Stream* stream, int64_t rows, int64_t cols, Body&& body) {
    const int64_t share = rows * cols / (int64_t{8} * stream->pool->threads());
    const int64_t elements = std::clamp(share, kTaskElements, 4 * kTaskElements);
    const int64_t block = std::max<int64_t>(1, elements / std::max<int64_t>(1, cols));
    parallel_blocks(stream, rows, block, [&](int64_t first, int64_t count) {
        for (int64_t row = first; row < first + count; ++row) body(row);
    });
}

}  // namespace
}  // namespace attune
