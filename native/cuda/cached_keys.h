// Where a decode step's attention finds keys and values: in pages. A block of a head is [kCacheKeys][Dp]
// keys, then as many values: rows that are read along the head's width. Knows no arithmetic.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/attention_keys.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int32_t kPageShift = 5;  // 32 keys of all layers: 0.4 MB of a model of 0.5 B, 4 MB of one of 7 B
constexpr int64_t kPageKeys = int64_t{1} << kPageShift;

// Elements from a page's beginning: key `inside` of a head that begins at `head`, and the value that goes
// with it behind the block's keys.
__device__ inline int64_t place_in_page(int64_t head, int64_t inside, int64_t width) {
    return head + (inside / kCacheKeys * (2 * kCacheKeys) + inside % kCacheKeys) * width;
}

// A segment's pages stand one behind the other in a table.
struct PagedSegment {
    int32_t first_page;
    int32_t length;  // keys
};

// What a row of a decode step sees; its own key and value are stored already and counted.
struct PagedRow {
    PagedSegment prefix;
    PagedSegment own;
};

// Row i of qkv is the last of rows[i].own, behind rows[i].prefix.
template <class T>
struct CachedKeys {
    const T* qkv;
    int64_t stride;
    const PagedRow* rows;
    void* const* pages;
    int64_t offset;  // elements, of the layer in a page
    int64_t head_stride;
    HeadSizes sizes;

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(qkv), visit(rows), visit(pages);
    }
    __device__ PagedSegment segment(int32_t row, int run) const {
        return run == 0 ? rows[row].prefix : rows[row].own;
    }
    __device__ int64_t length(int32_t row, int run) const { return segment(row, run).length; }
    __device__ int64_t query_row(int32_t row, int64_t) const { return row; }
    __device__ int64_t query_position(int32_t row, int64_t) const {
        return int64_t{rows[row].prefix.length} + rows[row].own.length - 1;
    }
    __device__ float query(int64_t row, int64_t head, int64_t d) const {
        return load_number(qkv + row * stride + head * sizes.D + d);
    }
    // [Dp] of key j of head g; its value lies kCacheKeys Dp behind.
    __device__ const T* key_row(int32_t row, int run, int64_t g, int64_t j) const {
        const T* page = static_cast<const T*>(pages[segment(row, run).first_page + (j >> kPageShift)]);
        return page + place_in_page(offset + g * head_stride, j & (kPageKeys - 1), cache_width(sizes.D));
    }
    __device__ float key(int32_t row, int run, int64_t g, int64_t j, int64_t d) const {
        return load_number(key_row(row, run, g, j) + d);
    }
    __device__ float value(int32_t row, int run, int64_t g, int64_t j, int64_t d) const {
        return load_number(key_row(row, run, g, j) + kCacheKeys * cache_width(sizes.D) + d);
    }
};

}  // namespace attune::gpu
