// Rows by index: gathering and scattering activation rows, embedding lookup and its gradient. Tables lie in
// either layout; in panels a token's row is strided, one or two values per cache line. Rows that are added to
// may repeat, so those ops cut the columns into tasks and every task walks the rows in order: no sort, no
// atomics, the same bits for any number of threads. Included after a vec_*.h; must not include reference.h.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

constexpr int64_t kColumnBlock = 64;  // even: a bf16 pair is never cut

// y[n] = x[rows[n]]
template <class V>
Status gather_rows(Mat y, ConstMat x, const int32_t* rows, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, y.rows, x.cols) || !indices_in(rows, y.rows, x.rows))
        return Status::Shape;
    with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        parallel_rows(stream, y.rows, y.cols, [&](int64_t row) {
            Y* out = row_of<Y>(y, row);
            const X* in = row_of<X>(x, rows[row]);
            over_columns<V>(y.cols,
                            [&](int64_t c, auto lanes) { store<V>(out + c, load<V>(in + c, lanes), lanes); });
        });
    });
    return Status::Ok;
}

// x[rows[n]] += y[n], n in order
template <class V>
Status scatter_add_rows(Mat x, ConstMat y, const int32_t* rows, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, y.rows, x.cols) || !indices_in(rows, y.rows, x.rows))
        return Status::Shape;
    if (y.rows == 0) return Status::Ok;
    with_elements(x.dtype, y.dtype, [&](auto to, auto from) {
        using X = typename decltype(to)::Type;
        using Y = typename decltype(from)::Type;
        parallel_blocks(stream, x.cols, kColumnBlock, [&](int64_t first, int64_t count) {
            for (int64_t n = 0; n < y.rows; ++n) {
                X* sum = row_of<X>(x, rows[n]) + first;
                const Y* in = row_of<Y>(y, n) + first;
                over_columns<V>(count, [&](int64_t c, auto lanes) {
                    store<V>(sum + c, load<V>(sum + c, lanes) + load<V>(in + c, lanes), lanes);
                });
            }
        });
    });
    return Status::Ok;
}

// Where element (n, 0) of a parameter lies; (n, k) of fp32 panels is k * 32 further.
inline int64_t row_offset(Layout layout, DType dtype, int64_t K, int64_t n) {
    if (layout == Layout::Rows) return n * K;
    return n / kPanel * kPanel * even(K) + n % kPanel * (dtype == DType::F32 ? 1 : 2);
}

// out[count] = columns [first, first + count) of row n; `first` is even
inline void read_row(float* out, const Weight& table, int64_t n, int64_t first, int64_t count) {
    const int64_t offset = row_offset(table.layout, table.dtype, table.K, n);
    if (table.dtype == DType::F32) {
        const int64_t step = table.layout == Layout::Rows ? 1 : kPanel;
        const float* in = static_cast<const float*>(table.data) + offset + first * step;
        for (int64_t k = 0; k < count; ++k) out[k] = in[k * step];
        return;
    }
    const auto* in = static_cast<const bf16_t*>(table.data) + offset;
    if (table.layout == Layout::Rows) {
        for (int64_t k = 0; k < count; ++k) out[k] = bf16_to_float(in[first + k]);
        return;
    }
    for (int64_t k = 0; k < count; ++k) out[k] = bf16_to_float(in[(first + k) / 2 * 2 * kPanel + k % 2]);
}

// x[T,C] = table[tokens] (+ position_table[positions])
template <class V>
Status embedding_forward(Mat x, const int32_t* tokens, Weight table, const int32_t* positions,
                         Weight position_table, Stream* stream) {
    const bool positioned = position_table.data != nullptr;
    if (!well_formed(x) || table.data == nullptr || table.K != x.cols || !indices_in(tokens, x.rows, table.N))
        return Status::Shape;
    if (positioned && (position_table.K != x.cols || !indices_in(positions, x.rows, position_table.N)))
        return Status::Shape;
    with_element(x.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        parallel_rows(stream, x.rows, x.cols * 8,
                      [&](int64_t row) {  // strided reads cost about eight times a copy
                          T* out = row_of<T>(x, row);
                          for (int64_t first = 0; first < x.cols; first += kColumnBlock) {
                              const int64_t count = std::min(kColumnBlock, x.cols - first);
                              float values[kColumnBlock], shift[kColumnBlock];
                              read_row(values, table, tokens[row], first, count);
                              if (positioned) read_row(shift, position_table, positions[row], first, count);
                              over_columns<V>(count, [&](int64_t c, auto lanes) {
                                  V value = load<V>(values + c, lanes);
                                  if (positioned) value = value + load<V>(shift + c, lanes);
                                  store<V>(out + first + c, value, lanes);
                              });
                          }
                      });
    });
    return Status::Ok;
}

// dtable[tokens[t]] += dx[t], t in order
template <class V>
Status embedding_backward(WeightGrad dtable, ConstMat dx, const int32_t* tokens, Stream* stream) {
    if (!is_gradient(dx, dx.rows, dx.cols) || dtable.data == nullptr || dtable.K != dx.cols ||
        !indices_in(tokens, dx.rows, dtable.N))
        return Status::Shape;
    if (dtable.layout == Layout::Rows)
        return scatter_add_rows<V>({dtable.data, DType::F32, dtable.N, dtable.K, dtable.K}, dx, tokens,
                                   stream);
    if (dx.rows == 0) return Status::Ok;
    parallel_blocks(stream, dx.cols, kColumnBlock, [&](int64_t first, int64_t count) {
        for (int64_t t = 0; t < dx.rows; ++t) {
            float* sum =
                dtable.data + row_offset(dtable.layout, DType::F32, dtable.K, tokens[t]) + first * kPanel;
            const float* in = row_of<float>(dx, t) + first;
            for (int64_t k = 0; k < count; ++k) sum[k * kPanel] += in[k];
        }
    });
    return Status::Ok;
}

template <class V>
void fill_embedding(Ops& ops) {
    ops.gather_rows = gather_rows<V>;
    ops.scatter_add_rows = scatter_add_rows<V>;
    ops.embedding_forward = embedding_forward<V>;
    ops.embedding_backward = embedding_backward<V>;
}

}  // namespace
}  // namespace attune
