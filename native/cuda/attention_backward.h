// Flash attention, backward. Scores are made again from q, k and lse; with P the probabilities and delta[row]
// = sum of dout * out: dP = dout v^T, dS = P (dP - delta), dq = scale dS k, dk = scale dS^T q, dv = P^T dout.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/attention_keys.h"
#include "cuda/attention_tile.h"
#include "cuda/gemm.h"
#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// Keys [first, first + kRows) of a segment.
struct KeyTile {
    int32_t segment;
    int32_t first;
};

template <class T>
struct Gradient {
    PackedKeys<T> keys;
    View<const float> dout;
    const float* lse;    // [H, T]
    const float* delta;  // [H, T]
    View<float> dqkv;

    template <class Visit>
    void pointers(const Visit& visit) const {
        keys.pointers(visit);
        visit(dout.data), visit(lse), visit(delta), visit(dqkv.data);
    }
    // Of a (query, head) pair, at packed row `place`.
    __device__ float upstream(int64_t place, int64_t head, int64_t d) const {
        return dout.row(place)[head * keys.sizes.D + d];
    }
};

// ---- dq: a block per tile of queries

template <class T, int kWidth>
struct QueryGradientShared {
    static constexpr int kRows = kTileRows<T, kWidth>;
    WordOf<T> queries[kTileWords<T, kWidth, kRows>];
    WordOf<T> upstream[kTileWords<T, kWidth, kRows>];
    union {
        WordOf<T> keys[kTileWords<T, kWidth, kRows>];               // by width
        WordOf<T> values[kTileWords<T, kWidth, kRows>];             // by width
        WordOf<T> rows[kTileWords<T, kRows, kOutColumns<kWidth>>];  // keys, by their number
    };
    float held[kHeldFloats<T, kRows>];
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    query_gradient_kernel(Gradient<T> gradient, const QueryTile* tiles) {
    constexpr int kRows = kTileRows<T, kWidth>;
    auto& shared = *shared_memory<QueryGradientShared<T, kWidth>>();
    const PackedKeys<T>& keys = gradient.keys;
    const HeadSizes& sizes = keys.sizes;
    const QueryTile tile = tiles[blockIdx.x];
    constexpr int kColumns = kOutColumns<kWidth>;
    const int64_t g = blockIdx.y, column0 = int64_t{blockIdx.z} * kColumns;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row0 = warp * kWarpRows, r = lane / 4, p = lane % 4;
    const auto query_of = [&](int row) { return (tile.first + row) / sizes.repeat; };
    const auto head_of = [&](int row) { return g * sizes.repeat + (tile.first + row) % sizes.repeat; };
    const auto place_of = [&](int row) { return keys.query_row(tile.segment, query_of(row)); };
    fill_tile<T, kWidth, kRows>(shared.queries, [&](int d, int row) {
        return row < tile.rows && d < sizes.D ? keys.query(place_of(row), head_of(row), d) : 0.0f;
    });
    fill_tile<T, kWidth, kRows>(shared.upstream, [&](int d, int row) {
        return row < tile.rows && d < sizes.D ? gradient.upstream(place_of(row), head_of(row), d) : 0.0f;
    });
    const int64_t first_position = keys.query_position(tile.segment, query_of(0));
    const int64_t last_position = keys.query_position(tile.segment, query_of(tile.rows - 1));
    const bool active = row0 < tile.rows;
    int64_t positions[2];
    float lse[2], delta[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = row0 + r + 8 * half;
        const bool inside = row < tile.rows;
        const int64_t at = inside ? head_of(row) * sizes.T + place_of(row) : 0;
        positions[half] = inside ? keys.query_position(tile.segment, query_of(row)) : -1;
        lse[half] = gradient.lse[at];
        delta[half] = gradient.delta[at];
    }
    float dq[kColumns / 8][4] = {};
    for (int run = 0; run < 2; ++run) {
        const int64_t length = keys.length(tile.segment, run);
        const int64_t offset = run == 0 ? 0 : keys.length(tile.segment, 0);
        for (int64_t first = 0; first < length; first += kRows) {
            const int64_t count = length - first < kRows ? length - first : kRows;
            if (offset + first > last_position) break;
            if (!meets(first_position, last_position, offset + first, count, sizes.window)) continue;
            const auto key = [&](int j, int64_t d) {
                return j < count && d < sizes.D ? keys.key(tile.segment, run, g, first + j, d) : 0.0f;
            };
            __syncthreads();
            fill_tile<T, kWidth, kRows>(shared.keys, [&](int d, int j) { return key(j, d); });
            __syncthreads();
            float scores[kRows / 8][4] = {}, slopes[kRows / 8][4] = {};
            if (active) TileProduct<T, kWidth, kRows, kRows>::run(scores, shared.queries, row0, shared.keys);
            __syncthreads();
            fill_tile<T, kWidth, kRows>(shared.values, [&](int d, int j) {
                return j < count && d < sizes.D ? keys.value(tile.segment, run, g, first + j, d) : 0.0f;
            });
            __syncthreads();
            if (active)
                TileProduct<T, kWidth, kRows, kRows>::run(slopes, shared.upstream, row0, shared.values);
            __syncthreads();
            fill_tile<T, kRows, kColumns>(shared.rows, [&](int j, int d) { return key(j, column0 + d); });
            __syncthreads();
            if (!active) continue;
#pragma unroll
            for (int x = 0; x < kRows / 8; ++x)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int64_t j = first + 8 * x + 2 * p + i % 2;
                    const bool seen = j < length && sees(positions[i / 2], offset + j, sizes.window);
                    const float probability = seen ? expf(scores[x][i] * sizes.scale - lse[i / 2]) : 0.0f;
                    slopes[x][i] = seen ? probability * (slopes[x][i] - delta[i / 2]) : 0.0f;
                }
            TileProduct<T, kRows, kColumns, kRows>::run_held(dq, slopes, shared.rows,
                                                             shared.held + warp * kHeldOfWarp<T, kRows>);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = row0 + r + 8 * half;
        if (row >= tile.rows) continue;
        float* target = gradient.dqkv.row(place_of(row)) + head_of(row) * sizes.D;
#pragma unroll
        for (int x = 0; x < kColumns / 8; ++x)
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (const int64_t d = column0 + 8 * x + 2 * p + i; d < sizes.D)
                    target[d] = dq[x][2 * half + i] * sizes.scale;
    }
}

// ---- dk, dv: a block per tile of keys, whose warps take 16 keys each; scores are transposed

template <class T, int kWidth>
struct KeyGradientShared {
    static constexpr int kRows = kTileRows<T, kWidth>;
    WordOf<T> keys[kTileWords<T, kWidth, kRows>];
    WordOf<T> values[kTileWords<T, kWidth, kRows>];
    static constexpr int kQueries = kQueriesAtOnce<T, kWidth>;
    union {
        WordOf<T> columns[kTileWords<T, kWidth, kQueries>];            // queries or upstream, by width
        WordOf<T> rows[kTileWords<T, kQueries, kOutColumns<kWidth>>];  // the same, by row
    };
    float held[kHeldFloats<T, kQueries>];
    float lse[kQueries];
    float delta[kQueries];
    int64_t positions[kQueries];
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    key_gradient_kernel(Gradient<T> gradient, const KeyTile* tiles, const int32_t* starts,
                        const int32_t* viewers) {
    constexpr int kRows = kTileRows<T, kWidth>;
    auto& shared = *shared_memory<KeyGradientShared<T, kWidth>>();
    const PackedKeys<T>& keys = gradient.keys;
    const HeadSizes& sizes = keys.sizes;
    const KeyTile tile = tiles[blockIdx.x];
    constexpr int kColumns = kOutColumns<kWidth>, kQueries = kQueriesAtOnce<T, kWidth>;
    const int64_t g = blockIdx.y, column0 = int64_t{blockIdx.z} * kColumns;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row0 = warp * kWarpRows, r = lane / 4, p = lane % 4;
    const int64_t length = keys.length(tile.segment, 1), first = tile.first;
    const int64_t count = length - first < kRows ? length - first : kRows;
    fill_tile<T, kWidth, kRows>(shared.keys, [&](int d, int j) {
        return j < count && d < sizes.D ? keys.key(tile.segment, 1, g, first + j, d) : 0.0f;
    });
    fill_tile<T, kWidth, kRows>(shared.values, [&](int d, int j) {
        return j < count && d < sizes.D ? keys.value(tile.segment, 1, g, first + j, d) : 0.0f;
    });
    // Keys stand behind their own prefix; whoever names this segment as its prefix sees it at 0.
    const int64_t key0 = keys.length(tile.segment, 0) + first;
    const bool active = row0 < count;
    float* held = shared.held + warp * kHeldOfWarp<T, kQueries>;
    float dk[kColumns / 8][4] = {}, dv[kColumns / 8][4] = {};
    for (int32_t v = starts[tile.segment]; v < starts[tile.segment + 1]; ++v) {
        const int32_t segment = viewers[v];
        const int64_t rows = keys.length(segment, 1) * sizes.repeat;
        for (int64_t row_first = 0; row_first < rows; row_first += kQueries) {
            const int row_count = static_cast<int>(rows - row_first < kQueries ? rows - row_first : kQueries);
            const auto query_of = [&](int row) { return (row_first + row) / sizes.repeat; };
            const auto head_of = [&](int row) { return g * sizes.repeat + (row_first + row) % sizes.repeat; };
            const auto place_of = [&](int row) { return keys.query_row(segment, query_of(row)); };
            if (!meets(keys.query_position(segment, query_of(0)),
                       keys.query_position(segment, query_of(row_count - 1)), key0, count, sizes.window))
                continue;
            const auto query = [&](int row, int64_t d) {
                return row < row_count && d < sizes.D ? keys.query(place_of(row), head_of(row), d) : 0.0f;
            };
            const auto upstream = [&](int row, int64_t d) {
                return row < row_count && d < sizes.D ? gradient.upstream(place_of(row), head_of(row), d)
                                                      : 0.0f;
            };
            __syncthreads();
            fill_tile<T, kWidth, kQueries>(shared.columns, [&](int d, int row) { return query(row, d); });
            for (int row = static_cast<int>(threadIdx.x); row < kQueries; row += kAttentionThreads) {
                const bool inside = row < row_count;
                const int64_t at = inside ? head_of(row) * sizes.T + place_of(row) : 0;
                shared.positions[row] = inside ? keys.query_position(segment, query_of(row)) : -1;
                shared.lse[row] = gradient.lse[at];
                shared.delta[row] = gradient.delta[at];
            }
            __syncthreads();
            float powers[kQueries / 8][4] = {}, slopes[kQueries / 8][4] = {};
            if (active)
                TileProduct<T, kWidth, kQueries, kRows>::run(powers, shared.keys, row0, shared.columns);
            __syncthreads();
            fill_tile<T, kWidth, kQueries>(shared.columns, [&](int d, int row) { return upstream(row, d); });
            __syncthreads();
            if (active) {
                TileProduct<T, kWidth, kQueries, kRows>::run(slopes, shared.values, row0, shared.columns);
#pragma unroll
                for (int x = 0; x < kQueries / 8; ++x)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        const int row = 8 * x + 2 * p + i % 2, j = row0 + r + i / 2 * 8;
                        const bool seen = j < count && shared.positions[row] >= 0 &&
                                          sees(shared.positions[row], key0 + j, sizes.window);
                        powers[x][i] = seen ? expf(powers[x][i] * sizes.scale - shared.lse[row]) : 0.0f;
                        slopes[x][i] = seen ? powers[x][i] * (slopes[x][i] - shared.delta[row]) : 0.0f;
                    }
            }
            __syncthreads();
            fill_tile<T, kQueries, kColumns>(shared.rows,
                                             [&](int row, int d) { return upstream(row, column0 + d); });
            __syncthreads();
            if (active) TileProduct<T, kQueries, kColumns, kRows>::run_held(dv, powers, shared.rows, held);
            __syncthreads();
            fill_tile<T, kQueries, kColumns>(shared.rows,
                                             [&](int row, int d) { return query(row, column0 + d); });
            __syncthreads();
            if (active) TileProduct<T, kQueries, kColumns, kRows>::run_held(dk, slopes, shared.rows, held);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int64_t j = row0 + r + 8 * half;
        if (j >= count) continue;
        float* row = gradient.dqkv.row(keys.start(tile.segment, 1) + first + j);
        float *key = row + (sizes.H + g) * sizes.D, *value = row + (sizes.H + sizes.G + g) * sizes.D;
#pragma unroll
        for (int x = 0; x < kColumns / 8; ++x)
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (const int64_t d = column0 + 8 * x + 2 * p + i; d < sizes.D) {
                    key[d] = dk[x][2 * half + i] * sizes.scale;
                    value[d] = dv[x][2 * half + i];
                }
    }
}

}  // namespace attune::gpu
