// How a block of query rows and a tile of keys meet: in stripes of rows, and in stripes of keys. Knows
// positions and windows only; no arithmetic. Templates on the vector type only; must not include a vec_*.h.
#pragma once

#include <cstdint>

#include "cpu/attention_product.h"
#include "cpu/attention_tiles.h"

namespace attune {

// Rows [row, row + count) of a block, and what of a tile at least one of them sees: n keys from `from` on,
// whole vectors, n = 0 where nothing; `keys` of them up to the last that is seen.
struct RowStripe {
    int64_t row;
    int64_t count;
    int64_t from;
    int64_t n;
    int64_t keys;
};

// body(stripe) for all rows, kProductRows at a time. Row (i, r) = i * repeat + r is query i, which stands at
// first_position + i.
template <class V, class Body>
void each_row_stripe(int64_t rows, const AttentionSizes& sizes, const KeyTile& tile, int64_t tile_position,
                     int64_t first_position, Body&& body) {
    for (int64_t row = 0; row < rows; row += kProductRows<V>) {
        RowStripe stripe{row, rows - row < kProductRows<V> ? rows - row : kProductRows<V>, 0, 0, 0};
        const int64_t low = first_position + row / sizes.repeat;
        const int64_t high = first_position + (row + stripe.count - 1) / sizes.repeat;
        const Visible seen = visible_keys(tile, tile_position, low, high, sizes.window);
        if (!seen.empty()) {
            stripe.from = seen.first / V::kLanes * V::kLanes;
            stripe.keys = seen.last - stripe.from;
            stripe.n = (stripe.keys + V::kLanes - 1) / V::kLanes * V::kLanes;
        }
        body(stripe);
    }
}

// scores[n] of one row of the stripe, at key `from`, become -infinity where its query sees nothing.
inline void mask_row(float* scores, const RowStripe& stripe, int64_t row, const AttentionSizes& sizes,
                     const KeyTile& tile, int64_t tile_position, int64_t first_position) {
    const int64_t position = first_position + row / sizes.repeat;
    const Visible own = visible_keys(tile, tile_position, position, position, sizes.window);
    mask_scores(scores, stripe.n, own.first - stripe.from, own.last - stripe.from);
}

// body(key, keys, row, end): rows [row, end) see keys [key, key + keys) of the tile, or some of them; rows
// that see none of a stripe of keys are left out.
template <class V, class Body>
void each_key_stripe(int64_t rows, const AttentionSizes& sizes, const KeyTile& tile, int64_t tile_position,
                     int64_t first_position, Body&& body) {
    const int64_t last_position = first_position + (rows - 1) / sizes.repeat;
    const bool all_after = first_position >= tile_position + tile.count - 1;
    const bool all_near = sizes.window == 0 || last_position - tile_position < sizes.window;
    if (all_after && all_near) return body(0, int64_t{tile.count}, 0, rows);
    for (int64_t key = 0; key < tile.count; key += kProductRows<V>) {
        const int64_t keys = tile.count - key < kProductRows<V> ? tile.count - key : kProductRows<V>;
        const int64_t skipped = (tile_position + key - first_position) * sizes.repeat;
        const int64_t reach = (tile_position + key + keys - 1 + sizes.window - first_position) * sizes.repeat;
        const int64_t row = skipped < 0 ? 0 : skipped;
        const int64_t end = sizes.window == 0 || reach > rows ? rows : reach;
        if (row < end) body(key, keys, row, end);
    }
}

}  // namespace attune
