// AdamW, sums of squares and scans over flat fp32 buffers. AdamW moves 28 bytes per element (30 with a bf16
// copy); all are bound by memory. Included after a vec_*.h; must not include reference.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/ops.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

// A task's elements: part of the result of sum_squares, and a multiple of two panel rows (64).
constexpr int64_t kFlatBlock = 65536;
constexpr int kFlatSlot = 0;

template <class V>
struct AdamWFactors {
    V decay, beta1, beta2, rest1, rest2, step, root, epsilon, gradient_scale;

    explicit AdamWFactors(const AdamW& s) {
        const auto wide = [](float x) { return static_cast<double>(x); };
        const auto all = [](double x) { return V::set(static_cast<float>(x)); };
        decay = all(1 - wide(s.learning_rate) * wide(s.weight_decay));
        beta1 = V::set(s.beta1);
        beta2 = V::set(s.beta2);
        rest1 = all(1 - wide(s.beta1));
        rest2 = all(1 - wide(s.beta2));
        step = all(wide(s.learning_rate) / wide(s.correction1));
        root = all(1 / std::sqrt(wide(s.correction2)));
        epsilon = V::set(s.epsilon);
        gradient_scale = V::set(s.gradient_scale);
    }
};

// Updates elements [i, i + lanes) and returns the new parameters: decay, moments, step.
template <class V, class Lanes>
V adamw_vector(float* parameter, float* m, float* v, const float* gradient, int64_t i, Lanes lanes,
               const AdamWFactors<V>& f) {
    const V g = load<V>(gradient + i, lanes) * f.gradient_scale;
    const V first = V::fma(f.beta1, load<V>(m + i, lanes), f.rest1 * g);
    const V second = V::fma(f.beta2, load<V>(v + i, lanes), f.rest2 * g * g);
    const V slope = first / V::fma(V::sqrt(second), f.root, f.epsilon);
    const V updated = V::fnma(f.step, slope, load<V>(parameter + i, lanes) * f.decay);
    store<V>(m + i, first, lanes);
    store<V>(v + i, second, lanes);
    store<V>(parameter + i, updated, lanes);
    return updated;
}

// Two panel rows of 32 at a time: the bf16 copy interleaves them
template <class V>
void adamw_panels(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t first,
                  int64_t count, const AdamWFactors<V>& f) {
    for (int64_t i = first; i < first + count; i += 2 * kPanel)
        for (int64_t j = 0; j < kPanel; j += V::kLanes) {
            const V low = adamw_vector<V>(parameter, m, v, gradient, i + j, Whole{}, f);
            const V high = adamw_vector<V>(parameter, m, v, gradient, i + kPanel + j, Whole{}, f);
            V::store_pairs(compute + i + 2 * j, low, high);
        }
}

// parameter[n], m[n], v[n] updated;  compute[n] = parameter
template <class V>
Status adamw(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t n,
             Layout layout, AdamW settings, Stream* stream) {
    const bool interleaved = compute != nullptr && layout == Layout::Panels;
    if (n < 0 || (interleaved && n % (2 * kPanel) != 0)) return Status::Shape;
    const AdamWFactors<V> factors(settings);
    parallel_blocks(stream, n, kFlatBlock / 8, [&](int64_t first, int64_t count) {
        if (interleaved) return adamw_panels<V>(parameter, compute, m, v, gradient, first, count, factors);
        over_columns<V>(count, [&](int64_t i, auto lanes) {
            const V updated = adamw_vector<V>(parameter, m, v, gradient, first + i, lanes, factors);
            if (compute != nullptr) store<V>(compute + first + i, updated, lanes);
        });
    });
    return Status::Ok;
}

// Squares of floats are exact in double; sixteen running sums, added in a fixed order.
inline double sum_squares_block(const float* x, int64_t n) {
    using Four = float __attribute__((vector_size(16)));
    using Doubles = double __attribute__((vector_size(32)));
    Doubles sums[4] = {};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int64_t j = 0; j < 4; ++j) {
            Four values;
            std::memcpy(&values, x + i + 4 * j, sizeof(values));
            const Doubles wide = __builtin_convertvector(values, Doubles);
            sums[j] += wide * wide;
        }
    const Doubles sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return total;
}

// *sum = sum of x[n]^2
template <class V>
Status sum_squares(double* sum, const float* x, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    *sum = 0;
    const int64_t blocks = (n + kFlatBlock - 1) / kFlatBlock;
    if (blocks == 0) return Status::Ok;
    auto* partial =
        static_cast<double*>(stream->scratch->try_slot(kFlatSlot, static_cast<size_t>(blocks * 8)));
    if (partial == nullptr) return Status::Memory;
    parallel_blocks(stream, n, kFlatBlock, [&](int64_t first, int64_t count) {
        partial[first / kFlatBlock] = sum_squares_block(x + first, count);
    });
    for (int64_t block = 0; block < blocks; ++block) *sum += partial[block];
    return Status::Ok;
}

// x[n] =
template <class V>
Status fill(float* x, float value, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    const V all = V::set(value);
    parallel_blocks(stream, n, kFlatBlock, [&](int64_t first, int64_t count) {
        over_columns<V>(count, [&](int64_t i, auto lanes) { store<V>(x + first + i, all, lanes); });
    });
    return Status::Ok;
}

// Index of the first element of x[n] that is NaN or infinite, or -1
template <class V>
int64_t first_not_finite(const float* x, int64_t n) {
    const V largest = V::set(std::numeric_limits<float>::max());
    constexpr int64_t kStep = 4 * V::kLanes;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        // A comparison with NaN is false, so one that holds in every lane rules out both.
        const auto ok = (V::abs(V::load(x + i)) <= largest) &
                        (V::abs(V::load(x + i + V::kLanes)) <= largest) &
                        (V::abs(V::load(x + i + 2 * V::kLanes)) <= largest) &
                        (V::abs(V::load(x + i + 3 * V::kLanes)) <= largest);
        if (!ok.all()) break;
    }
    for (; i < n; ++i)
        if (!(std::abs(x[i]) <= std::numeric_limits<float>::max())) return i;
    return -1;
}

// *index = of the first element of x[n] that is not finite, or -1
template <class V>
Status find_not_finite(int64_t* index, const float* x, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    *index = -1;
    const int64_t blocks = (n + kFlatBlock - 1) / kFlatBlock;
    if (blocks == 0) return Status::Ok;
    auto* found =
        static_cast<int64_t*>(stream->scratch->try_slot(kFlatSlot, static_cast<size_t>(blocks * 8)));
    if (found == nullptr) return Status::Memory;
    parallel_blocks(stream, n, kFlatBlock, [&](int64_t first, int64_t count) {
        const int64_t at = first_not_finite<V>(x + first, count);
        found[first / kFlatBlock] = at < 0 ? -1 : first + at;
    });
    for (int64_t block = 0; block < blocks; ++block)
        if (found[block] >= 0) {
            *index = found[block];
            break;
        }
    return Status::Ok;
}

template <class V>
void fill_optimizer(Ops& ops) {
    ops.adamw = adamw<V>;
    ops.sum_squares = sum_squares<V>;
    ops.fill = fill<V>;
    ops.find_not_finite = find_not_finite<V>;
}

}  // namespace
}  // namespace attune
