// Flash attention over packed segments, backward: probabilities are recomputed from lse tile by tile. A task
// owns the gradients of its queries and a region for those of its keys; regions are added up in task order
// afterwards. Templates on the vector type only; must not include a vec_*.h, which are chosen by the
// translation unit.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cpu/attention_forward.h"

namespace attune {

// Rows of a query block: its p and ds against one tile stay in the cache next to the tile.
constexpr int64_t kBackwardRows = 144;

// What a worker keeps of one query block; rows as in ForwardBlock.
struct BackwardBlock {
    float* query;   // [rows, padded], times scale
    float* dout;    // [rows, padded]
    float* dquery;  // [rows, padded], gradient of the scaled query
    float* p;       // [rows, kTileKeys] probabilities
    float* ds;      // [rows, kTileKeys] gradients of the scores
    float* lse;     // [rows]
    float* delta;   // [rows] sum over d of dout * out
};

template <class V>
constexpr int64_t backward_block_floats(int64_t rows, int64_t padded) {
    return 3 * rows * padded + 2 * rows * kTileKeys + 2 * ((rows + 15) / 16 * 16);
}

template <class V>
inline BackwardBlock backward_block(float* memory, int64_t rows, int64_t padded) {
    BackwardBlock block{};
    block.query = memory;
    block.dout = block.query + rows * padded;
    block.dquery = block.dout + rows * padded;
    block.p = block.dquery + rows * padded;
    block.ds = block.p + rows * kTileKeys;
    block.lse = block.ds + rows * kTileKeys;
    block.delta = block.lse + (rows + 15) / 16 * 16;
    return block;
}

// The packed tiles of one kv head, each [width, padded] or transposed [padded, width].
struct BackwardTiles {
    const float* keys;
    const float* keys_transposed;
    const float* values_transposed;
};

// What the call reads.
struct BackwardInputs {
    ConstMat dout, out, qkv;
    const float* lse;  // [H, T]
};

template <class V>
void load_gradient_rows(const BackwardBlock& block, const BackwardInputs& in, const AttentionSizes& sizes,
                        int64_t first_row, int64_t queries, int64_t kv_head) {
    const int64_t padded = sizes.padded;
    load_queries<V>(block.query, in.qkv, sizes, first_row, queries, kv_head);
    for (int64_t i = 0; i < queries; ++i)
        for (int64_t r = 0; r < sizes.repeat; ++r) {
            const int64_t row = i * sizes.repeat + r;
            const int64_t head = kv_head * sizes.repeat + r;
            float* dout = block.dout + row * padded;
            float* out = block.dquery + row * padded;  // free until it is cleared below
            unpack_row<V>(dout, padded, in.dout, first_row + i, head * sizes.D, sizes.D);
            unpack_row<V>(out, padded, in.out, first_row + i, head * sizes.D, sizes.D);
            V sum = V::zero();
            for (int64_t d = 0; d < padded; d += V::kLanes)
                sum = V::fma(V::load(dout + d), V::load(out + d), sum);
            block.delta[row] = sum.reduce_add();
            block.lse[row] = in.lse[head * sizes.T + first_row + i];
        }
    std::memset(block.dquery, 0, static_cast<size_t>(queries * sizes.repeat * padded) * sizeof(float));
}

// scores[n] become p = exp(score - lse);  dp[n] (dout . value) becomes ds = p (dp - delta)
template <class V>
inline void differentiate_row(float* scores, float* dp, int64_t n, float lse, float delta) {
    const V shift = V::set(lse);
    const V mean = V::set(delta);
    for (int64_t j = 0; j < n; j += V::kLanes) {
        const V p = vec_exp(V::load(scores + j) - shift);
        p.store(scores + j);
        (p * (V::load(dp + j) - mean)).store(dp + j);
    }
}

// row[width] = 0 outside [first, last); all are whole vectors
template <class V>
inline void clear_outside(float* row, int64_t first, int64_t last, int64_t width) {
    for (int64_t j = 0; j < first; j += V::kLanes) V::zero().store(row + j);
    for (int64_t j = last; j < width; j += V::kLanes) V::zero().store(row + j);
}

// p and ds of all rows of the block against one tile, zero where a query sees nothing; dquery +=
template <class V>
void differentiate_tile(const BackwardBlock& block, int64_t rows, const AttentionSizes& sizes,
                        const KeyTile& tile, int64_t tile_position, int64_t first_position,
                        const BackwardTiles& tiles) {
    const int64_t padded = sizes.padded;
    for (int64_t row = 0; row < rows; row += kProductRows<V>) {
        const int64_t count = rows - row < kProductRows<V> ? rows - row : kProductRows<V>;
        const int64_t low = first_position + row / sizes.repeat;
        const int64_t high = first_position + (row + count - 1) / sizes.repeat;
        const Visible seen = visible_keys(tile, tile_position, low, high, sizes.window);
        const int64_t from = seen.empty() ? 0 : seen.first / V::kLanes * V::kLanes;
        const int64_t n = seen.empty() ? 0 : (seen.last - from + V::kLanes - 1) / V::kLanes * V::kLanes;
        float* p = block.p + row * kTileKeys + from;
        float* ds = block.ds + row * kTileKeys + from;
        if (n > 0) {
            product<V, false>(p, kTileKeys, count, n, {block.query + row * padded, padded, 1},
                              tiles.keys_transposed + tile.row * padded + from, tile.width, sizes.D);
            product<V, false>(ds, kTileKeys, count, n, {block.dout + row * padded, padded, 1},
                              tiles.values_transposed + tile.row * padded + from, tile.width, sizes.D);
        }
        for (int64_t i = 0; i < count; ++i) {
            const int64_t position = first_position + (row + i) / sizes.repeat;
            const Visible own = visible_keys(tile, tile_position, position, position, sizes.window);
            mask_scores(p + i * kTileKeys, n, own.first - from, own.last - from);
            differentiate_row<V>(p + i * kTileKeys, ds + i * kTileKeys, n, block.lse[row + i],
                                 block.delta[row + i]);
            clear_outside<V>(p + i * kTileKeys - from, from, from + n, tile.width);
            clear_outside<V>(ds + i * kTileKeys - from, from, from + n, tile.width);
        }
        if (n > 0)
            product<V, true>(block.dquery + row * padded, padded, count, padded, {ds, kTileKeys, 1},
                             tiles.keys + (tile.row + from) * padded, padded, seen.last - from);
    }
}

// dkeys[count, padded] += ds^T query;  dvalues[count, padded] += p^T dout; rows that see none of a block of
// keys are left out.
template <class V>
void add_key_gradients(float* dkeys, float* dvalues, const BackwardBlock& block, int64_t rows,
                       const AttentionSizes& sizes, const KeyTile& tile, int64_t tile_position,
                       int64_t first_position) {
    const int64_t padded = sizes.padded;
    const int64_t last_position = first_position + (rows - 1) / sizes.repeat;
    const auto add = [&](int64_t key, int64_t keys, int64_t row, int64_t end) {
        const int64_t at = row * kTileKeys + key;
        product<V, true>(dvalues + key * padded, padded, keys, padded, {block.p + at, 1, kTileKeys},
                         block.dout + row * padded, padded, end - row);
        product<V, true>(dkeys + key * padded, padded, keys, padded, {block.ds + at, 1, kTileKeys},
                         block.query + row * padded, padded, end - row);
    };
    const bool all_after = first_position >= tile_position + tile.count - 1;
    const bool all_near = sizes.window == 0 || last_position - tile_position < sizes.window;
    if (all_after && all_near) return add(0, tile.count, 0, rows);
    for (int64_t key = 0; key < tile.count; key += kProductRows<V>) {
        const int64_t keys = tile.count - key < kProductRows<V> ? tile.count - key : kProductRows<V>;
        const int64_t skipped = (tile_position + key - first_position) * sizes.repeat;
        const int64_t reach = (tile_position + key + keys - 1 + sizes.window - first_position) * sizes.repeat;
        const int64_t row = skipped < 0 ? 0 : skipped;
        const int64_t end = sizes.window == 0 || reach > rows ? rows : reach;
        if (row < end) add(key, keys, row, end);
    }
}

// dqkv[row, head] = scale * dquery
template <class V>
void store_query_gradients(const Mat& dqkv, const BackwardBlock& block, const AttentionSizes& sizes,
                           int64_t first_row, int64_t queries, int64_t kv_head) {
    const V scale = V::set(sizes.scale);
    for (int64_t i = 0; i < queries; ++i)
        for (int64_t r = 0; r < sizes.repeat; ++r) {
            float* row = block.dquery + (i * sizes.repeat + r) * sizes.padded;
            for (int64_t d = 0; d < sizes.padded; d += V::kLanes) (V::load(row + d) * scale).store(row + d);
            pack_row<V>(dqkv, first_row + i, (kv_head * sizes.repeat + r) * sizes.D, row, sizes.D);
        }
}

// One piece: its query gradients are stored, its key gradients added to region (keys, then values at
// value_offset).
template <class V>
void differentiate_piece(const Mat& dqkv, float* region, int64_t value_offset, const BackwardBlock& block,
                         const BackwardInputs& in, const BackwardTiles& tiles, const AttentionSizes& sizes,
                         const AttentionView& view, const GradientPiece& piece, int64_t kv_head) {
    const int32_t segment = piece.queries.segment;
    const int64_t start = view.segments[segment].start;
    const int64_t offset = segment_offset(view.segments, segment);
    const auto most = static_cast<int32_t>(view.range_queries);
    for (int32_t first = piece.queries.first; first < piece.queries.last; first += most) {
        const int32_t last = first + most < piece.queries.last ? first + most : piece.queries.last;
        const int64_t rows = (last - first) * sizes.repeat;
        load_gradient_rows<V>(block, in, sizes, start + first, last - first, kv_head);
        each_tile(view, {segment, first, last}, sizes.window, [&](const KeyTile& tile, int64_t position) {
            differentiate_tile<V>(block, rows, sizes, tile, position, offset + first, tiles);
            const int64_t base = tile.segment == segment ? piece.own_row : 0;
            float* dkeys = region + (base + tile.first) * sizes.padded;
            // Rows of the region end where the task's queries do; keys behind them are seen by none.
            KeyTile seen = tile;
            if (tile.segment == segment && tile.first + tile.count > last) seen.count = last - tile.first;
            add_key_gradients<V>(dkeys, dkeys + value_offset, block, rows, sizes, seen, position,
                                 offset + first);
        });
        store_query_gradients<V>(dqkv, block, sizes, start + first, last - first, kv_head);
    }
}

// dqkv = sum of the regions for the keys and values of one tile, in task order
template <class V>
void add_regions(const Mat& dqkv, float* sum, const float* regions, int64_t value_offset,
                 const AttentionSizes& sizes, const AttentionView& view, const KeyTile& tile,
                 int64_t kv_head) {
    for (int64_t key = tile.first; key < tile.first + tile.count; ++key)
        for (int64_t part = 0; part < 2; ++part) {
            for (int64_t d = 0; d < sizes.padded; d += V::kLanes) V::zero().store(sum + d);
            for (int64_t s = view.first_source[tile.segment]; s < view.first_source[tile.segment + 1]; ++s) {
                const GradientSource& source = view.sources[s];
                if (key >= source.keys) continue;
                const float* row = regions + part * value_offset + (source.row + key) * sizes.padded;
                for (int64_t d = 0; d < sizes.padded; d += V::kLanes)
                    (V::load(sum + d) + V::load(row + d)).store(sum + d);
            }
            const int64_t col = (sizes.H + part * sizes.G + kv_head) * sizes.D;
            pack_row<V>(dqkv, int64_t{view.segments[tile.segment].start} + key, col, sum, sizes.D);
        }
}

namespace {

// Scratch memory of a backward call, in floats. Tiles and regions are [G, rows, padded].
struct BackwardLayout {
    int64_t tile_floats;    // of one kind of tile: keys, keys transposed, values transposed
    int64_t region_floats;  // of key gradients; as many follow for values
    int64_t block_floats;   // of one worker
    int64_t spare;          // before the block: a tile of values before it is transposed
    int64_t block_rows;

    int64_t total(int threads) const { return 3 * tile_floats + 2 * region_floats + threads * block_floats; }
};

}  // namespace

template <class V>
BackwardLayout backward_layout(const AttentionSizes& sizes, const AttentionView& view) {
    BackwardLayout layout{};
    layout.block_rows = view.range_queries * sizes.repeat;
    layout.spare = kTileKeys * sizes.padded;
    layout.tile_floats = sizes.G * view.tile_rows * sizes.padded;
    layout.region_floats = sizes.G * view.region_rows * sizes.padded;
    const int64_t block = layout.spare + backward_block_floats<V>(layout.block_rows, sizes.padded);
    layout.block_floats = (block + 15) / 16 * 16;
    return layout;
}

template <class V>
void run_attention_backward(const Mat& dqkv, const BackwardInputs& in, const AttentionDims& dims,
                            Stream* stream) {
    const AttentionSizes sizes = attention_sizes<V>(dims, in.qkv.rows);
    const AttentionPlan plan(dims, V::kLanes, kBackwardRows, AttentionPlan::Direction::Backward,
                             *stream->scratch);
    const AttentionView& view = plan.view();
    const BackwardLayout layout = backward_layout<V>(sizes, view);
    const int64_t bytes = layout.total(stream->pool->threads()) * static_cast<int64_t>(sizeof(float));
    auto* keys = static_cast<float*>(stream->scratch->slot(0, static_cast<size_t>(bytes)));
    float* keys_transposed = keys + layout.tile_floats;
    float* values_transposed = keys_transposed + layout.tile_floats;
    float* regions = values_transposed + layout.tile_floats;
    float* blocks = regions + 2 * layout.region_floats;

    stream->pool->parallel(view.tile_count * sizes.G, [&](int64_t task, int worker) {
        const KeyTile& tile = view.tiles[task / sizes.G];
        const int64_t head = task % sizes.G;
        const int64_t at = (head * view.tile_rows + tile.row) * sizes.padded;
        const int64_t col = (sizes.H + head) * sizes.D;
        pack_tile<V>(keys + at, keys_transposed + at, in.qkv, sizes, view.segments, tile, col);
        pack_tile<V>(blocks + worker * layout.block_floats, values_transposed + at, in.qkv, sizes,
                     view.segments, tile, col + sizes.G * sizes.D);
    });
    stream->pool->parallel(view.task_count * sizes.G, [&](int64_t index, int worker) {
        const GradientTask& task = view.tasks[index / sizes.G];
        const int64_t head = index % sizes.G;
        const int64_t at = head * view.tile_rows * sizes.padded;
        float* region = regions + (head * view.region_rows + task.region) * sizes.padded;
        const size_t cleared = static_cast<size_t>(task.rows * sizes.padded) * sizeof(float);
        std::memset(region, 0, cleared);
        std::memset(region + layout.region_floats, 0, cleared);
        const BackwardBlock block = backward_block<V>(blocks + worker * layout.block_floats + layout.spare,
                                                      layout.block_rows, sizes.padded);
        for (int32_t i = 0; i < task.piece_count; ++i)
            differentiate_piece<V>(dqkv, region, layout.region_floats, block, in,
                                   {keys + at, keys_transposed + at, values_transposed + at}, sizes, view,
                                   view.pieces[task.first_piece + i], head);
    });
    stream->pool->parallel(view.tile_count * sizes.G, [&](int64_t task, int worker) {
        const int64_t head = task % sizes.G;
        add_regions<V>(dqkv, blocks + worker * layout.block_floats,
                       regions + head * view.region_rows * sizes.padded, layout.region_floats, sizes, view,
                       view.tiles[task / sizes.G], head);
    });
}

template <class V>
Status attention_backward(Mat dqkv, ConstMat dout, ConstMat out, const float* lse, ConstMat qkv,
                          AttentionDims dims, Stream* stream) {
    const int64_t T = qkv.rows;
    if (!attention_dims_fit(dims, T)) return Status::Shape;
    const int64_t width = (dims.H + 2 * dims.G) * dims.D;
    if (qkv.cols != width || dqkv.rows != T || dqkv.cols != width || dqkv.dtype != DType::F32)
        return Status::Shape;
    for (const ConstMat& part : {dout, out})
        if (part.rows != T || part.cols != dims.H * dims.D) return Status::Shape;
    if (T == 0) return Status::Ok;
    try {
        run_attention_backward<V>(dqkv, {dout, out, qkv, lse}, dims, stream);
    } catch (...) {
        return Status::Memory;  // nothing else is thrown here
    }
    return Status::Ok;
}

}  // namespace attune
