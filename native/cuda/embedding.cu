// Rows by index: gathering and scattering activation rows, embedding lookup and its gradient. Rows that are
// added to may repeat: the host sorts them, and a block adds all of one target in their order: no atomics,
// the same bits in every run.
#include <algorithm>
#include <numeric>
#include <vector>

#include "cuda/layout.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

// ---- y[n] = x[rows[n]]

template <int kCount, class Y, class X>
__global__ void gather_kernel(View<Y> y, View<const X> x, const int32_t* rows, int64_t count,
                              int64_t chunks) {
    const int64_t index = thread_index();
    if (index >= count * chunks) return;
    const int64_t row = index / chunks, col = index % chunks * kCount;
    float values[kCount];
    load_numbers(values, x.row(rows[row]) + col);
    store_numbers(y.row(row) + col, values);
}

Status gather_rows(Mat y, ConstMat x, const int32_t* rows, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, y.rows, x.cols) || !indices_in(rows, y.rows, x.rows))
        return Status::Shape;
    if (y.rows == 0 || y.cols == 0) return Status::Ok;
    Device& device = device_of(stream);
    const int32_t* staged = device.stage(rows, y.rows);
    if (staged == nullptr) return Status::Memory;
    return with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        return with_chunks(in_chunks(y) && in_chunks(x), [&](auto count) {
            constexpr int kCount = decltype(count)::value;
            const int64_t chunks = y.cols / kCount;
            return launch("gather_rows", gather_kernel<kCount, Y, X>, {blocks_for(y.rows * chunks)}, kThreads,
                          0, device.queue(), view_of<Y>(y), view_of<X>(x), staged, y.rows, chunks);
        });
    });
}

// ---- sums of rows with the same target

// Rows of the source in the order of their targets, equal targets in the source's order.
struct Targets {
    std::vector<int32_t> order;   // [rows] of the source
    std::vector<int32_t> starts;  // [groups + 1] into order
    std::vector<int32_t> rows;    // [groups] of the target

    Targets(const int32_t* targets, int64_t count) : order(static_cast<size_t>(count)) {
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](int32_t a, int32_t b) { return targets[a] < targets[b]; });
        for (size_t i = 0; i < order.size(); ++i)
            if (i == 0 || targets[order[i]] != rows.back()) {
                rows.push_back(targets[order[i]]);
                starts.push_back(static_cast<int32_t>(i));
            }
        starts.push_back(static_cast<int32_t>(count));
    }
};

struct StagedTargets {
    const int32_t *order, *starts, *rows;
    unsigned groups;

    StagedTargets(const Targets& targets, Device& device)
        : order(device.stage(targets.order.data(), static_cast<int64_t>(targets.order.size()))),
          starts(device.stage(targets.starts.data(), static_cast<int64_t>(targets.starts.size()))),
          rows(device.stage(targets.rows.data(), static_cast<int64_t>(targets.rows.size()))),
          groups(static_cast<unsigned>(targets.rows.size())) {}
    explicit operator bool() const { return order != nullptr && starts != nullptr && rows != nullptr; }
};

// A block per target and kThreads columns: x[target] += its rows of y, in order.
template <class X, class Y>
__global__ void scatter_kernel(View<X> x, View<const Y> y, const int32_t* order, const int32_t* starts,
                               const int32_t* rows, int64_t cols) {
    const int64_t col = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    if (col >= cols) return;
    X* target = x.row(rows[blockIdx.x]) + col;
    for (int32_t i = starts[blockIdx.x]; i < starts[blockIdx.x + 1]; ++i)
        store_number(target, load_number(target) + load_number(y.row(order[i]) + col));
}

Status scatter_add_rows(Mat x, ConstMat y, const int32_t* rows, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, y.rows, x.cols) || !indices_in(rows, y.rows, x.rows))
        return Status::Shape;
    if (y.rows == 0 || y.cols == 0) return Status::Ok;
    Device& device = device_of(stream);
    const StagedTargets staged(Targets(rows, y.rows), device);
    if (!staged) return Status::Memory;
    return with_elements(x.dtype, y.dtype, [&](auto to, auto from) {
        using X = typename decltype(to)::Type;
        using Y = typename decltype(from)::Type;
        return launch("scatter_add_rows", scatter_kernel<X, Y>, {staged.groups, blocks_for(x.cols)}, kThreads,
                      0, device.queue(), view_of<X>(x), view_of<Y>(y), staged.order, staged.starts,
                      staged.rows, x.cols);
    });
}

// dtable in panels: columns of a row lie 32 apart.
__global__ void embedding_backward_kernel(float* table, View<const float> dx, const int32_t* order,
                                          const int32_t* starts, const int32_t* rows, Layout layout,
                                          int64_t cols) {
    const int64_t col = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    if (col >= cols) return;
    float* target = table + weight_index(layout, cols, rows[blockIdx.x], col);
    float sum = *target;
    for (int32_t i = starts[blockIdx.x]; i < starts[blockIdx.x + 1]; ++i) sum += dx.row(order[i])[col];
    *target = sum;
}

Status embedding_backward(WeightGrad dtable, ConstMat dx, const int32_t* tokens, Stream* stream) {
    if (!is_gradient(dx, dx.rows, dx.cols) || dtable.data == nullptr || dtable.K != dx.cols ||
        !indices_in(tokens, dx.rows, dtable.N))
        return Status::Shape;
    if (dx.rows == 0 || dx.cols == 0) return Status::Ok;
    Device& device = device_of(stream);
    const StagedTargets staged(Targets(tokens, dx.rows), device);
    if (!staged) return Status::Memory;
    return launch("embedding_backward", embedding_backward_kernel, {staged.groups, blocks_for(dx.cols)},
                  kThreads, 0, device.queue(), dtable.data, view_of<float>(dx), staged.order, staged.starts,
                  staged.rows, dtable.layout, dx.cols);
}

// ---- x[T,C] = table[tokens] (+ position_table[positions])

template <class X, class W>
__global__ void embedding_kernel(View<X> x, const int32_t* tokens, const W* table, Layout layout,
                                 const int32_t* positions, const W* position_table, Layout position_layout,
                                 int64_t rows, int64_t C) {
    const int64_t index = thread_index();
    if (index >= rows * C) return;
    const int64_t row = index / C, c = index % C;
    float value = load_number(table + weight_index(layout, C, tokens[row], c));
    if (position_table != nullptr)
        value += load_number(position_table + weight_index(position_layout, C, positions[row], c));
    store_number(x.row(row) + c, value);
}

Status embedding_forward(Mat x, const int32_t* tokens, Weight table, const int32_t* positions,
                         Weight position_table, Stream* stream) {
    const bool positioned = position_table.data != nullptr;
    if (!well_formed(x) || table.data == nullptr || table.K != x.cols || !indices_in(tokens, x.rows, table.N))
        return Status::Shape;
    if (positioned && (position_table.K != x.cols || position_table.dtype != table.dtype ||
                       !indices_in(positions, x.rows, position_table.N)))
        return Status::Shape;
    if (x.rows == 0 || x.cols == 0) return Status::Ok;
    Device& device = device_of(stream);
    const int32_t* ids = device.stage(tokens, x.rows);
    const int32_t* places = positioned ? device.stage(positions, x.rows) : nullptr;
    if (ids == nullptr || (positioned && places == nullptr)) return Status::Memory;
    return with_elements(x.dtype, table.dtype, [&](auto to, auto from) {
        using X = typename decltype(to)::Type;
        using W = typename decltype(from)::Type;
        return launch("embedding_forward", embedding_kernel<X, W>, {blocks_for(x.rows * x.cols)}, kThreads, 0,
                      device.queue(), view_of<X>(x), ids, static_cast<const W*>(table.data), table.layout,
                      places, static_cast<const W*>(position_table.data), position_table.layout, x.rows,
                      x.cols);
    });
}

}  // namespace

void fill_embedding(Ops& ops) {
    ops.gather_rows = gather_rows;
    ops.scatter_add_rows = scatter_add_rows;
    ops.embedding_forward = embedding_forward;
    ops.embedding_backward = embedding_backward;
}

}  // namespace attune::gpu
