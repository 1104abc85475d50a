// The products of attention's gradient in fp32, for one query block and one tile of keys. Templates on the
// vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "cpu/attention_forward.h"
#include "cpu/attention_walks.h"

namespace attune {

// What a call of the gradient reads.
struct BackwardInputs {
    ConstMat dout, out, qkv;
    const float* lse;  // [H, T]
};

// The packed tiles of one kv head, one behind the other.
template <class T>
struct BackwardTiles {
    T* keys;
    T* keys_transposed;
    T* values_transposed;
};

template <class V>
struct PlainGradients {
    // Tiles are [width, padded], transposed ones [padded, width].
    using Element = float;

    // What a worker keeps of one query block; rows as in ForwardBlock.
    struct Block {
        float* query;   // [rows, padded], times scale
        float* dout;    // [rows, padded]
        float* dquery;  // [rows, padded], gradient of the query, still to be multiplied by dquery_scale()
        float* p;       // [rows, kTileKeys] probabilities
        float* ds;      // [rows, kTileKeys] gradients of the scores
        float* lse;     // [rows]
        float* delta;   // [rows] sum over d of dout * out
    };

    static constexpr int64_t block_floats(int64_t rows, int64_t padded) {
        return 3 * rows * padded + 2 * rows * kTileKeys + 2 * ((rows + 15) / 16 * 16);
    }

    static Block block(float* memory, int64_t rows, int64_t padded) {
        Block block{};
        block.query = memory;
        block.dout = block.query + rows * padded;
        block.dquery = block.dout + rows * padded;
        block.p = block.dquery + rows * padded;
        block.ds = block.p + rows * kTileKeys;
        block.lse = block.ds + rows * kTileKeys;
        block.delta = block.lse + (rows + 15) / 16 * 16;
        return block;
    }

    static float dquery_scale(const AttentionSizes& sizes) { return sizes.scale; }

    // keys null: only the transposed tile is wanted. spare[kTileKeys * padded]
    static void pack(float* keys, float* transposed, float* spare, const ConstMat& qkv,
                     const AttentionSizes& sizes, const Segment* segments, const KeyTile& tile,
                     int64_t first_col) {
        pack_tile<V>(keys != nullptr ? keys : spare, transposed, qkv, sizes, segments, tile, first_col);
    }

    static void load_rows(const Block& block, const BackwardInputs& in, const AttentionSizes& sizes,
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

    // p and ds of all rows of the block against one tile, zero where a query sees nothing; dquery +=
    static void differentiate(const Block& block, int64_t rows, const AttentionSizes& sizes,
                              const KeyTile& tile, int64_t tile_position, int64_t first_position,
                              const BackwardTiles<const float>& tiles) {
        const int64_t padded = sizes.padded;
        each_row_stripe<V>(rows, sizes, tile, tile_position, first_position, [&](const RowStripe& stripe) {
            const int64_t from = stripe.from, n = stripe.n;
            float* p = block.p + stripe.row * kTileKeys + from;
            float* ds = block.ds + stripe.row * kTileKeys + from;
            if (n > 0) {
                product<V, false>(p, kTileKeys, stripe.count, n,
                                  LeftRows<float>{block.query + stripe.row * padded, padded},
                                  tiles.keys_transposed + tile.row * padded + from, tile.width, sizes.D);
                product<V, false>(ds, kTileKeys, stripe.count, n,
                                  LeftRows<float>{block.dout + stripe.row * padded, padded},
                                  tiles.values_transposed + tile.row * padded + from, tile.width, sizes.D);
            }
            for (int64_t i = 0; i < stripe.count; ++i) {
                const int64_t row = stripe.row + i;
                mask_row(p + i * kTileKeys, stripe, row, sizes, tile, tile_position, first_position);
                differentiate_row(p + i * kTileKeys, ds + i * kTileKeys, n, block.lse[row], block.delta[row]);
                clear_outside(p + i * kTileKeys - from, from, from + n, tile.width);
                clear_outside(ds + i * kTileKeys - from, from, from + n, tile.width);
            }
            if (n > 0)
                product<V, true>(block.dquery + stripe.row * padded, padded, stripe.count, padded,
                                 LeftRows<float>{ds, kTileKeys}, tiles.keys + (tile.row + from) * padded,
                                 padded, stripe.keys);
        });
    }

    // Keys [key, key + keys) of the tile, rows [row, end): dkeys += ds^T query;  dvalues += p^T dout
    static void add_key_gradients(float* dkeys, float* dvalues, const Block& block, int64_t padded,
                                  int64_t key, int64_t keys, int64_t row, int64_t end) {
        const int64_t at = row * kTileKeys + key;
        product<V, true>(dvalues + key * padded, padded, keys, padded,
                         LeftColumns<float>{block.p + at, kTileKeys}, block.dout + row * padded, padded,
                         end - row);
        product<V, true>(dkeys + key * padded, padded, keys, padded,
                         LeftColumns<float>{block.ds + at, kTileKeys}, block.query + row * padded, padded,
                         end - row);
    }

  private:
    // scores[n] become p = exp(score - lse);  dp[n] (dout . value) becomes ds = p (dp - delta)
    static void differentiate_row(float* scores, float* dp, int64_t n, float lse, float delta) {
        const V shift = V::set(lse);
        const V mean = V::set(delta);
        for (int64_t j = 0; j < n; j += V::kLanes) {
            const V p = vec_exp(V::load(scores + j) - shift);
            p.store(scores + j);
            (p * (V::load(dp + j) - mean)).store(dp + j);
        }
    }

    // row[width] = 0 outside [first, last); all are whole vectors
    static void clear_outside(float* row, int64_t first, int64_t last, int64_t width) {
        for (int64_t j = 0; j < first; j += V::kLanes) V::zero().store(row + j);
        for (int64_t j = last; j < width; j += V::kLanes) V::zero().store(row + j);
    }
};

}  // namespace attune
