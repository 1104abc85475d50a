// linear_forward: y = epilogue(x W^T) over live weight panels. Reads x where it lies, or packs its rows
// first; applies the epilogue while tiles are stored. Must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_pack.h"
#include "cpu/gemm_run.h"
#include "cpu/rows_io.h"
#include "cpu/vec_math.h"

namespace attune {
namespace {

inline constexpr int64_t kSlabBytes = 8 << 20;  // an operand that is not live, at most about this
inline constexpr int64_t kPackGroup = 4;        // micropanels packed by one task
inline constexpr int64_t kWidenRows = 128;      // so many rows pay for a widened copy of bf16 panels

template <class V>
V load_any(const ConstMat& m, int64_t row, int64_t column, int64_t n) {
    const int64_t offset = row * m.stride + column;
    if (m.dtype == DType::F32) {
        const float* p = static_cast<const float*>(m.data) + offset;
        return n >= V::kLanes ? V::load(p) : V::load(p, n);
    }
    const bf16_t* p = static_cast<const bf16_t*>(m.data) + offset;
    return n >= V::kLanes ? V::load(p) : V::load(p, n);
}

template <class V>
void store_any(const Mat& m, int64_t row, int64_t column, int64_t n, V value) {
    const int64_t offset = row * m.stride + column;
    if (m.dtype == DType::F32) {
        float* p = static_cast<float*>(m.data) + offset;
        n >= V::kLanes ? value.store(p) : value.store(p, n);
    } else {
        bf16_t* p = static_cast<bf16_t*>(m.data) + offset;
        n >= V::kLanes ? value.store(p) : value.store(p, n);
    }
}

// y = activation(tile + bias) + residual
template <class V>
void store_epilogue(const Mat& y, const Epilogue& epilogue, int64_t first, int64_t rows, int64_t panel,
                    const float* tile) {
    for (int64_t r = 0; r < rows; ++r) {
        const int64_t row = first + r;
        for (int64_t c = 0; c < kPanel; c += V::kLanes) {
            const int64_t column = panel * kPanel + c;
            const int64_t n = y.cols - column;
            if (n <= 0) break;
            V value = V::load(tile + r * kPanel + c);
            if (epilogue.bias != nullptr)
                value = value + (n >= V::kLanes ? V::load(epilogue.bias + column)
                                                : V::load(epilogue.bias + column, n));
            if (epilogue.before_activation.data != nullptr)
                store_any(epilogue.before_activation, row, column, n, value);
            if (epilogue.activation == Activation::GeluTanh) value = vec_gelu(value);
            if (epilogue.residual.data != nullptr)
                value = value + load_any<V>(epilogue.residual, row, column, n);
            store_any(y, row, column, n, value);
        }
    }
}

// Rows whose slab takes about kSlabBytes, a multiple of kTileRows.
template <class V>
int64_t slab_rows(int64_t depth, int64_t element_size) {
    const int64_t tile = depth * kTileRows<V> * element_size;
    return std::max<int64_t>(kSlabBytes / tile, kRowBlock) * kTileRows<V>;
}

// Whether a kernel of format F reads x where it lies for that many columns of C. Whole steps alone: it reads
// all of the last one.
template <class F>
bool in_place(const ConstMat& x, int64_t columns) {
    using A = typename F::A;
    if (x.dtype != (sizeof(A) == 4 ? DType::F32 : DType::BF16) || x.cols % F::kStep != 0) return false;
    // Packed rows are read faster, most where rows would share the sets of L1: so many columns pay for it.
    return columns < (x.stride * static_cast<int64_t>(sizeof(A)) % 4096 == 0 ? 1024 : 16384);
}

// Columns [column, column + depth) of rows [first, first + count) of x as the broadcast side: where they lie,
// or packed and converted into scratch. Null data where there is no memory.
template <class V, class F, Side side>
Broadcast<typename F::A, side> broadcast_rows(const ConstMat& x, int64_t first, int64_t count, int64_t column,
                                              int64_t depth, int slot, Stream* stream) {
    using A = typename F::A;
    if constexpr (side == Side::Rows) return {row_of<A>(x, first) + column, x.stride};
    const int64_t padded = divide_up(depth, F::kStep) * F::kStep;
    const int64_t micropanels = divide_up(count, kTileRows<V>);
    A* out = gemm_scratch<A>(stream, slot, micropanels * kTileRows<V> * padded);
    if (out == nullptr) return {nullptr};
    stream->pool->parallel(divide_up(micropanels, kPackGroup), [&](int64_t task, int) {
        const int64_t end = std::min((task + 1) * kPackGroup, micropanels);
        for (int64_t i = task * kPackGroup; i < end; ++i) {
            const int64_t row = i * kTileRows<V>;
            with_element(x.dtype, [&](auto element) {
                using From = typename decltype(element)::Type;
                pack_rows<kTileRows<V>>(out + row * padded, row_of<From>(x, first + row) + column, x.stride,
                                        std::min<int64_t>(kTileRows<V>, count - row), depth, padded);
            });
        }
    });
    return {out};
}

// bf16 panels [K'/2][32][2] to fp32 panels [K'][32], one after the other.
template <class V>
void widen_panels(float* out, const bf16_t* panels, int64_t count, int64_t K, Stream* stream) {
    const int64_t elements = even(K) * kPanel;
    stream->pool->parallel(count, [&](int64_t panel, int) {
        const bf16_t* from = panels + panel * elements;
        float* to = out + panel * elements;
        for (int64_t i = 0; i < elements; i += 2 * kPanel) {
            for (int64_t n = 0; n < kPanel; n += V::kLanes) {
                V first, second;
                V::load_pairs(from + i + 2 * n, first, second);
                first.store(to + i + n);
                second.store(to + i + kPanel + n);
            }
        }
    });
}

// Many rows against bf16 weights without bf16 arithmetic: panels are widened in slabs instead of in every
// tile. The products and their order are those of StorageFormat, so that the bits are the same.
template <class V, Side side, class Body>
Status forward_widened(const Mat& y, const Broadcast<float, side>& a, int64_t first, int64_t rows,
                       const Weight& w, Stream* stream, const Body& body) {
    const int64_t elements = even(w.K) * kPanel;
    const int64_t panels = divide_up(w.N, kPanel);
    const int64_t slab = std::min(panels, std::max<int64_t>(kSlabBytes / 4 / elements, 8));
    float* b = gemm_scratch<float>(stream, kSlotB, slab * elements);
    if (b == nullptr) return Status::Memory;
    for (int64_t panel = 0; panel < panels; panel += slab) {
        const int64_t count = std::min(slab, panels - panel);
        widen_panels<V>(b, static_cast<const bf16_t*>(w.data) + panel * elements, count, w.K, stream);
        const Gemm<PlainFormat<V>, side> gemm{a, b, elements, rows, count, even(w.K)};
        if (!gemm_run<V>(gemm, stream, RowSink<Body>{y, first, panel, body})) return Status::Memory;
    }
    return Status::Ok;
}

template <class V, class F, Side side, class Prepare, class Body>
Status forward_from(const Mat& y, const ConstMat& x, const Weight& w, Stream* stream, const Prepare& prepare,
                    const Body& body) {
    using A = typename F::A;
    constexpr bool kWidens = sizeof(A) != sizeof(typename F::B);
    const int64_t slab = slab_rows<V>(w.K, sizeof(A));
    for (int64_t first = 0; first < x.rows; first += slab) {
        const int64_t rows = std::min(slab, x.rows - first);
        const auto a = broadcast_rows<V, F, side>(x, first, rows, 0, w.K, kSlotA, stream);
        if (a.data == nullptr) return Status::Memory;
        if (const Status status = prepare(a, first, rows); status != Status::Ok) return status;
        if constexpr (kWidens) {
            if (rows >= kWidenRows) {
                const Status status = forward_widened<V>(y, a, first, rows, w, stream, body);
                if (status != Status::Ok) return status;
                continue;
            }
        }
        const auto* b = static_cast<const typename F::B*>(w.data);
        const Gemm<F, side> gemm{a, b, even(w.K) * kPanel, rows, divide_up(w.N, kPanel), w.K};
        if (!gemm_run<V>(gemm, stream, RowSink<Body>{y, first, 0, body})) return Status::Memory;
    }
    return Status::Ok;
}

// For slabs of x's rows: prepare(a, first, rows), a their Broadcast, then body(row, rows, panel,
// tile[rows][32]) for every tile of x W^T, to be stored in y.
template <class V, class F, class Prepare, class Body>
Status forward_in(const Mat& y, const ConstMat& x, const Weight& w, Stream* stream, const Prepare& prepare,
                  const Body& body) {
    if (in_place<F>(x, w.N)) return forward_from<V, F, Side::Rows>(y, x, w, stream, prepare, body);
    return forward_from<V, F, Side::Packed>(y, x, w, stream, prepare, body);
}

inline bool is_panels(Layout layout, const void* data, int64_t N, int64_t K) {
    return layout == Layout::Panels && N > 0 && K > 0 && data != nullptr;
}

inline bool fits_epilogue(const Epilogue& epilogue, int64_t rows, int64_t columns) {
    return (epilogue.residual.data == nullptr || has_shape(epilogue.residual, rows, columns)) &&
           (epilogue.before_activation.data == nullptr ||
            has_shape(epilogue.before_activation, rows, columns));
}

template <class V>
Status linear_forward(Mat y, ConstMat x, Weight w, const Epilogue* given, Stream* stream) {
    const Epilogue epilogue = given != nullptr ? *given : Epilogue{};
    if (!is_panels(w.layout, w.data, w.N, w.K) || !well_formed(x) || x.cols != w.K) return Status::Shape;
    if (!has_shape(y, x.rows, w.N) || !fits_epilogue(epilogue, x.rows, w.N)) return Status::Shape;
    const auto nothing = [](const auto&, int64_t, int64_t) { return Status::Ok; };
    const auto store = [&](int64_t row, int64_t rows, int64_t panel, const float* tile) {
        store_epilogue<V>(y, epilogue, row, rows, panel, tile);
    };
    if (w.dtype == DType::F32) return forward_in<V, PlainFormat<V>>(y, x, w, stream, nothing, store);
    if constexpr (V::kBf16Dot)
        if (x.dtype == DType::BF16) return forward_in<V, DotFormat<V>>(y, x, w, stream, nothing, store);
    return forward_in<V, StorageFormat<V>>(y, x, w, stream, nothing, store);
}

}  // namespace
}  // namespace attune
