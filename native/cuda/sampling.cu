// Draws tokens from rows of fp32 logits, a block per row. Reads of a row from global memory: one for the sums
// of its softmax, of which those of chunks tell where the token lies (and the token's chunk of kStretch ids
// or more again); with filters a second one, that collects the few logits which they may keep. One more with
// a penalty, or a vocabulary smaller than the row. Where more logits may be kept than there is room for (flat
// distributions), the filters search the row itself: 16 reads each, and two more. Not measured on a GPU.
#include <cmath>
#include <cstdint>
#include <vector>

#include "cuda/matrix.h"
#include "cuda/row_chunks.h"
#include "cuda/row_search.h"
#include "cuda/softmax_row.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kSavedSlot = 0;
constexpr float kNan = __builtin_nanf("");

struct SampleShared {
    RowSlots slots;
    SearchSlots search;
    ChunkSums chunks;
    Candidates candidates;
    double warps[kWarps];
    int32_t token;
    float before;
};

struct Row {
    float uniform;
    int32_t first_seen;
    int32_t seen;
};

// A row as it is drawn from.
struct Distribution {
    const float* x;
    int64_t n;
    float inverse;
    RowSums sums;

    __device__ float power(float value) const { return expf(shifted(value, sums.high, inverse)); }
};

struct Drawn {
    int32_t token;
    double total;  // of the powers that were kept
};

__device__ inline bool limits(int64_t top_k, int64_t n) {
    return top_k > 0 && top_k < n;
}

__device__ inline float least_of_min_p(const SampleSettings& settings, float high) {
    if (settings.min_p <= 0) return -kInfinity;
    const double reach = log(static_cast<double>(settings.min_p)) * static_cast<double>(settings.temperature);
    return static_cast<float>(static_cast<double>(high) + reach);
}

// No filter keeps anything below. Of top-k: k of the threads' maxima are as large. Of top-p: whatever has
// less than (1 - p) / n of the mass is less than 1 - p together; a hundredth is left for rounding.
__device__ inline float least_possible(const Distribution& row, const SampleSettings& settings,
                                       float own_high, SampleShared& shared) {
    if (limits(settings.top_k, row.n)) {
        const auto k = static_cast<double>(settings.top_k);
        return threshold_of(
            OwnSource{own_high}, -kInfinity, row.sums.high, shared.search, [](float) { return 1.0; },
            [&](double sum) { return sum >= k; });
    }
    float least = least_of_min_p(settings, row.sums.high);
    if (settings.top_p < 1) {
        const double share = (1 - static_cast<double>(settings.top_p)) / static_cast<double>(row.n);
        const double reach = (log(share * row.sums.total) - 0.01) * static_cast<double>(settings.temperature);
        least = fmaxf(least, static_cast<float>(static_cast<double>(row.sums.high) + reach));
    }
    return least;
}

// The least logit that top-k, top-p and min-p keep together, by those that `source` has: all that any of them
// keeps.
template <class Source>
__device__ inline float least_kept(const Source& source, const Distribution& row,
                                   const SampleSettings& settings, SampleShared& shared) {
    float least = -kInfinity;
    double mass = row.sums.total;
    const auto weigh = [&](float value) {
        return value >= least ? static_cast<double>(row.power(value)) : 0.0;
    };
    if (limits(settings.top_k, row.n)) {
        const auto k = static_cast<double>(settings.top_k);
        least = threshold_of(
            source, source.low, row.sums.high, shared.search, [](float) { return 1.0; },
            [&](double sum) { return sum >= k; });
        if (settings.top_p < 1) mass = weight_of(source, shared.slots, weigh);
    }
    if (settings.top_p < 1) {
        const double wanted = static_cast<double>(settings.top_p) * mass;
        const float at = threshold_of(source, source.low, row.sums.high, shared.search, weigh,
                                      [&](double sum) { return sum >= wanted; });
        least = fmaxf(least, at);
    }
    least = fmaxf(least, least_of_min_p(settings, row.sums.high));
    return fminf(least, row.sums.high);
}

// The sum of what lies before the thread's own, in the order of threads; `all`: of the block too, behind
// `all` as it was.
__device__ inline double sum_before(double own, double& all, double* warps) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, self = static_cast<int>(threadIdx.x) / kWarp;
    double upto = own;
    for (int distance = 1; distance < kWarp; distance *= 2) {
        const double other = __shfl_up_sync(kAll, upto, static_cast<unsigned>(distance));
        if (lane >= distance) upto += other;
    }
    const double previous = __shfl_up_sync(kAll, upto, 1u);
    if (lane == kWarp - 1) warps[self] = upto;
    __syncthreads();
    double before = 0;
    for (int warp = 0; warp < kWarps; ++warp) {
        if (warp == self) before = all;
        all += warps[warp];
    }
    __syncthreads();
    return lane == 0 ? before : before + previous;
}

// The first id from `start` on at which the powers of the kept tokens, added in id order, pass `aim`.
// Rounding can keep the sum from getting there: then the last id with any power, or the likeliest.
__device__ inline int32_t draw_token(const Distribution& row, float least, double aim, ChunkStart start,
                                     SampleShared& shared) {
    constexpr int kTerms = RunningSums::kTerms;
    if (threadIdx.x == 0) shared.token = row.sums.argmax;
    double reached = start.before;
    for (int64_t tile = start.first; tile < row.n; tile += kRowTile) {
        const int64_t first = tile + int64_t{threadIdx.x} * kTerms;
        float powers[kTerms];
        double own = 0;
        for (int i = 0; i < kTerms; ++i) {
            const bool kept = first + i < row.n && row.x[first + i] >= least;
            powers[i] = kept ? row.power(row.x[first + i]) : 0.0f;
            own += static_cast<double>(powers[i]);
        }
        double before = sum_before(own, reached, shared.warps);
        int32_t last = -1;
        for (int i = 0; i < kTerms && before <= aim; ++i) {
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
        __syncthreads();
        if (lowest != INT32_MAX) break;
    }
    return shared.token;
}

__device__ inline Drawn draw_of_chunks(const Distribution& row, float uniform, double total, float high,
                                       float least, SampleShared& shared) {
    const double aim = static_cast<double>(uniform) * total;
    const ChunkStart start = find_chunk(shared.chunks, row.n, high, row.inverse, aim);
    return {draw_token(row, least, aim, start, shared), total};
}

__device__ inline Drawn draw_filtered(const Distribution& row, const SampleSettings& settings, float uniform,
                                      float own_high, SampleShared& shared) {
    Collector collector{shared.candidates, least_possible(row, settings, own_high, shared)};
    each_four(
        row.x, row.n,
        [&](const float(&values)[RunningSums::kTerms], int terms, int64_t first) {
            collector.add(values, terms, first);
        },
        [](int64_t) {});
    const int fits = collector.count <= kMostOfWarp ? 1 : 0;
    if (block_combine(fits, shared.slots.integers, Lower{}) == 0) {
        const float least = least_kept(RowSource{row.x, row.n}, row, settings, shared);
        RunningSums own(row.inverse);
        const RowSums kept = row_sums_in_chunks(own, row.x, row.n, shared.slots, least, shared.chunks);
        return draw_of_chunks(row, uniform, kept.total, kept.high, least, shared);
    }
    const ListSource source{shared.candidates, collector.count, collector.cut};
    const float least = least_kept(source, row, settings, shared);
    const auto weigh = [&](float value) {
        return value >= least ? static_cast<double>(row.power(value)) : 0.0;
    };
    const double total = weight_of(source, shared.slots, weigh);
    return {first_beyond(source, row.n, shared.search, weigh, static_cast<double>(uniform) * total), total};
}

__device__ inline bool filters(const SampleSettings& settings, int64_t n) {
    return limits(settings.top_k, n) || settings.top_p < 1 || settings.min_p > 0;
}

// The logits of seen tokens, saved and changed.
__device__ inline void penalise(float* x, const Row& row, const int32_t* seen, float* saved, float penalty) {
    for (int i = static_cast<int>(threadIdx.x); i < row.seen; i += kThreads) {
        float& logit = x[seen[row.first_seen + i]];
        saved[row.first_seen + i] = logit;
        logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    __syncthreads();
}

__global__ void sample_kernel(int32_t* token, float* logprob, float* model_logprob, View<float> logits,
                              const Row* rows, const int32_t* seen, float* saved, int64_t n,
                              SampleSettings settings) {
    SampleShared& shared = *shared_memory<SampleShared>();
    const int64_t index = blockIdx.x, ids = settings.vocabulary;
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
    RunningSums own(inverse);
    const RowSums model = row_sums_in_chunks(own, x, n, shared.slots, -kInfinity, shared.chunks);
    if (!model.defined()) return;
    Distribution drawn{x, ids, inverse, model};
    if (penalised) penalise(x, row, seen, saved, settings.penalty);
    if (penalised || ids < n) {
        own = RunningSums(inverse);
        drawn.sums = row_sums_in_chunks(own, x, ids, shared.slots, -kInfinity, shared.chunks);
    }
    if (!drawn.sums.defined()) return;
    const Drawn result =
        greedy ? Drawn{drawn.sums.argmax, drawn.sums.total}
        : filters(settings, ids)
            ? draw_filtered(drawn, settings, row.uniform, own.high, shared)
            : draw_of_chunks(drawn, row.uniform, drawn.sums.total, drawn.sums.high, -kInfinity, shared);
    if (threadIdx.x == 0) shared.before = x[result.token];
    __syncthreads();
    if (penalised)
        for (int i = static_cast<int>(threadIdx.x); i < row.seen; i += kThreads)
            if (seen[row.first_seen + i] == result.token) shared.before = saved[row.first_seen + i];
    __syncthreads();
    if (threadIdx.x != 0) return;
    drawn.sums.total = result.total;
    token[index] = result.token;
    logprob[index] = static_cast<float>(drawn.sums.logprob(x[result.token], T));
    model_logprob[index] = static_cast<float>(model.logprob(shared.before, T));
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
