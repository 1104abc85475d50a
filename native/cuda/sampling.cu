// Draws tokens from rows of fp32 logits, a block per row. Filters are thresholds on the logits, found by
// radix descent over their bits; masses are counted in whole numbers, whose sums do not depend on their
// order. A row is read once for its softmax, three times more for top-k and for top-p each, and once to draw.
#include <cmath>
#include <cstdint>
#include <vector>

#include "cuda/matrix.h"
#include "cuda/softmax_row.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kSavedSlot = 0;
constexpr int kBuckets = 2048;  // of one level: 11, 11 and 10 bits of an ordered key
constexpr int kPerThread = kBuckets / static_cast<int>(kThreads);
constexpr int kDrawn = 4;  // ids of a thread in a tile
constexpr int64_t kTile = int64_t{kThreads} * kDrawn;
constexpr double kMass = 0x1p44;  // of the likeliest token
constexpr float kNan = __builtin_nanf("");

using Mass = unsigned long long;  // NOLINT: what atomicAdd takes

struct SampleShared {
    RowSlots slots;
    Mass buckets[kBuckets];
    Mass masses[kThreads];
    double sums[kThreads];
    int32_t bucket;
    Mass above;
    int32_t token;
    double reached;
};

struct Row {
    float uniform;
    int32_t first_seen;
    int32_t seen;
};

// Ascending as the floats are.
__device__ inline uint32_t ordered_key(float x) {
    const uint32_t bits = float_to_bits(x);
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
__device__ inline float from_ordered_key(uint32_t key) {
    return bits_to_float(key >> 31 != 0 ? key & 0x7fffffffu : ~key);
}

// Of the buckets from the largest down, the first where `above` and their sum reach `wanted`, or the last one
// that is not empty; -1 where all are. Thread 0 says so in shared.bucket and what lies above in shared.above.
__device__ inline void find_bucket(SampleShared& shared, Mass above, Mass wanted) {
    Mass own = 0;
    const int first = static_cast<int>(threadIdx.x) * kPerThread;
    for (int i = 0; i < kPerThread; ++i) own += shared.buckets[first + i];
    shared.masses[threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.x == 0) {
        shared.bucket = -1;
        Mass reached = above;
        for (int thread = kThreads - 1; thread >= 0; --thread) {
            const Mass part = shared.masses[thread];
            if (part == 0) continue;
            if (shared.bucket >= 0 && reached >= wanted) break;
            const bool here = reached + part >= wanted;
            for (int bucket = (thread + 1) * kPerThread - 1; bucket >= thread * kPerThread; --bucket) {
                if (shared.buckets[bucket] == 0) continue;
                shared.bucket = bucket;
                shared.above = reached;
                reached += shared.buckets[bucket];
                if (reached >= wanted) break;
            }
            if (here) break;
        }
    }
    __syncthreads();
}

// The largest t so that the weights of {x >= t} add up to `wanted`; at least the smallest x with a weight.
template <class Weigh>
__device__ inline float threshold_of(const float* x, int64_t n, Mass wanted, SampleShared& shared,
                                     const Weigh& weigh) {
    uint32_t prefix = 0, known = 0;  // bits of the key found so far, and their mask
    Mass above = 0;
    int shift = 32;
    for (int level = 0; level < 3; ++level) {
        const int bits = level < 2 ? 11 : 10;
        shift -= bits;
        const uint32_t mask = (1u << bits) - 1;
        for (int i = static_cast<int>(threadIdx.x); i < kBuckets; i += kThreads) shared.buckets[i] = 0;
        __syncthreads();
        for (int64_t v = threadIdx.x; v < n; v += kThreads) {
            const uint32_t key = ordered_key(x[v]);
            if ((key & known) != prefix) continue;
            if (const Mass weight = weigh(x[v]); weight > 0)
                atomicAdd(&shared.buckets[key >> shift & mask], weight);
        }
        __syncthreads();
        find_bucket(shared, above, wanted);
        const int32_t found = shared.bucket;
        if (found < 0) return -kInfinity;
        above = shared.above;
        prefix |= static_cast<uint32_t>(found) << shift;
        known |= mask << shift;
        __syncthreads();
    }
    return from_ordered_key(prefix);
}

// The least logit that top-k, top-p and min-p keep together.
__device__ inline float least_kept(const float* x, const SampleSettings& settings, float high,
                                   SampleShared& shared) {
    const int64_t n = settings.vocabulary;
    float least = -kInfinity;
    if (settings.top_k > 0 && settings.top_k < n)
        least = threshold_of(x, n, static_cast<Mass>(settings.top_k), shared, [](float) { return Mass{1}; });
    if (settings.top_p < 1) {
        const float inverse = 1.0f / settings.temperature;
        const auto weigh = [&](float value) {
            return value >= least
                       ? static_cast<Mass>(static_cast<double>(expf(shifted(value, high, inverse))) * kMass)
                       : Mass{0};
        };
        double mass = 0;
        for (int64_t v = threadIdx.x; v < n; v += kThreads) mass += static_cast<double>(weigh(x[v]));
        mass = block_sum(mass, shared.slots.doubles);
        const double wanted = ceil(static_cast<double>(settings.top_p) * mass);
        const float at = threshold_of(x, n, static_cast<Mass>(wanted < 1 ? 1 : wanted), shared, weigh);
        least = fmaxf(least, at);
    }
    if (settings.min_p > 0) {
        const double reach =
            log(static_cast<double>(settings.min_p)) * static_cast<double>(settings.temperature);
        least = fmaxf(least, static_cast<float>(static_cast<double>(high) + reach));
    }
    return fminf(least, high);
}

// The first id at which the powers of the kept tokens, added in id order, pass `aim`. Rounding can keep the
// sum from getting there: then the last id with any power.
__device__ inline int32_t draw_token(const float* x, int64_t n, float high, float inverse, float least,
                                     double aim, SampleShared& shared) {
    if (threadIdx.x == 0) {
        shared.token = -1;
        shared.reached = 0;
    }
    for (int64_t tile = 0; tile < n; tile += kTile) {
        const int64_t first = tile + int64_t{threadIdx.x} * kDrawn;
        float powers[kDrawn];
        double own = 0;
        for (int i = 0; i < kDrawn; ++i) {
            const bool kept = first + i < n && x[first + i] >= least;
            powers[i] = kept ? expf(shifted(x[first + i], high, inverse)) : 0.0f;
            own += static_cast<double>(powers[i]);
        }
        shared.sums[threadIdx.x] = own;
        __syncthreads();
        // Everyone adds up what lies before it, in the same order.
        double before = shared.reached;
        for (unsigned thread = 0; thread < threadIdx.x; ++thread) before += shared.sums[thread];
        __syncthreads();
        int32_t last = -1;
        for (int i = 0; i < kDrawn && before <= aim; ++i) {
            if (powers[i] <= 0) continue;
            last = static_cast<int32_t>(first + i);
            before += static_cast<double>(powers[i]);
        }
        // The token is drawn by the lowest thread whose sum exceeds the aim; until there is one, the last id
        // with any power stands.
        const bool passed = last >= 0 && before > aim;
        const int32_t lowest = block_combine(passed ? static_cast<int32_t>(threadIdx.x) : INT32_MAX,
                                             shared.slots.integers, Lower{});
        const int32_t latest = -block_combine(-last, shared.slots.integers, Lower{});
        if (lowest != INT32_MAX ? static_cast<int32_t>(threadIdx.x) == lowest : last >= 0 && last == latest)
            shared.token = last;
        if (threadIdx.x == kThreads - 1) shared.reached = before;
        __syncthreads();
        if (lowest != INT32_MAX) break;
    }
    return shared.token;
}

__global__ void sample_kernel(int32_t* token, float* logprob, float* model_logprob, View<float> logits,
                              const Row* rows, const int32_t* seen, float* saved, int64_t n,
                              SampleSettings settings) {
    SampleShared& shared = *shared_memory<SampleShared>();
    const int64_t index = blockIdx.x;
    const Row row = rows[index];
    const bool greedy = settings.temperature == 0;
    const float T = greedy ? 1.0f : settings.temperature;
    const float inverse = 1.0f / T;
    const bool penalised = settings.penalty != 1.0f && row.seen > 0;
    float* x = logits.row(index);
    if (threadIdx.x == 0) {
        token[index] = -1;
        logprob[index] = model_logprob[index] = kNan;
    }
    const RowSums model = row_sums(x, n, inverse, shared.slots);
    if (!model.defined()) return;
    if (penalised) {
        for (int i = static_cast<int>(threadIdx.x); i < row.seen; i += kThreads) {
            float& logit = x[seen[row.first_seen + i]];
            saved[row.first_seen + i] = logit;
            logit = logit > 0 ? logit / settings.penalty : logit * settings.penalty;
        }
        __syncthreads();
    }
    const int64_t ids = settings.vocabulary;
    RowSums drawn = model;
    if (penalised || ids < n) drawn = row_sums(x, ids, inverse, shared.slots);
    if (!drawn.defined()) return;
    int32_t found = drawn.argmax;
    if (!greedy) {
        const float least = least_kept(x, settings, drawn.high, shared);
        if (least > -kInfinity) {
            const RowSums kept = row_sums(x, ids, inverse, shared.slots, least);
            drawn.total = kept.total;
        }
        found = draw_token(x, ids, drawn.high, inverse, least, static_cast<double>(row.uniform) * drawn.total,
                           shared);
    }
    if (threadIdx.x != 0) return;
    float before = x[found];
    if (penalised)
        for (int i = 0; i < row.seen; ++i)
            if (seen[row.first_seen + i] == found) before = saved[row.first_seen + i];
    token[index] = found;
    logprob[index] = static_cast<float>(drawn.logprob(x[found], T));
    model_logprob[index] = static_cast<float>(model.logprob(before, T));
}

bool sample_fits(const Mat& logits, const SampleRow* rows, const SampleSettings& settings) {
    const bool numbers = settings.temperature >= 0 && settings.top_k >= 0 && settings.top_p > 0 &&
                         settings.min_p >= 0 && settings.min_p <= 1 && settings.penalty > 0;
    if (!numbers || logits.dtype != DType::F32 || settings.vocabulary <= 0 ||
        settings.vocabulary > logits.cols)
        return false;
    for (int64_t row = 0; row < logits.rows; ++row)
        if (!indices_in(rows[row].seen, rows[row].seen_count, logits.cols)) return false;
    return true;
}

Status sample(Samples out, Mat logits, const SampleRow* rows, SampleSettings settings, Stream* stream) {
    if (!sample_fits(logits, rows, settings)) return Status::Shape;
    if (logits.rows == 0) return Status::Ok;
    std::vector<Row> given;
    std::vector<int32_t> seen;
    for (int64_t row = 0; row < logits.rows; ++row) {
        given.push_back({rows[row].uniform, static_cast<int32_t>(seen.size()),
                         static_cast<int32_t>(rows[row].seen_count)});
        seen.insert(seen.end(), rows[row].seen, rows[row].seen + rows[row].seen_count);
    }
    Device& device = device_of(stream);
    Results results(device);
    int32_t* token = results.place(out.token, logits.rows);
    float* logprob = results.place(out.logprob, logits.rows);
    float* model_logprob = results.place(out.model_logprob, logits.rows);
    const Row* staged = device.stage(given.data(), logits.rows);
    const auto count = static_cast<int64_t>(seen.size());
    const int32_t* staged_seen = device.stage(seen.data(), count);
    auto* saved = device.workspace<float>(kSavedSlot, count);
    if (!results.placed() || staged == nullptr || saved == nullptr || (count > 0 && staged_seen == nullptr))
        return Status::Memory;
    const Status status = launch("sample", sample_kernel, {static_cast<unsigned>(logits.rows)}, kThreads,
                                 sizeof(SampleShared), device.queue(), token, logprob, model_logprob,
                                 view_of<float>(logits), staged, staged_seen, saved, logits.cols, settings);
    return status == Status::Ok ? results.collect() : status;
}

}  // namespace

void fill_sampling(Ops& ops) {
    ops.sample = sample;
}

}  // namespace attune::gpu
