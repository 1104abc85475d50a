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
    using Number = T;
    const T* qkv;
    int64_t stride;
    const PagedRow* rows;
    void* const* pages;
    int64_t offset;  // elements, of the layer in a page
    int64_t head_stride;
    HeadSizes sizes;

    // One run of a row, for one key/value head.
    struct Run {
        void* const* pages = nullptr;  // from the run's first key on
        int64_t head = 0;              // elements, of the head in a page
        int length = 0, columns = 0;

        // [Dp] of key j; its value lies kCacheKeys Dp behind.
        __device__ const T* key_row(int j) const {
            return static_cast<const T*>(pages[j >> kPageShift]) +
                   place_in_page(head, j & (kPageKeys - 1), cache_width(columns));
        }
        template <int kThreads, class Target>
        __device__ void copy_keys(Target& tile, int first) const {
            copy_tile<kThreads>(tile, length - first, columns, [&](int j) { return key_row(first + j); });
        }
        template <int kThreads, class Target>
        __device__ void copy_values(Target& tile, int first) const {
            copy_tile<kThreads>(tile, length - first, columns, [&](int j) {
                return key_row(first + j) + kCacheKeys * cache_width(columns);
            });
        }
    };
    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(qkv), visit(rows), visit(pages);
    }
    __device__ PagedSegment segment(int row, int run) const {
        return run == 0 ? rows[row].prefix : rows[row].own;
    }
    __device__ int length(int row, int run) const { return segment(row, run).length; }
    __device__ Run run(int row, int number, int g) const {
        const PagedSegment of = segment(row, number);
        return {pages + of.first_page, offset + g * head_stride, of.length, sizes.D};
    }
    __device__ int position0(int row) const { return rows[row].prefix.length + rows[row].own.length - 1; }
    __device__ int64_t query_row(int row, int) const { return row; }
    __device__ const T* query(int64_t row, int head) const {
        return qkv + row * stride + int64_t{head} * sizes.pitch;
    }
};

}  // namespace attune::gpu
