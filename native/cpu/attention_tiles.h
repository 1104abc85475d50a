// Packing for attention: rows of qkv become fp32 tiles, keys also transposed. Shared by forward and backward.
// Templates on the vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "cpu/attention_plan.h"

namespace attune {

// Sizes of one call. A row of qkv is [H*D | G*D | G*D]; `repeat` query heads share a key/value head.
struct AttentionSizes {
    int64_t T, H, G, D;
    int64_t repeat;  // H / G
    int64_t padded;  // D rounded up to whole vectors: the width of packed rows
    int64_t window;
    float scale;
};

template <class V>
AttentionSizes attention_sizes(const AttentionDims& dims, int64_t T) {
    const int64_t padded = (dims.D + V::kLanes - 1) / V::kLanes * V::kLanes;
    return {T, dims.H, dims.G, dims.D, dims.H / dims.G, padded, dims.window, dims.scale};
}

// target[padded] = source[row, first .. first + n) as fp32, zeros behind
template <class V>
inline void unpack_row(float* target, int64_t padded, const ConstMat& source, int64_t row, int64_t first,
                       int64_t n) {
    const int64_t offset = row * source.stride + first;
    const auto copy = [&](const auto* from) {
        int64_t i = 0;
        for (; i + V::kLanes <= n; i += V::kLanes) V::load(from + i).store(target + i);
        if (i < n) {
            V::load(from + i, n - i).store(target + i);
            i += V::kLanes;
        }
        for (; i < padded; i += V::kLanes) V::zero().store(target + i);
    };
    if (source.dtype == DType::F32)
        copy(static_cast<const float*>(source.data) + offset);
    else
        copy(static_cast<const bf16_t*>(source.data) + offset);
}

// target[row, first .. first + n) = source[n]
template <class V>
inline void pack_row(const Mat& target, int64_t row, int64_t first, const float* source, int64_t n) {
    const int64_t offset = row * target.stride + first;
    const auto copy = [&](auto* to) {
        int64_t i = 0;
        for (; i + V::kLanes <= n; i += V::kLanes) V::load(source + i).store(to + i);
        if (i < n) V::load(source + i, n - i).store(to + i, n - i);
    };
    if (target.dtype == DType::F32)
        copy(static_cast<float*>(target.data) + offset);
    else
        copy(static_cast<bf16_t*>(target.data) + offset);
}

// target[cols, rows] = source[rows, cols] transposed; both sizes are multiples of 4.
template <class V>
inline void transpose(float* target, const float* source, int64_t rows, int64_t cols) {
    using Quad = float __attribute__((vector_size(16)));
    using Index = int __attribute__((vector_size(16)));
    const auto load = [](const float* from) {
        Quad quad;
        std::memcpy(&quad, from, sizeof(quad));
        return quad;
    };
    for (int64_t r = 0; r < rows; r += 4)
        for (int64_t c = 0; c < cols; c += 4) {
            const float* from = source + r * cols + c;
            const Quad a = load(from), b = load(from + cols), d = load(from + 2 * cols),
                       e = load(from + 3 * cols);
            const Quad ab_low = __builtin_shuffle(a, b, Index{0, 4, 1, 5});
            const Quad ab_high = __builtin_shuffle(a, b, Index{2, 6, 3, 7});
            const Quad de_low = __builtin_shuffle(d, e, Index{0, 4, 1, 5});
            const Quad de_high = __builtin_shuffle(d, e, Index{2, 6, 3, 7});
            const Quad out[4] = {__builtin_shuffle(ab_low, de_low, Index{0, 1, 4, 5}),
                                 __builtin_shuffle(ab_low, de_low, Index{2, 3, 6, 7}),
                                 __builtin_shuffle(ab_high, de_high, Index{0, 1, 4, 5}),
                                 __builtin_shuffle(ab_high, de_high, Index{2, 3, 6, 7})};
            for (int i = 0; i < 4; ++i) std::memcpy(target + (c + i) * rows + r, &out[i], sizeof(Quad));
        }
}

// rows[width, padded] = keys (or values) of one tile; transposed[padded, width]. Rows behind the last key are
// zero.
template <class V>
void pack_tile(float* rows, float* transposed, const ConstMat& qkv, const AttentionSizes& sizes,
               const Segment* segments, const KeyTile& tile, int64_t first_col) {
    const int64_t start = int64_t{segments[tile.segment].start} + tile.first;
    for (int64_t i = 0; i < tile.count; ++i)
        unpack_row<V>(rows + i * sizes.padded, sizes.padded, qkv, start + i, first_col, sizes.D);
    const int64_t filled = tile.count * sizes.padded;
    std::memset(rows + filled, 0, static_cast<size_t>(tile.width * sizes.padded - filled) * sizeof(float));
    if (transposed != nullptr) transpose<V>(transposed, rows, tile.width, sizes.padded);
}

namespace {

// Keys of a tile that at least one of the queries at positions [low, high] sees, as [first, last) within the
// tile.
struct Visible {
    int64_t first;
    int64_t last;
    bool empty() const { return first >= last; }
};

inline Visible visible_keys(const KeyTile& tile, int64_t tile_position, int64_t low, int64_t high,
                            int64_t window) {
    const int64_t from = window == 0 ? 0 : low - window + 1 - tile_position;
    const int64_t to = high - tile_position + 1;
    return {from < 0 ? 0 : from, to < tile.count ? to : int64_t{tile.count}};
}

// s[n] of a row of scores becomes -infinity where the query sees nothing: outside [first, last).
inline void mask_scores(float* s, int64_t n, int64_t first, int64_t last) {
    constexpr float kNothing = -__builtin_inff();
    for (int64_t j = 0; j < first && j < n; ++j) s[j] = kNothing;
    for (int64_t j = last < 0 ? 0 : last; j < n; ++j) s[j] = kNothing;
}

}  // namespace

// Calls body(tile, position of its first key) for the tiles that some query of the range sees: the prefix's,
// then the segment's own.
template <class Body>
void each_tile(const AttentionView& view, const QueryRange& queries, int64_t window, Body&& body) {
    const int64_t prefix = view.segments[queries.segment].prefix;
    const int64_t offset = segment_offset(view.segments, queries.segment);
    const auto walk = [&](int64_t segment, int64_t start) {
        for (int64_t t = view.first_tile[segment]; t < view.first_tile[segment + 1]; ++t) {
            const KeyTile& tile = view.tiles[t];
            const int64_t position = start + tile.first;
            if (position > offset + queries.last - 1) return;
            if (!visible_keys(tile, position, offset + queries.first, offset + queries.last - 1, window)
                     .empty())
                body(tile, position);
        }
    };
    if (prefix >= 0) walk(prefix, 0);
    walk(queries.segment, offset);
}

}  // namespace attune
