// Rows of fp32 logits: log-prob, entropy, divergences, argmax, and the gradient of a loss in place. A block
// per row. Statistics read it once; the gradient of log-probs twice, and writes it.
#include <cmath>
#include <cstdint>

#include "cuda/matrix.h"
#include "cuda/softmax_row.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr size_t kShared = sizeof(RowSlots);
constexpr float kNan = __builtin_nanf("");

bool head_fits(const ConstMat& logits, const int32_t* targets, float temperature) {
    if (logits.dtype != DType::F32 || !(temperature > 0.0f)) return false;
    if (logits.rows > 0 && logits.cols <= 0) return false;
    return targets == nullptr || indices_in(targets, logits.rows, logits.cols);
}

bool head_matches(const ConstMat& logits, const ConstMat& reference) {
    return reference.dtype == DType::F32 && reference.rows == logits.rows && reference.cols == logits.cols &&
           (logits.rows == 0 || reference.data != nullptr);
}

// ---- statistics

__global__ void stats_kernel(float* logprob, float* logsumexp, float* entropy, float* mean_logit,
                             int32_t* argmax, View<const float> logits, const int32_t* targets, int64_t n,
                             float temperature) {
    const int64_t row = blockIdx.x;
    const float* x = logits.row(row);
    const RowSums sums = row_sums(x, n, 1.0f / temperature, *shared_memory<RowSlots>());
    if (threadIdx.x != 0) return;
    const bool defined = sums.defined();
    if (mean_logit != nullptr) mean_logit[row] = static_cast<float>(sums.logits / static_cast<double>(n));
    if (argmax != nullptr) argmax[row] = sums.argmax;
    if (logsumexp != nullptr)
        logsumexp[row] =
            defined ? static_cast<float>(static_cast<double>(sums.high) / static_cast<double>(temperature) +
                                         sums.log_total())
                    : kNan;
    if (entropy != nullptr) entropy[row] = defined ? static_cast<float>(sums.entropy()) : kNan;
    if (logprob != nullptr)
        logprob[row] = defined ? static_cast<float>(sums.logprob(x[targets[row]], temperature)) : kNan;
}

Status head_stats(HeadStats out, ConstMat logits, const int32_t* targets, float temperature, Stream* stream) {
    const bool scored = out.logprob != nullptr;
    if (!head_fits(logits, scored ? targets : nullptr, temperature)) return Status::Shape;
    if (scored && targets == nullptr && logits.rows > 0) return Status::Shape;
    if (logits.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    Results results(device);
    float* logprob = results.place(out.logprob, logits.rows);
    float* logsumexp = results.place(out.logsumexp, logits.rows);
    float* entropy = results.place(out.entropy, logits.rows);
    float* mean_logit = results.place(out.mean_logit, logits.rows);
    int32_t* argmax = results.place(out.argmax, logits.rows);
    const int32_t* ids = scored ? device.stage(targets, logits.rows) : nullptr;
    if (!results.placed() || (scored && ids == nullptr)) return Status::Memory;
    const Status status = launch("head_stats", stats_kernel, {static_cast<unsigned>(logits.rows)}, kThreads,
                                 kShared, device.queue(), logprob, logsumexp, entropy, mean_logit, argmax,
                                 view_of<float>(logits), ids, logits.cols, temperature);
    return status == Status::Ok ? results.collect() : status;
}

// ---- divergences

// Both distributions of a row.
struct RowPair {
    RowSums p, q;
    double p_gap;  // mean under p of z - z of the reference
    double q_gap;  // mean under q of z of the reference - z

    __device__ bool defined() const { return p.defined() && q.defined(); }
    __device__ double kl() const { return p_gap + (q.log_total() - p.log_total()); }
    __device__ double reverse_kl() const { return q_gap - (q.log_total() - p.log_total()); }
};

__device__ inline RowPair row_pair(const float* x, const float* y, int64_t n, float inverse,
                                   RowSlots& slots) {
    RowPair pair{};
    pair.p = row_sums(x, n, inverse, slots);
    pair.q = row_sums(y, n, inverse, slots);
    double p_gap = 0, q_gap = 0;
    if (pair.defined())
        for (int64_t v = threadIdx.x; v < n; v += kThreads) {
            const float zp = shifted(x[v], pair.p.high, inverse), zq = shifted(y[v], pair.q.high, inverse);
            const float gap = zp - zq;
            p_gap += static_cast<double>(expf(zp) * gap);
            q_gap -= static_cast<double>(expf(zq) * gap);
        }
    pair.p_gap = block_sum(p_gap, slots.doubles) / pair.p.total;
    pair.q_gap = block_sum(q_gap, slots.doubles) / pair.q.total;
    return pair;
}

__global__ void kl_kernel(float* kl, float* reverse_kl, View<const float> logits, View<const float> reference,
                          int64_t n, float temperature) {
    const int64_t row = blockIdx.x;
    const RowPair pair =
        row_pair(logits.row(row), reference.row(row), n, 1.0f / temperature, *shared_memory<RowSlots>());
    if (threadIdx.x != 0) return;
    const bool defined = pair.defined();
    if (kl != nullptr) kl[row] = defined ? static_cast<float>(pair.kl()) : kNan;
    if (reverse_kl != nullptr) reverse_kl[row] = defined ? static_cast<float>(pair.reverse_kl()) : kNan;
}

Status head_kl(float* kl, float* reverse_kl, ConstMat logits, ConstMat reference_logits, float temperature,
               Stream* stream) {
    if (!head_fits(logits, nullptr, temperature) || !head_matches(logits, reference_logits))
        return Status::Shape;
    if (logits.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    Results results(device);
    float* forward = results.place(kl, logits.rows);
    float* reverse = results.place(reverse_kl, logits.rows);
    if (!results.placed()) return Status::Memory;
    const Status status = launch("head_kl", kl_kernel, {static_cast<unsigned>(logits.rows)}, kThreads,
                                 kShared, device.queue(), forward, reverse, view_of<float>(logits),
                                 view_of<float>(reference_logits), logits.cols, temperature);
    return status == Status::Ok ? results.collect() : status;
}

// ---- gradient

// Weights of one row: w, e, c, u of the formula in core/ops.h.
struct RowWeights {
    float w, e, c, u;
};

__device__ inline void fill_row(float* x, int64_t n, float value) {
    for (int64_t v = threadIdx.x; v < n; v += kThreads) x[v] = value;
}

// x = w/T (1[target] - p)
__device__ inline void logprob_gradient(float* x, int64_t n, int32_t target, float w, float temperature,
                                        RowSlots& slots) {
    const float inverse = 1.0f / temperature;
    const RowSums sums = row_sums(x, n, inverse, slots);
    if (!sums.defined()) return fill_row(x, n, kNan);
    const double weight = static_cast<double>(w) / static_cast<double>(temperature);
    const auto factor = static_cast<float>(-weight / sums.total);
    for (int64_t v = threadIdx.x; v < n; v += kThreads) {
        const float gradient = expf(shifted(x[v], sums.high, inverse)) * factor;
        x[v] = v == target ? gradient + static_cast<float>(weight) : gradient;
    }
}

// x = { p (u - w - e (log p + H) + c (log p - log q - KL)) - u q + w 1[target] } / T; y null when c = u = 0.
// log p + H = z - mean z and log p - log q - KL = gap - mean gap: the large constants cancel before they
// round.
__device__ inline void full_gradient(float* x, const float* y, int64_t n, int32_t target, RowWeights weights,
                                     float temperature, RowSlots& slots) {
    const float inverse = 1.0f / temperature;
    RowPair pair{};
    if (y != nullptr)
        pair = row_pair(x, y, n, inverse, slots);
    else
        pair.p = row_sums(x, n, inverse, slots);
    if (!pair.p.defined() || (y != nullptr && !pair.q.defined())) return fill_row(x, n, kNan);
    const auto divided = [&](float weight) {
        return static_cast<float>(static_cast<double>(weight) / static_cast<double>(temperature));
    };
    const float base = divided(weights.u) - divided(weights.w);
    const float z_mean = static_cast<float>(pair.p.weighted / pair.p.total), z_slope = divided(weights.e);
    const float gap_mean = static_cast<float>(pair.p_gap), gap_slope = divided(weights.c);
    const float p_scale = static_cast<float>(1 / pair.p.total);
    const float q_scale = y == nullptr ? 0.0f : divided(weights.u) / static_cast<float>(pair.q.total);
    for (int64_t v = threadIdx.x; v < n; v += kThreads) {
        const float zp = shifted(x[v], pair.p.high, inverse);
        float inner = fmaf(-z_slope, zp - z_mean, base), rest = 0;
        if (y != nullptr) {
            const float zq = shifted(y[v], pair.q.high, inverse);
            inner = fmaf(gap_slope, zp - zq - gap_mean, inner);
            rest = expf(zq) * q_scale;
        }
        const float gradient = fmaf(expf(zp) * p_scale, inner, -rest);
        x[v] = v == target ? gradient + divided(weights.w) : gradient;
    }
}

__global__ void gradient_kernel(View<float> logits, View<const float> reference, const int32_t* targets,
                                const float* w, const float* e, const float* c, const float* u, int64_t n,
                                float temperature) {
    const int64_t row = blockIdx.x;
    const auto weight = [&](const float* list) { return list == nullptr ? 0.0f : list[row]; };
    const RowWeights weights{weight(w), weight(e), weight(c), weight(u)};
    RowSlots& slots = *shared_memory<RowSlots>();
    float* x = logits.row(row);
    const bool reads_q = weights.c != 0.0f || weights.u != 0.0f;
    if (reads_q || weights.e != 0.0f)
        full_gradient(x, reads_q ? reference.row(row) : nullptr, n, targets[row], weights, temperature,
                      slots);
    else if (weights.w != 0.0f)
        logprob_gradient(x, n, targets[row], weights.w, temperature, slots);
    else
        fill_row(x, n, 0.0f);
}

Status head_gradient(Mat logits, ConstMat reference_logits, const int32_t* targets, HeadWeights weights,
                     float temperature, Stream* stream) {
    if (!head_fits(logits, targets, temperature) || (targets == nullptr && logits.rows > 0))
        return Status::Shape;
    const bool reads_q = weights.kl != nullptr || weights.reverse_kl != nullptr;
    if (reads_q && !head_matches(logits, reference_logits)) return Status::Shape;
    if (logits.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    bool staged = true;
    const auto stage = [&](const auto* list) {
        const auto* on_device = list == nullptr ? nullptr : device.stage(list, logits.rows);
        staged = staged && (list == nullptr || on_device != nullptr);
        return on_device;
    };
    const int32_t* ids = stage(targets);
    const float *w = stage(weights.logprob), *e = stage(weights.entropy);
    const float *c = stage(weights.kl), *u = stage(weights.reverse_kl);
    if (!staged) return Status::Memory;
    return launch("head_gradient", gradient_kernel, {static_cast<unsigned>(logits.rows)}, kThreads, kShared,
                  device.queue(), view_of<float>(logits),
                  reads_q ? view_of<float>(reference_logits) : View<const float>{}, ids, w, e, c, u,
                  logits.cols, temperature);
}

}  // namespace

void fill_head(Ops& ops) {
    ops.head_stats = head_stats;
    ops.head_kl = head_kl;
    ops.head_gradient = head_gradient;
}

}  // namespace attune::gpu
