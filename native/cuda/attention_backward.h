// Flash attention, backward. Scores are made again from q, k and lse; with P the probabilities and delta[row]
// = sum of dout * out: dP = dout v^T, dS = P (dP - delta), dq = scale dS k, dk = scale dS^T q, dv = P^T dout.
//
// A block takes a tile of keys, whose dk and dv stay in registers while it walks through the queries that see
// them: five products, where a second pass for dq would make seven. What it finds of dq it adds to the
// device's memory, in turn: the tiles of keys that a tile of queries sees, in ascending order. Blocks take
// tiles of keys in an order in which whoever is waited for has begun, and walk from the last queries to the
// first, so that each finds its turn come when the blocks before it are one step ahead.
//
// bf16, D = 128, per tile of 64 keys x 32 queries: 2.6 MFLOP of tensor cores; 16 KiB of queries and upstream
// gradients from memory or L2, 16 KiB of dq added there; shared memory is read 208 KiB, written 20 KiB.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/attention_product.h"
#include "cuda/attention_steps.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"

namespace attune::gpu {

// Of 16 keys of the warp and a tile of queries: powers[key, query] = scores become probabilities.
template <class T, int kWide>
__device__ inline void soften_turned(float (&powers)[1][kWide][4], const RowStats* stats, float rate) {
    const int p = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int x = 0; x < kWide; ++x)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            powers[0][x][i] =
                power_of_two<T>(fmaf(powers[0][x][i], rate, -stats[8 * x + 2 * p + i % 2].high));
}
// slopes[key, query] = dP become dS.
template <int kWide>
__device__ inline void find_slopes(float (&slopes)[1][kWide][4], const float (&powers)[1][kWide][4],
                                   const RowStats* stats) {
    const int p = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int x = 0; x < kWide; ++x)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            slopes[0][x][i] = powers[0][x][i] * (slopes[0][x][i] - stats[8 * x + 2 * p + i % 2].delta);
}
// Zeros where the query does not see the key.
template <class T, class Shape, class... Numbers>
__device__ inline void mask_turned(const QueryStep<T, Shape>& step, const KeyJob<T, Shape>& job,
                                   const HeadSizes& sizes, Numbers&... numbers) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int r = lane / 4, p = lane % 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int j = warp * kStrip + r + 8 * half;
        // Rows [from, to) of the tile see key j.
        const int64_t query = int64_t{job.key0} + j - step.position0;
        const int64_t from = query * sizes.repeat - step.row_first;
        const int64_t to = j < job.count ? from + int64_t{sizes.window} * sizes.repeat : from;
#pragma unroll
        for (int x = 0; x < Shape::kQueries / 8; ++x)
#pragma unroll
            for (int i = 2 * half; i < 2 * half + 2; ++i) {
                const int row = 8 * x + 2 * p + i % 2;
                if (row < from || row >= to) ((numbers[0][x][i] = 0), ...);
            }
    }
}

// dS of the warp's keys, where all warps find it.
template <class T, class Shape>
__device__ inline void share_slopes(Tile<T, Shape::kKeys, Shape::kQueries>& tile,
                                    const float (&slopes)[1][Shape::kQueries / 8][4]) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int x = 0; x < Shape::kQueries / 8; ++x)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            store_numbers<2>(tile.at(warp * kStrip + lane / 4 + 8 * half, 8 * x + 2 * (lane % 4)),
                             {slopes[0][x][2 * half], slopes[0][x][2 * half + 1]});
}

// Adds to dq of one row in turn, or sets it: columns `first` and the next of a head.
template <class T>
__device__ inline void add_pair(const Gradient<T>& gradient, float* head, int column, bool set, float first,
                                float second) {
    const int D = gradient.keys.sizes.D;
    if (column >= D) return;
    if (!set && gradient.pairs) return add_pair_in_turn(head + column, first, second);
    const bool both = column + 1 < D;
    if (set) {
        head[column] = first;
        if (both) head[column + 1] = second;
    } else {
        add_in_turn(head + column, first);
        if (both) add_in_turn(head + column + 1, second);
    }
}

// Adds dq of the warp's rows, from row0 and `column` on, in turn, or sets it.
template <class T, class Shape, int kWide>
__device__ inline void add_rows(const Gradient<T>& gradient, const QueryStep<T, Shape>& step, int row0,
                                int column, bool set, const float (&dq)[kWide][4]) {
    const HeadSizes& sizes = gradient.keys.sizes;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = row0 + lane / 4 + 8 * half;
        if (row >= step.rows) continue;
        float* head = gradient.dqkv.row(step.place(row)) + int64_t{step.pairs.head(row)} * sizes.D;
#pragma unroll
        for (int x = 0; x < kWide; ++x)
            add_pair(gradient, head, column + 8 * x + 2 * (lane % 4), set, dq[x][2 * half] * sizes.scale,
                     dq[x][2 * half + 1] * sizes.scale);
    }
}

// What the job's keys give to dq.
template <class T, class Shape>
__device__ inline void add_query_gradient(const Gradient<T>& gradient, const QueryStep<T, Shape>& step,
                                          const KeyJob<T, Shape>& job,
                                          const BackwardShared<T, Shape>& shared) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int row0 = warp % Shape::kStrips * kStrip;
    const int column0 = job.part * Shape::kColumns + warp / Shape::kStrips * Shape::kDqOfWarp;
#pragma unroll 1
    for (int column = column0; column < column0 + Shape::kDqOfWarp; column += Shape::kDqColumns) {
        float dq[1][Shape::kDqColumns / 8][4] = {};
        multiply<T, Shape::kKeys>(dq, LeftTurned{shared.slopes, row0}, RightTurned{shared.keys, column});
        add_rows(gradient, step, row0, column, step.turn == 0, dq[0]);
    }
}

// dk or dv of the job's keys =, at `column` of dqkv.
template <class T, class Shape>
__device__ inline void store_key_gradient(const Gradient<T>& gradient, const KeyJob<T, Shape>& job,
                                          int64_t column, const float (&sum)[1][Shape::kColumns / 8][4],
                                          float scale) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int D = gradient.keys.sizes.D;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int j = warp * kStrip + lane / 4 + 8 * half;
        if (j >= job.count) continue;
        float* row = gradient.dqkv.row(gradient.keys.query_row(job.segment, job.first + j)) + column;
#pragma unroll
        for (int x = 0; x < Shape::kColumns / 8; ++x)
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (const int d = job.part * Shape::kColumns + 8 * x + 2 * (lane % 4) + i; d < D)
                    row[d] = sum[0][x][2 * half + i] * scale;
    }
}

// What one tile of queries adds to dk and dv of the warp's keys; dS is left in shared memory.
template <class T, class Shape>
__device__ inline void add_step(float (&dk)[1][Shape::kColumns / 8][4],
                                float (&dv)[1][Shape::kColumns / 8][4], BackwardShared<T, Shape>& shared,
                                int stage, const QueryStep<T, Shape>& step, const KeyJob<T, Shape>& job,
                                const HeadSizes& sizes) {
    const int row0 = static_cast<int>(threadIdx.x) / kWarp * kStrip, column0 = job.part * Shape::kColumns;
    const auto &queries = shared.queries[stage], &upstream = shared.upstream[stage];
    float powers[1][Shape::kQueries / 8][4] = {}, slopes[1][Shape::kQueries / 8][4] = {};
    multiply<T, Shape::kWidth>(powers, LeftRows{shared.keys, row0}, RightRows{queries});
    multiply<T, Shape::kWidth>(slopes, LeftRows{shared.values, row0}, RightRows{upstream});
    soften_turned<T>(powers, shared.stats[stage], sizes.scale * kLog2E);
    find_slopes(slopes, powers, shared.stats[stage]);
    if (step.masked) mask_turned(step, job, sizes, powers, slopes);
    multiply<T, Shape::kQueries>(dv, LeftHeld{powers}, RightTurned{upstream, column0});
    share_slopes<T, Shape>(shared.slopes, slopes);
    multiply<T, Shape::kQueries>(dk, LeftHeld{slopes}, RightTurned{queries, column0});
}

// dqkv =
template <class T, int kWidth>
__global__ void __launch_bounds__(BackwardShape<T, kWidth>::kThreads, (BackwardShape<T, kWidth>::kBlocks))
    attention_gradient_kernel(Gradient<T> gradient) {
    using Shape = BackwardShape<T, kWidth>;
    using Step = QueryStep<T, Shape>;
    auto& shared = *shared_memory<BackwardShared<T, Shape>>();
    const HeadSizes& sizes = gradient.keys.sizes;
    const int thread = static_cast<int>(threadIdx.x);
    if (thread == 0) shared.ticket = take_ticket(gradient.turns);
    __syncthreads();
    const KeyJob<T, Shape> job(gradient, static_cast<int>(shared.ticket));
    const auto own = gradient.keys.run(job.segment, 1, job.g);
    own.template copy_keys<Shape::kThreads>(shared.keys, job.first);
    own.template copy_values<Shape::kThreads>(shared.values, job.first);
    commit_copies();
    QueryWalk<T, Shape> walk(gradient, job);
    RowStats coming = Step(walk).fetch(shared, 0, gradient);
    if (thread < Shape::kQueries) shared.stats[0][thread] = coming;
    float dk[1][Shape::kColumns / 8][4] = {}, dv[1][Shape::kColumns / 8][4] = {};
    int stage = 0;
    int ended = 0;  // whose turn is over when all threads are there
    uint32_t ended_turn = 0;
    for (bool more = true; more; stage = (stage + 1) % Shape::kStages) {
        const int following = (stage + 1) % Shape::kStages;
        const Step step(walk);
        walk.advance();
        more = walk.more();
        wait_for_copies<0>();
        __syncthreads();
        if (thread == 0 && ended != 0) end_turn(gradient.turns + ended, ended_turn);
        if (more && following != stage) coming = Step(walk).fetch(shared, following, gradient);
        add_step<T, Shape>(dk, dv, shared, stage, step, job, sizes);
        if (thread == 0) wait_for_turn(gradient.turns + step.turn_at, step.turn);
        if (more && following != stage && thread < Shape::kQueries) shared.stats[following][thread] = coming;
        __syncthreads();
        // With one stage its queries are done with only now.
        if (more && following == stage) coming = Step(walk).fetch(shared, stage, gradient);
        add_query_gradient(gradient, step, job, shared);
        if (more && following == stage && thread < Shape::kQueries) shared.stats[stage][thread] = coming;
        ended = step.turn_at, ended_turn = step.turn;
    }
    __syncthreads();
    if (thread == 0) end_turn(gradient.turns + ended, ended_turn);
    const int64_t column = int64_t{sizes.H + job.g} * sizes.D;
    store_key_gradient<T, Shape>(gradient, job, column, dk, sizes.scale);
    store_key_gradient<T, Shape>(gradient, job, column + int64_t{sizes.G} * sizes.D, dv, 1.0f);
}

}  // namespace attune::gpu
