// The reference's logits are made beside the policy's, a chunk at a time; the divergences are one op over
// both.
#include "model/head_kl.h"

#include <algorithm>
#include <functional>

#include "core/backend.h"

namespace attune {

namespace {

int64_t aligned(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

int64_t row_bytes_of(const ConstMat& rows) {
    return rows.cols * dtype_size(rows.dtype);
}

}  // namespace

int64_t HeadKl::planned_bytes(int64_t targets, int64_t row_bytes, int64_t chunk_rows, int64_t V) {
    const auto value = static_cast<int64_t>(sizeof(float));
    return aligned(targets * row_bytes) + aligned(std::min(targets, chunk_rows) * V * value);
}

void HeadKl::set_reference(const Head& reference, const Weights& weights, Stream& stream) {
    const ConstMat rows = reference.normed();
    matrix_ = reference.matrix(weights);
    const auto needed =
        static_cast<size_t>(planned_bytes(rows.rows, row_bytes_of(rows), reference.chunk_rows(), matrix_.N));
    arena_.grow(ops_, stream, needed);
    bytes_ = std::max(bytes_, needed);
    rows_ = {arena_.data(), rows.dtype, rows.rows, rows.cols, rows.cols};
    logits_ = reinterpret_cast<float*>(arena_.data() + aligned(rows.rows * row_bytes_of(rows)));
    check(ops_.copy(rows_, rows, &stream), "copy");
}

Mat HeadKl::reference_logits(int64_t first, int64_t count, Stream& stream) {
    const ConstMat rows{static_cast<std::byte*>(rows_.data) + first * row_bytes_of(rows_), rows_.dtype, count,
                        rows_.cols, rows_.cols};
    const Mat logits{logits_, DType::F32, count, matrix_.N, matrix_.N};
    const Epilogue none;
    check(ops_.linear_forward(logits, rows, matrix_, &none, &stream), "linear_forward");
    return logits;
}

namespace {

void resize(KlValues& values, int64_t targets) {
    values.kl.resize(static_cast<size_t>(targets));
    values.reverse_kl.resize(static_cast<size_t>(targets));
}

}  // namespace

void HeadKl::evaluate(KlValues& values, Head& policy, const Weights& weights, Stream& stream) {
    resize(values, rows_.rows);
    const auto compare = [&](int64_t first, Mat logits) {
        const Mat reference = reference_logits(first, logits.rows, stream);
        check(ops_.head_kl(values.kl.data() + first, values.reverse_kl.data() + first, logits, reference,
                           1.0f, &stream),
              "head_kl");
    };
    // A reference: what the lambda captures would be allocated.
    policy.visit_logits(weights, std::ref(compare), stream);
}

void HeadKl::train(KlValues& values, TargetStats& stats, Head& policy, const Weights& weights,
                   Gradients* gradients, const KlGradient& gradient, Stream& stream) {
    resize(values, rows_.rows);
    const auto differentiate = [&](int64_t first, const int32_t* tokens, Mat logits) {
        const Mat reference = reference_logits(first, logits.rows, stream);
        check(ops_.head_kl(values.kl.data() + first, values.reverse_kl.data() + first, logits, reference,
                           1.0f, &stream),
              "head_kl");
        HeadWeights w;
        (gradient.reverse ? w.reverse_kl : w.kl) = gradient.d_kl.data() + first;
        check(ops_.head_gradient(logits, reference, tokens, w, 1.0f, &stream), "head_gradient");
    };
    policy.train_logits(stats, weights, gradients, std::ref(differentiate), stream);
}

}  // namespace attune
