// Linear maps with a low-rank term (LoRA): the products of gemm.cu, part by part. y = epilogue(x W^T + scale
// h B^T) is summed in fp32 and rounded once.
#include <cstdint>

#include "cuda/gemm.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kSumSlot = 1;

Mat columns(const Mat& m, int64_t first, int64_t count) {
    return {static_cast<std::byte*>(m.data) + first * dtype_size(m.dtype), m.dtype, m.rows, count, m.stride};
}
ConstMat columns(const ConstMat& m, int64_t first, int64_t count) {
    return {static_cast<const std::byte*>(m.data) + first * dtype_size(m.dtype), m.dtype, m.rows, count,
            m.stride};
}

bool term_fits(const LowRank* term, const Weight& w, int64_t N, int64_t K) {
    if (term == nullptr || term->rank <= 0 || term->part_count <= 0) return false;
    const LowRank& t = *term;
    if (w.N != N || w.K != K || t.a.N != t.part_count * t.rank || t.a.K != K || t.b.N != N ||
        t.b.K != t.rank || t.a.dtype != DType::F32 || t.b.dtype != DType::F32)
        return false;
    int64_t next = 0;
    for (int64_t i = 0; i < t.part_count; ++i) {
        if (t.parts[i].row < next || t.parts[i].rows <= 0 || t.parts[i].row + t.parts[i].rows > N)
            return false;
        next = t.parts[i].row + t.parts[i].rows;
    }
    return true;
}

__global__ void epilogue_kernel(View<const float> sums, EpilogueStore store) {
    const int64_t index = thread_index();
    if (index >= store.rows * store.cols) return;
    const int64_t i = index / store.cols, j = index % store.cols;
    float values[2] = {sums.row(i)[j], 0};
    store.pair(i, j, values, 1);
}

Status lowrank_forward(Mat y, Mat h, ConstMat x, Weight w, const LowRank* term, const Epilogue* epilogue,
                       Stream* stream) {
    const Epilogue e = epilogue == nullptr ? Epilogue{} : *epilogue;
    if (!well_formed(x) || !has_shape(y, x.rows, w.N) || !term_fits(term, w, y.cols, x.cols) ||
        !is_gradient(h, x.rows, term->a.N))
        return Status::Shape;
    if (x.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    auto* memory = device.workspace<float>(kSumSlot, y.rows * y.cols);
    if (memory == nullptr) return Status::Memory;
    const Mat sums{memory, DType::F32, y.rows, y.cols, y.cols};
    Status status = rows_times_outputs({.c = h}, x, term->a, 0, term->a.N, device);
    if (status == Status::Ok) status = rows_times_outputs({.c = sums}, x, w, 0, w.N, device);
    for (int64_t i = 0; i < term->part_count && status == Status::Ok; ++i) {
        const LowRankPart& part = term->parts[i];
        status = rows_times_outputs(
            {.c = columns(sums, part.row, part.rows), .scale = term->scale, .accumulate = true},
            columns(ConstMat(h), i * term->rank, term->rank), term->b, part.row, part.rows, device);
    }
    if (status != Status::Ok) return status;
    return launch("lowrank_forward", epilogue_kernel, {blocks_for(y.rows * y.cols)}, kThreads, 0,
                  device.queue(), view_of<float>(ConstMat(sums)),
                  store_of({.c = y, .epilogue = e}, y.rows, y.cols));
}

Status lowrank_backward_input(Mat dx, Mat dh, ConstMat dy, Weight w, const LowRank* term, Stream* stream) {
    if (!is_gradient(dy, dy.rows, w.N) || !term_fits(term, w, dy.cols, w.K) ||
        !is_gradient(dh, dy.rows, term->a.N) || (dx.data != nullptr && !is_gradient(dx, dy.rows, w.K)))
        return Status::Shape;
    if (dy.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    Status status = Status::Ok;
    for (int64_t i = 0; i < term->part_count && status == Status::Ok; ++i) {
        const LowRankPart& part = term->parts[i];
        status = rows_times_inputs({.c = columns(dh, i * term->rank, term->rank), .scale = term->scale},
                                   columns(dy, part.row, part.rows), term->b, part.row, device);
    }
    if (dx.data == nullptr || status != Status::Ok) return status;
    status = rows_times_inputs({.c = dx}, dy, w, 0, device);
    if (status != Status::Ok) return status;
    return rows_times_inputs({.c = dx, .accumulate = true}, dh, term->a, 0, device);
}

Status lowrank_backward_weight(WeightGrad da, WeightGrad db, ConstMat dy, ConstMat dh, ConstMat x, ConstMat h,
                               const LowRank* term, Stream* stream) {
    const Weight shape{nullptr, DType::F32, Layout::Panels, db.N, da.K};
    if (!well_formed(x) || !is_gradient(dy, x.rows, db.N) || !term_fits(term, shape, db.N, x.cols) ||
        da.N != term->a.N || db.K != term->rank || !is_gradient(dh, x.rows, da.N) ||
        !is_gradient(h, x.rows, da.N))
        return Status::Shape;
    if (x.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    Status status =
        columns_times_columns({.c = gradient_rows(da, 0, da.N), .accumulate = true}, dh, x, false, device);
    for (int64_t i = 0; i < term->part_count && status == Status::Ok; ++i) {
        const LowRankPart& part = term->parts[i];
        status = columns_times_columns(
            {.c = gradient_rows(db, part.row, part.rows), .scale = term->scale, .accumulate = true},
            columns(dy, part.row, part.rows), columns(h, i * term->rank, term->rank), false, device);
    }
    return status;
}

}  // namespace

void fill_lowrank(Ops& ops) {
    ops.lowrank_forward = lowrank_forward;
    ops.lowrank_backward_input = lowrank_backward_input;
    ops.lowrank_backward_weight = lowrank_backward_weight;
}

}  // namespace attune::gpu
