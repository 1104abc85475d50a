// Flash attention over packed segments, backward: probabilities are recomputed from lse tile by tile. A task
// owns the gradients of its queries and a region for those of its keys; regions are added up in task order
// afterwards. The products are those of a `Form`: PlainGradients, or PairGradients for bf16 where the
// processor multiplies it. Templates on the vector type only; must not include a vec_*.h, which are chosen by
// the translation unit.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cpu/attention_backward_pairs.h"
#include "cpu/attention_backward_plain.h"

namespace attune {

// Rows of a query block: its p and ds against one tile stay in the cache next to the tile.
constexpr int64_t kBackwardRows = 144;

// dqkv[row, head] = dquery, times what is missing
template <class V>
void store_query_gradients(const Mat& dqkv, float* dquery, float missing, const AttentionSizes& sizes,
                           int64_t first_row, int64_t queries, int64_t kv_head) {
    const V scale = V::set(missing);
    for (int64_t i = 0; i < queries; ++i)
        for (int64_t r = 0; r < sizes.repeat; ++r) {
            float* row = dquery + (i * sizes.repeat + r) * sizes.padded;
            for (int64_t d = 0; d < sizes.padded; d += V::kLanes) (V::load(row + d) * scale).store(row + d);
            pack_row<V>(dqkv, first_row + i, (kv_head * sizes.repeat + r) * sizes.D, row, sizes.D);
        }
}

// One piece: its query gradients are stored, its key gradients added to region (keys, then values at
// value_offset).
template <class V, class Form>
void differentiate_piece(const Mat& dqkv, float* region, int64_t value_offset,
                         const typename Form::Block& block, const BackwardInputs& in,
                         const BackwardTiles<const typename Form::Element>& tiles,
                         const AttentionSizes& sizes, const AttentionView& view, const GradientPiece& piece,
                         int64_t kv_head) {
    const int32_t segment = piece.queries.segment;
    const int64_t start = view.segments[segment].start;
    const int64_t offset = segment_offset(view.segments, segment);
    const auto most = static_cast<int32_t>(view.range_queries);
    for (int32_t first = piece.queries.first; first < piece.queries.last; first += most) {
        const int32_t last = first + most < piece.queries.last ? first + most : piece.queries.last;
        const int64_t rows = (last - first) * sizes.repeat;
        Form::load_rows(block, in, sizes, start + first, last - first, kv_head);
        each_tile(view, {segment, first, last}, sizes.window, [&](const KeyTile& tile, int64_t position) {
            Form::differentiate(block, rows, sizes, tile, position, offset + first, tiles);
            const int64_t base = tile.segment == segment ? piece.own_row : 0;
            float* dkeys = region + (base + tile.first) * sizes.padded;
            // Rows of the region end where the task's queries do; keys behind them are seen by none.
            KeyTile seen = tile;
            if (tile.segment == segment && tile.first + tile.count > last) seen.count = last - tile.first;
            each_key_stripe<V>(rows, sizes, seen, position, offset + first,
                               [&](int64_t key, int64_t keys, int64_t row, int64_t end) {
                                   Form::add_key_gradients(dkeys, dkeys + value_offset, block, sizes.padded,
                                                           key, keys, row, end);
                               });
        });
        store_query_gradients<V>(dqkv, block.dquery, Form::dquery_scale(sizes), sizes, start + first,
                                 last - first, kv_head);
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
    int64_t spare;          // before the block: a tile before it is transposed
    int64_t block_rows;

    int64_t total(int threads) const { return 3 * tile_floats + 2 * region_floats + threads * block_floats; }
};

}  // namespace

template <class Form>
BackwardLayout backward_layout(const AttentionSizes& sizes, const AttentionView& view) {
    BackwardLayout layout{};
    layout.block_rows = view.range_queries * sizes.repeat;
    layout.spare = kTileKeys * sizes.padded;
    const int64_t elements = sizes.G * view.tile_rows * sizes.padded;
    layout.tile_floats = elements * static_cast<int64_t>(sizeof(typename Form::Element)) / 4;
    layout.region_floats = sizes.G * view.region_rows * sizes.padded;
    const int64_t block = layout.spare + Form::block_floats(layout.block_rows, sizes.padded);
    layout.block_floats = (block + 15) / 16 * 16;
    return layout;
}

template <class V, class Form>
void run_attention_backward(const Mat& dqkv, const BackwardInputs& in, const AttentionDims& dims,
                            Stream* stream) {
    using Element = typename Form::Element;
    const AttentionSizes sizes = attention_sizes<V>(dims, in.qkv.rows);
    const AttentionPlan plan(dims, V::kLanes, kBackwardRows, AttentionPlan::Direction::Backward,
                             *stream->scratch);
    const AttentionView& view = plan.view();
    const BackwardLayout layout = backward_layout<Form>(sizes, view);
    const int64_t bytes = layout.total(stream->pool->threads()) * static_cast<int64_t>(sizeof(float));
    auto* memory = static_cast<float*>(stream->scratch->slot(0, static_cast<size_t>(bytes)));
    const auto tiles_at = [&](int64_t kind) {
        return reinterpret_cast<Element*>(memory + kind * layout.tile_floats);
    };
    const BackwardTiles<Element> all{tiles_at(0), tiles_at(1), tiles_at(2)};
    float* regions = memory + 3 * layout.tile_floats;
    float* blocks = regions + 2 * layout.region_floats;

    stream->pool->parallel(view.tile_count * sizes.G, [&](int64_t task, int worker) {
        const KeyTile& tile = view.tiles[task / sizes.G];
        const int64_t head = task % sizes.G;
        const int64_t at = (head * view.tile_rows + tile.row) * sizes.padded;
        const int64_t col = (sizes.H + head) * sizes.D;
        float* spare = blocks + worker * layout.block_floats;
        Form::pack(all.keys + at, all.keys_transposed + at, spare, in.qkv, sizes, view.segments, tile, col);
        Form::pack(nullptr, all.values_transposed + at, spare, in.qkv, sizes, view.segments, tile,
                   col + sizes.G * sizes.D);
    });
    stream->pool->parallel(view.task_count * sizes.G, [&](int64_t index, int worker) {
        const GradientTask& task = view.tasks[index / sizes.G];
        const int64_t head = index % sizes.G;
        const int64_t at = head * view.tile_rows * sizes.padded;
        float* region = regions + (head * view.region_rows + task.region) * sizes.padded;
        const size_t cleared = static_cast<size_t>(task.rows * sizes.padded) * sizeof(float);
        std::memset(region, 0, cleared);
        std::memset(region + layout.region_floats, 0, cleared);
        const auto block = Form::block(blocks + worker * layout.block_floats + layout.spare,
                                       layout.block_rows, sizes.padded);
        for (int32_t i = 0; i < task.piece_count; ++i)
            differentiate_piece<V, Form>(
                dqkv, region, layout.region_floats, block, in,
                {all.keys + at, all.keys_transposed + at, all.values_transposed + at}, sizes, view,
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
    const BackwardInputs in{dout, out, qkv, lse};
    try {
        if constexpr (V::kBf16Dot) {
            if (qkv.dtype == DType::BF16) {
                run_attention_backward<V, PairGradients<V>>(dqkv, in, dims, stream);
                return Status::Ok;
            }
        }
        run_attention_backward<V, PlainGradients<V>>(dqkv, in, dims, stream);
    } catch (...) {
        return Status::Memory;  // nothing else is thrown here
    }
    return Status::Ok;
}

}  // namespace attune
