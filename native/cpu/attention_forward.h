// Flash attention over packed segments, forward: online softmax over key tiles, one task per (kv head, query
// range). Templates on the vector type only; must not include a vec_*.h, which are chosen by the translation
// unit.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cpu/attention_plan.h"
#include "cpu/attention_product.h"
#include "cpu/attention_tiles.h"
#include "cpu/attention_walks.h"
#include "cpu/vec_math.h"

namespace attune {

// Rows (queries x query heads of one kv head) of a task: a key tile is used this often while it is in the
// cache.
constexpr int64_t kForwardRows = 192;

// What a worker keeps of one query range. Row (i, r) = i * repeat + r is query i of query head r of the kv
// head.
struct ForwardBlock {
    float* query;   // [rows, padded], times scale
    float* output;  // [rows, padded], not yet divided by the sum
    float* scores;  // [kProductRows, kTileKeys]
    float* high;    // [rows] maximum of the scores so far
    float* sums;    // [rows, kLanes] sums of exp(score - high) so far, one of every kLanes-th key
};

template <class V>
constexpr int64_t forward_block_floats(int64_t rows, int64_t padded) {
    return 2 * rows * padded + kProductRows<V> * kTileKeys + (rows + 15) / 16 * 16 + rows * V::kLanes;
}

template <class V>
inline ForwardBlock forward_block(float* memory, int64_t rows, int64_t padded) {
    ForwardBlock block{};
    block.query = memory;
    block.output = block.query + rows * padded;
    block.scores = block.output + rows * padded;
    block.high = block.scores + kProductRows<V> * kTileKeys;
    block.sums = block.high + (rows + 15) / 16 * 16;
    return block;
}

// One row meets one tile: scores[n] become exp(score - high); high, sums and output[padded] move to the new
// maximum. Masked scores (-infinity) add exactly nothing, and a tile that is masked as a whole changes
// nothing.
template <class V>
inline void soften_row(float* scores, int64_t n, float& high, float* sums, float* output, int64_t padded) {
    V most = V::load(scores);
    for (int64_t j = V::kLanes; j < n; j += V::kLanes) most = V::max(most, V::load(scores + j));
    const float tile_high = most.reduce_max();
    if (tile_high > high) {
        const V factor = vec_exp(V::set(high - tile_high));
        high = tile_high;
        (V::load(sums) * factor).store(sums);
        for (int64_t d = 0; d < padded; d += V::kLanes) (V::load(output + d) * factor).store(output + d);
    }
    const V shift = V::set(high);
    V added = V::load(sums);
    for (int64_t j = 0; j < n; j += V::kLanes) {
        const V p = vec_exp(V::load(scores + j) - shift);
        p.store(scores + j);
        added = added + p;
    }
    added.store(sums);
}

// Nothing is seen yet.
template <class V>
void clear_block(const ForwardBlock& block, int64_t rows, int64_t padded) {
    for (int64_t i = 0; i < rows * padded; i += V::kLanes) V::zero().store(block.output + i);
    for (int64_t i = 0; i < rows; ++i) {
        block.high[i] = -1e30f;  // finite, so that high - tile_high is no NaN; exp of it is 0
        V::zero().store(block.sums + i * V::kLanes);
    }
}

// All rows of the block against one tile. keys[padded, width] are transposed, values[width, padded].
template <class V>
void attend_tile(const ForwardBlock& block, int64_t rows, const AttentionSizes& sizes, const KeyTile& tile,
                 int64_t tile_position, int64_t first_position, const float* keys, const float* values) {
    const int64_t padded = sizes.padded;
    each_row_stripe<V>(rows, sizes, tile, tile_position, first_position, [&](const RowStripe& stripe) {
        if (stripe.n == 0) return;
        product<V, false>(block.scores, kTileKeys, stripe.count, stripe.n,
                          LeftRows<float>{block.query + stripe.row * padded, padded}, keys + stripe.from,
                          tile.width, sizes.D);
        for (int64_t i = 0; i < stripe.count; ++i) {
            const int64_t row = stripe.row + i;
            float* scores = block.scores + i * kTileKeys;
            mask_row(scores, stripe, row, sizes, tile, tile_position, first_position);
            soften_row<V>(scores, stripe.n, block.high[row], block.sums + row * V::kLanes,
                          block.output + row * padded, padded);
        }
        product<V, true>(block.output + stripe.row * padded, padded, stripe.count, padded,
                         LeftRows<float>{block.scores, kTileKeys}, values + stripe.from * padded, padded,
                         stripe.keys);
    });
}

// Loads the queries of a range, scaled.
template <class V>
void load_queries(float* query, const ConstMat& qkv, const AttentionSizes& sizes, int64_t first_row,
                  int64_t queries, int64_t kv_head) {
    const V scale = V::set(sizes.scale);
    for (int64_t i = 0; i < queries; ++i)
        for (int64_t r = 0; r < sizes.repeat; ++r) {
            float* row = query + (i * sizes.repeat + r) * sizes.padded;
            unpack_row<V>(row, sizes.padded, qkv, first_row + i, (kv_head * sizes.repeat + r) * sizes.D,
                          sizes.D);
            for (int64_t d = 0; d < sizes.padded; d += V::kLanes) (V::load(row + d) * scale).store(row + d);
        }
}

// out[row, head] = output / sum;  lse[head, row] = high + log(sum)
template <class V>
void finish_queries(const Mat& out, float* lse, const ForwardBlock& block, const AttentionSizes& sizes,
                    int64_t first_row, int64_t queries, int64_t kv_head) {
    for (int64_t i = 0; i < queries; ++i)
        for (int64_t r = 0; r < sizes.repeat; ++r) {
            const int64_t row = i * sizes.repeat + r;
            const int64_t head = kv_head * sizes.repeat + r;
            float* output = block.output + row * sizes.padded;
            const float total = V::load(block.sums + row * V::kLanes).reduce_add();
            const V sum = V::set(total);
            for (int64_t d = 0; d < sizes.padded; d += V::kLanes)
                (V::load(output + d) / sum).store(output + d);
            pack_row<V>(out, first_row + i, head * sizes.D, output, sizes.D);
            lse[head * sizes.T + first_row + i] = static_cast<float>(static_cast<double>(block.high[row]) +
                                                                     std::log(static_cast<double>(total)));
        }
}

// One task. keys and values: the packed tiles of this kv head.
template <class V>
void attend_range(const Mat& out, float* lse, const ForwardBlock& block, const ConstMat& qkv,
                  const float* keys, const float* values, const AttentionSizes& sizes,
                  const AttentionView& view, const QueryRange& range, int64_t kv_head) {
    const int64_t queries = range.last - range.first;
    const int64_t rows = queries * sizes.repeat;
    const int64_t first_row = int64_t{view.segments[range.segment].start} + range.first;
    const int64_t first_position = segment_offset(view.segments, range.segment) + range.first;
    load_queries<V>(block.query, qkv, sizes, first_row, queries, kv_head);
    clear_block<V>(block, rows, sizes.padded);
    each_tile(view, range, sizes.window, [&](const KeyTile& tile, int64_t position) {
        attend_tile<V>(block, rows, sizes, tile, position, first_position, keys + tile.row * sizes.padded,
                       values + tile.row * sizes.padded);
    });
    finish_queries<V>(out, lse, block, sizes, first_row, queries, kv_head);
}

template <class V>
void run_attention_forward(const Mat& out, float* lse, const ConstMat& qkv, const AttentionDims& dims,
                           Stream* stream) {
    const AttentionSizes sizes = attention_sizes<V>(dims, qkv.rows);
    const AttentionPlan plan(dims, V::kLanes, kForwardRows, AttentionPlan::Direction::Forward,
                             *stream->scratch);
    const AttentionView& view = plan.view();
    const int64_t tile_floats = sizes.G * view.tile_rows * sizes.padded;
    const int64_t block_rows = view.range_queries * sizes.repeat;
    const int64_t spare = kTileKeys * sizes.padded;  // a tile of keys before it is transposed
    const int64_t block_floats = (forward_block_floats<V>(block_rows, sizes.padded) + spare + 15) / 16 * 16;
    const int64_t floats = 2 * tile_floats + stream->pool->threads() * block_floats;
    auto* memory = static_cast<float*>(stream->scratch->slot(0, static_cast<size_t>(floats) * sizeof(float)));
    float* keys = memory;
    float* values = keys + tile_floats;
    float* blocks = values + tile_floats;

    stream->pool->parallel(view.tile_count * sizes.G, [&](int64_t task, int worker) {
        const KeyTile& tile = view.tiles[task / sizes.G];
        const int64_t head = task % sizes.G;
        const int64_t at = (head * view.tile_rows + tile.row) * sizes.padded;
        const int64_t key_col = (sizes.H + head) * sizes.D;
        pack_tile<V>(blocks + worker * block_floats, keys + at, qkv, sizes, view.segments, tile, key_col);
        pack_tile<V>(values + at, nullptr, qkv, sizes, view.segments, tile, key_col + sizes.G * sizes.D);
    });
    stream->pool->parallel(view.range_count * sizes.G, [&](int64_t task, int worker) {
        const int64_t head = task % sizes.G;
        const int64_t at = head * view.tile_rows * sizes.padded;
        const ForwardBlock block =
            forward_block<V>(blocks + worker * block_floats + spare, block_rows, sizes.padded);
        attend_range<V>(out, lse, block, qkv, keys + at, values + at, sizes, view,
                        view.ranges[task / sizes.G], head);
    });
}

template <class V>
Status attention_forward(Mat out, float* lse, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!attention_dims_fit(dims, qkv.rows)) return Status::Shape;
    if (qkv.cols != (dims.H + 2 * dims.G) * dims.D || out.rows != qkv.rows || out.cols != dims.H * dims.D)
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    try {
        run_attention_forward<V>(out, lse, qkv, dims, stream);
    } catch (...) {
        return Status::Memory;  // nothing else is thrown here
    }
    return Status::Ok;
}

}  // namespace attune
