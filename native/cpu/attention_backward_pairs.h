// The products of attention's gradient by the processor's bf16 dot product: what enters a product is bf16 in
// pairs along its sum, sums are fp32. Queries, keys and values come as bf16 anyway; gradients of the output,
// probabilities and gradients of the scores are rounded, as a bf16 model elsewhere does. Templates on the
// vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "cpu/attention_backward_plain.h"
#include "cpu/attention_walks.h"
#include "cpu/rows_io.h"

namespace attune {

template <class V>
struct PairGradients {
    // Tiles of keys are [width/2][padded][2], transposed ones [padded/2][width][2].
    using Element = bf16_t;

    // What a worker keeps of one query block; rows as in ForwardBlock, a row of zeros behind an odd number.
    // Twice what goes into two products, along d and along rows.
    struct Block {
        float* dquery;        // [rows, padded]
        float* lse;           // [rows]
        float* delta;         // [rows] sum over d of dout * out
        float* scores;        // [kProductRows, kTileKeys]
        float* dp;            // [kProductRows, kTileKeys] dout . value
        bf16_t* query;        // [rows, padded], as they are
        bf16_t* query_pairs;  // [rows/2][padded][2]
        bf16_t* dout;         // [rows, padded]
        bf16_t* dout_pairs;   // [rows/2][padded][2]
        bf16_t* p_pairs;      // [rows/2][kTileKeys][2]
        bf16_t* ds;           // [kProductRows, kTileKeys] gradients of the scores times scale
        bf16_t* ds_pairs;     // [rows/2][kTileKeys][2]
    };

    static constexpr int64_t block_floats(int64_t rows, int64_t padded) {
        const int64_t whole = (rows + 15) / 16 * 16;
        return whole * padded + 2 * whole + 2 * kStripe +
               (4 * whole * padded + kStripe + 2 * whole * kTileKeys) / 2;
    }

    static Block block(float* memory, int64_t rows, int64_t padded) {
        const int64_t whole = (rows + 15) / 16 * 16;
        Block block{};
        block.dquery = memory;
        block.lse = block.dquery + whole * padded;
        block.delta = block.lse + whole;
        block.scores = block.delta + whole;
        block.dp = block.scores + kStripe;
        block.query = reinterpret_cast<bf16_t*>(block.dp + kStripe);
        block.query_pairs = block.query + whole * padded;
        block.dout = block.query_pairs + whole * padded;
        block.dout_pairs = block.dout + whole * padded;
        block.p_pairs = block.dout_pairs + whole * padded;
        block.ds = block.p_pairs + whole * kTileKeys;
        block.ds_pairs = block.ds + kStripe;
        return block;
    }

    static float dquery_scale(const AttentionSizes&) { return 1; }  // it is in ds

    // keys null: only the transposed tile is wanted. spare[kTileKeys * padded]
    static void pack(bf16_t* keys, bf16_t* transposed, float* spare, const ConstMat& qkv,
                     const AttentionSizes& sizes, const Segment* segments, const KeyTile& tile,
                     int64_t first_col) {
        auto* rows = reinterpret_cast<bf16_t*>(spare);
        const int64_t start = int64_t{segments[tile.segment].start} + tile.first;
        for (int64_t i = 0; i < tile.count; ++i)
            copy_row(rows + i * sizes.padded, qkv, start + i, first_col, sizes);
        std::fill(rows + tile.count * sizes.padded, rows + tile.width * sizes.padded, bf16_t{0});
        if (keys != nullptr) pair_rows(keys, rows, tile.width, sizes.padded);
        // A pair moves as one float would.
        attune::transpose<V>(reinterpret_cast<float*>(transposed), spare, tile.width, sizes.padded / 2);
    }

    static void load_rows(const Block& block, const BackwardInputs& in, const AttentionSizes& sizes,
                          int64_t first_row, int64_t queries, int64_t kv_head) {
        const int64_t padded = sizes.padded;
        const int64_t rows = queries * sizes.repeat;
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t source = first_row + row / sizes.repeat;
            const int64_t head = kv_head * sizes.repeat + row % sizes.repeat;
            bf16_t* dout = block.dout + row * padded;
            float* wide = block.dquery;  // free until it is cleared below
            copy_row(block.query + row * padded, in.qkv, source, head * sizes.D, sizes);
            unpack_row<V>(wide, padded, in.dout, source, head * sizes.D, sizes.D);
            for (int64_t d = 0; d < padded; d += V::kLanes) V::load(wide + d).store(dout + d);
            unpack_row<V>(wide, padded, in.out, source, head * sizes.D, sizes.D);
            // Of dout as the products see it: ds sums to zero over the keys of a query.
            V sum = V::zero();
            for (int64_t d = 0; d < padded; d += V::kLanes)
                sum = V::fma(V::load(dout + d), V::load(wide + d), sum);
            block.delta[row] = sum.reduce_add();
            block.lse[row] = in.lse[head * sizes.T + source];
        }
        if (rows % 2 != 0) {
            std::fill_n(block.query + rows * padded, padded, bf16_t{0});
            std::fill_n(block.dout + rows * padded, padded, bf16_t{0});
            block.delta[rows] = block.lse[rows] = 0;
        }
        pair_rows(block.query_pairs, block.query, rows + rows % 2, padded);
        pair_rows(block.dout_pairs, block.dout, rows + rows % 2, padded);
        std::memset(block.dquery, 0, static_cast<size_t>(rows * padded) * sizeof(float));
    }

    // p and ds of all rows of the block against one tile, zero where a query sees nothing; dquery +=
    static void differentiate(const Block& block, int64_t rows, const AttentionSizes& sizes,
                              const KeyTile& tile, int64_t tile_position, int64_t first_position,
                              const BackwardTiles<const bf16_t>& tiles) {
        static_assert(kProductRows<V> % 2 == 0);  // a stripe begins with a pair of rows
        const int64_t padded = sizes.padded, depth = (sizes.D + 1) / 2;
        each_row_stripe<V>(rows, sizes, tile, tile_position, first_position, [&](const RowStripe& stripe) {
            const int64_t from = stripe.from, n = stripe.n, at = stripe.row * padded;
            if (n > 0) {
                product<V, false>(
                    block.scores, kTileKeys, stripe.count, n, LeftRows<bf16_t>{block.query + at, padded},
                    tiles.keys_transposed + tile.row * padded + 2 * from, 2 * tile.width, depth);
                product<V, false>(
                    block.dp, kTileKeys, stripe.count, n, LeftRows<bf16_t>{block.dout + at, padded},
                    tiles.values_transposed + tile.row * padded + 2 * from, 2 * tile.width, depth);
            }
            for (int64_t i = 0; i < stripe.count; ++i)
                mask_row(block.scores + i * kTileKeys, stripe, stripe.row + i, sizes, tile, tile_position,
                         first_position);
            if (stripe.count % 2 != 0) {
                mask_scores(block.scores + stripe.count * kTileKeys, n, 0, 0);
                std::fill_n(block.dp + stripe.count * kTileKeys, n, 0.0f);
            }
            for (int64_t i = 0; i < stripe.count; i += 2)
                differentiate_rows(block, stripe, i, sizes.scale, tile.width);
            if (n > 0)
                product<V, true>(block.dquery + at, padded, stripe.count, padded,
                                 LeftRows<bf16_t>{block.ds, kTileKeys},
                                 tiles.keys + (tile.row + from) * padded, 2 * padded, (stripe.keys + 1) / 2);
        });
    }

    // Keys [key, key + keys) of the tile, rows [row, end): dkeys += ds^T query;  dvalues += p^T dout. The
    // other row of a pair that is cut sees none of these keys.
    static void add_key_gradients(float* dkeys, float* dvalues, const Block& block, int64_t padded,
                                  int64_t key, int64_t keys, int64_t row, int64_t end) {
        const int64_t first = row / 2, count = (end + 1) / 2 - first;
        const int64_t at = 2 * (first * kTileKeys + key);
        product<V, true>(dvalues + key * padded, padded, keys, padded,
                         LeftColumns<bf16_t>{block.p_pairs + at, 2 * kTileKeys},
                         block.dout_pairs + 2 * first * padded, 2 * padded, count);
        product<V, true>(dkeys + key * padded, padded, keys, padded,
                         LeftColumns<bf16_t>{block.ds_pairs + at, 2 * kTileKeys},
                         block.query_pairs + 2 * first * padded, 2 * padded, count);
    }

  private:
    static constexpr int64_t kStripe = kProductRows<V> * kTileKeys;

    // target[padded] = columns of the head, zeros behind
    static void copy_row(bf16_t* target, const ConstMat& qkv, int64_t row, int64_t first_col,
                         const AttentionSizes& sizes) {
        std::copy_n(row_of<bf16_t>(qkv, row) + first_col, sizes.D, target);
        std::fill(target + sizes.D, target + sizes.padded, bf16_t{0});
    }

    // pairs[rows/2][padded][2] = rows[rows, padded]
    static void pair_rows(bf16_t* pairs, const bf16_t* rows, int64_t count, int64_t padded) {
        for (int64_t row = 0; row < count; row += 2, rows += 2 * padded)
            for (int64_t d = 0; d < padded; d += V::kLanes, pairs += 2 * V::kLanes)
                V::store_pairs(pairs, V::load(rows + d), V::load(rows + padded + d));
    }

    // Rows i and i + 1 of a stripe: p = exp(scale score - lse) and ds = scale p (dp - delta), in pairs and in
    // rows.
    static void differentiate_rows(const Block& block, const RowStripe& stripe, int64_t i, float scale,
                                   int64_t width) {
        const int64_t row = stripe.row + i;
        const float* scores = block.scores + i * kTileKeys;
        const float* dp = block.dp + i * kTileKeys;
        bf16_t* ds = block.ds + i * kTileKeys;
        bf16_t* p_pairs = block.p_pairs + row * kTileKeys + 2 * stripe.from;
        bf16_t* ds_pairs = block.ds_pairs + row * kTileKeys + 2 * stripe.from;
        const V factor = V::set(scale);
        const V shift[2] = {V::set(block.lse[row]), V::set(block.lse[row + 1])};
        const V mean[2] = {V::set(block.delta[row]), V::set(block.delta[row + 1])};
        for (int64_t j = 0; j < stripe.n; j += V::kLanes) {
            V p[2], gradient[2];
            for (int r = 0; r < 2; ++r) {
                const int64_t at = r * kTileKeys + j;
                p[r] = vec_exp(V::load(scores + at) * factor - shift[r]);
                gradient[r] = factor * p[r] * (V::load(dp + at) - mean[r]);
                gradient[r].store(ds + at);
            }
            V::store_pairs(p_pairs + 2 * j, p[0], p[1]);
            V::store_pairs(ds_pairs + 2 * j, gradient[0], gradient[1]);
        }
        clear_outside(p_pairs - 2 * stripe.from, stripe, width);
        clear_outside(ds_pairs - 2 * stripe.from, stripe, width);
    }

    // pairs[width][2] = 0 outside of what the stripe sees
    static void clear_outside(bf16_t* pairs, const RowStripe& stripe, int64_t width) {
        std::fill(pairs, pairs + 2 * stripe.from, bf16_t{0});
        std::fill(pairs + 2 * (stripe.from + stripe.n), pairs + 2 * width, bf16_t{0});
    }
};

}  // namespace attune
