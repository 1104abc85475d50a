// Attention of single rows over cached keys and values: attention_forward's tiles, products and running
// maxima, read from the cache's blocks instead of packed tiles. Bytes: the keys and values, once. Templates
// on the vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cpu/attention_forward.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

// One kv head of a cached segment: blocks of keys [Dp][16], then values [16][Dp].
template <class T>
struct CachedHead {
    void* const* pages;
    int32_t page_shift;
    int64_t offset;  // of the head in a page
    int64_t padded;  // Dp

    // Where the block of key i begins.
    T* block(int64_t i) const {
        const int64_t inside = i & ((int64_t{1} << page_shift) - 1);
        return static_cast<T*>(pages[i >> page_shift]) + offset +
               inside / kCacheKeys * (2 * kCacheKeys * padded);
    }
    // Element d of key i; the next d is kCacheKeys behind.
    T* key(int64_t i) const { return block(i) + i % kCacheKeys; }
    // [Dp] of value i
    T* value(int64_t i) const { return block(i) + (kCacheKeys + i % kCacheKeys) * padded; }
};

template <class T>
CachedHead<T> cached_head(const CachedSegment& segment, int64_t head, int64_t padded) {
    return {segment.pages, segment.page_shift, segment.offset + head * segment.head_stride, padded};
}

// Key and value `index` of the head = row `row` of qkv.
template <class T>
void store_key(const CachedHead<T>& head, int64_t index, const ConstMat& qkv, const AttentionSizes& sizes,
               int64_t row, int64_t kv_head) {
    const T* from = row_of<T>(qkv, row) + (sizes.H + kv_head) * sizes.D;
    T* key = head.key(index);
    for (int64_t d = 0; d < sizes.D; ++d) key[d * kCacheKeys] = from[d];
    T* value = head.value(index);
    std::copy_n(from + sizes.G * sizes.D, sizes.D, value);
    std::fill(value + sizes.D, value + head.padded, T{0});
}

// scores[kRows][kTileKeys] at columns of kVectors vectors of keys = q[kRows][Dp] . keys, over d ascending.
template <class V, class T, int kRows, int kVectors>
inline void cached_scores(float* scores, const float* query, int64_t padded, const T* const* keys,
                          int64_t depth) {
    V sum[kRows][kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[i][v] = V::zero();
    for (int64_t d = 0; d < depth; ++d) {
        V right[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) right[v] = V::load(keys[v] + d * kCacheKeys);
#pragma GCC unroll 4
        for (int i = 0; i < kRows; ++i) {
            const V left = V::set(query[i * padded + d]);
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) V::accumulate(sum[i][v], left, right[v]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[i][v].store(scores + i * kTileKeys + v * V::kLanes);
}

// Keys [first, first + n) of the segment against kRows queries.
template <class V, class T, int kRows>
void score_keys(float* scores, const float* query, const CachedHead<T>& head, int64_t first, int64_t n,
                int64_t depth) {
    constexpr int kWide = V::kRegisters >= 32 ? 4 : 2;
    const T* keys[kWide];
    int64_t j = 0;
    for (; j + kWide * V::kLanes <= n; j += kWide * V::kLanes) {
        for (int v = 0; v < kWide; ++v) keys[v] = head.key(first + j + v * V::kLanes);
        cached_scores<V, T, kRows, kWide>(scores + j, query, head.padded, keys, depth);
    }
    for (; j < n; j += V::kLanes) {
        keys[0] = head.key(first + j);
        cached_scores<V, T, kRows, 1>(scores + j, query, head.padded, keys, depth);
    }
}

// output[kRows][Dp] at kVectors vectors of columns += weights . values [first, first + count), keys
// ascending.
template <class V, class T, int kRows, int kVectors>
inline void cached_values(float* output, const float* weights, const CachedHead<T>& head, int64_t first,
                          int64_t count, int64_t column) {
    V sum[kRows][kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
            sum[i][v] = V::load(output + i * head.padded + column + v * V::kLanes);
    for (int64_t j = 0; j < count;) {
        const T* value = head.value(first + j) + column;
        const int64_t end = std::min(count, j + kCacheKeys - (first + j) % kCacheKeys);
        for (; j < end; ++j, value += head.padded) {
            V right[kVectors];
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) right[v] = V::load(value + v * V::kLanes);
#pragma GCC unroll 4
            for (int i = 0; i < kRows; ++i) {
                const V left = V::set(weights[i * kTileKeys + j]);
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) V::accumulate(sum[i][v], left, right[v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[i][v].store(output + i * head.padded + column + v * V::kLanes);
}

template <class V, class T, int kRows>
void add_values(float* output, const float* weights, const CachedHead<T>& head, int64_t first,
                int64_t count) {
    constexpr int kWide = V::kRegisters >= 32 ? 4 : 2;
    int64_t column = 0;
    for (; column + kWide * V::kLanes <= head.padded; column += kWide * V::kLanes)
        cached_values<V, T, kRows, kWide>(output, weights, head, first, count, column);
    for (; column < head.padded; column += V::kLanes)
        cached_values<V, T, kRows, 1>(output, weights, head, first, count, column);
}

// kRows query heads of one row against the visible keys [from, seen.last) of one tile, whose first key is
// `tile`.
template <class V, class T, int kRows>
void attend_cached(const ForwardBlock& block, int64_t row, const CachedHead<T>& head, int64_t tile,
                   Visible seen, const AttentionSizes& sizes) {
    const int64_t from = seen.first / V::kLanes * V::kLanes;
    const int64_t n = (seen.last - from + V::kLanes - 1) / V::kLanes * V::kLanes;
    score_keys<V, T, kRows>(block.scores, block.query + row * sizes.padded, head, tile + from, n, sizes.D);
    for (int i = 0; i < kRows; ++i) {
        float* scores = block.scores + i * kTileKeys;
        mask_scores(scores, n, seen.first - from, seen.last - from);
        soften_row<V>(scores, n, block.high[row + i], block.sums + (row + i) * V::kLanes,
                      block.output + (row + i) * sizes.padded, sizes.padded);
    }
    add_values<V, T, kRows>(block.output + row * sizes.padded, block.scores, head, tile + from,
                            seen.last - from);
}

// All query heads of the kv head against `length` keys that lie at positions offset, offset + 1, ...
template <class V, class T>
void attend_segment(const ForwardBlock& block, const CachedHead<T>& head, int64_t length, int64_t offset,
                    int64_t position, const AttentionSizes& sizes) {
    for (int64_t first = 0; first < length; first += kTileKeys) {
        const KeyTile tile{0, 0, static_cast<int32_t>(std::min(kTileKeys, length - first)), 0, 0};
        const Visible seen = visible_keys(tile, offset + first, position, position, sizes.window);
        if (seen.empty()) continue;
        int64_t row = 0;
        for (; row + 4 <= sizes.repeat; row += 4)
            attend_cached<V, T, 4>(block, row, head, first, seen, sizes);
        for (; row + 3 <= sizes.repeat; row += 3)
            attend_cached<V, T, 3>(block, row, head, first, seen, sizes);
        for (; row + 2 <= sizes.repeat; row += 2)
            attend_cached<V, T, 2>(block, row, head, first, seen, sizes);
        for (; row < sizes.repeat; ++row) attend_cached<V, T, 1>(block, row, head, first, seen, sizes);
    }
}

// One task: one row, one kv head.
template <class V, class T>
void decode_row(const Mat& out, float* lse, const ForwardBlock& block, const ConstMat& qkv,
                const CachedRow& row, const AttentionSizes& sizes, int64_t index, int64_t kv_head) {
    const CachedHead<T> prefix = cached_head<T>(row.prefix, kv_head, sizes.padded);
    const CachedHead<T> own = cached_head<T>(row.own, kv_head, sizes.padded);
    const int64_t position = row.prefix.length + row.own.length;
    store_key(own, row.own.length, qkv, sizes, index, kv_head);
    load_queries<V>(block.query, qkv, sizes, index, 1, kv_head);
    clear_block<V>(block, sizes.repeat, sizes.padded);
    attend_segment<V>(block, prefix, row.prefix.length, 0, position, sizes);
    attend_segment<V>(block, own, row.own.length + 1, row.prefix.length, position, sizes);
    finish_queries<V>(out, lse, block, sizes, index, 1, kv_head);
}

inline bool cache_dims_fit(const AttentionDims& dims, const ConstMat& qkv) {
    return dims.H > 0 && dims.G > 0 && dims.D > 0 && dims.H % dims.G == 0 && dims.window >= 0 &&
           well_formed(qkv) && qkv.cols == (dims.H + 2 * dims.G) * dims.D;
}

template <class V>
AttentionSizes cached_sizes(const AttentionDims& dims, int64_t rows) {
    AttentionSizes sizes = attention_sizes<V>(dims, rows);
    sizes.padded = cache_width(dims.D);
    return sizes;
}

inline Status begin_step(uint64_t, Stream*) {
    return Status::Ok;
}

template <class V>
Status cache_store(const CachedSegment* targets, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!cache_dims_fit(dims, qkv) || !attention_dims_fit(dims, qkv.rows)) return Status::Shape;
    const AttentionSizes sizes = cached_sizes<V>(dims, qkv.rows);
    with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        stream->pool->parallel(dims.segment_count * dims.G, [&](int64_t task, int) {
            const Segment& segment = dims.segments[task / dims.G];
            const CachedSegment& target = targets[task / dims.G];
            if (target.pages == nullptr) return;
            const int64_t kv_head = task % dims.G;
            const CachedHead<T> head = cached_head<T>(target, kv_head, sizes.padded);
            for (int64_t i = 0; i < segment.length; ++i)
                store_key(head, target.length + i, qkv, sizes, segment.start + i, kv_head);
        });
    });
    return Status::Ok;
}

template <class V>
Status attention_cached(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                        Stream* stream) {
    if (!cache_dims_fit(dims, qkv) || !has_shape(out, qkv.rows, dims.H * dims.D)) return Status::Shape;
    const AttentionSizes sizes = cached_sizes<V>(dims, qkv.rows);
    const int64_t floats = (forward_block_floats<V>(sizes.repeat, sizes.padded) + 15) / 16 * 16;
    auto* memory = static_cast<float*>(
        stream->scratch->try_slot(0, static_cast<size_t>(stream->pool->threads() * floats) * sizeof(float)));
    if (memory == nullptr) return Status::Memory;
    with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        stream->pool->parallel(qkv.rows * sizes.G, [&](int64_t task, int worker) {
            const ForwardBlock block = forward_block<V>(memory + worker * floats, sizes.repeat, sizes.padded);
            const int64_t row = task / sizes.G;
            decode_row<V, T>(out, lse, block, qkv, rows[row], sizes, row, task % sizes.G);
        });
    });
    return Status::Ok;
}

}  // namespace
}  // namespace attune
