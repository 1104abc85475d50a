// Where attention finds queries, keys and values: in rows of packed qkv (in caches of earlier rows:
// cached_keys.h). Knows no arithmetic.
//
// What a query sees are two runs of keys, in order: of its prefix (empty without one), and of its own
// segment. Rows of a tile are (query, head) pairs of one key/value head: row = query * repeat + r.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int64_t kWidestHead = 256;

struct HeadSizes {
    int64_t T, H, G, D;
    int64_t repeat;  // H / G
    int64_t window;
    float scale;
};

// Rows [first, first + rows) of a segment's (query, head) pairs. segment: its number, or the row of a decode
// step.
struct QueryTile {
    int32_t segment;
    int32_t rows;
    int64_t first;
};

// Complete segments of packed rows.
template <class T>
struct PackedKeys {
    const T* qkv;
    int64_t stride;
    const Segment* segments;
    HeadSizes sizes;

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(qkv), visit(segments);
    }
    // First packed row of a run; run 0: the prefix.
    __device__ int64_t start(int32_t segment, int run) const {
        const Segment own = segments[segment];
        return run == 1 ? own.start : segments[own.prefix].start;
    }
    __device__ int64_t length(int32_t segment, int run) const {
        const Segment own = segments[segment];
        if (run == 1) return own.length;
        return own.prefix < 0 ? 0 : segments[own.prefix].length;
    }
    // Positions of queries begin behind the prefix; packed row of the segment's query `query`.
    __device__ int64_t query_row(int32_t segment, int64_t query) const {
        return segments[segment].start + query;
    }
    __device__ int64_t query_position(int32_t segment, int64_t query) const {
        return length(segment, 0) + query;
    }
    __device__ float query(int64_t row, int64_t head, int64_t d) const {
        return load_number(qkv + row * stride + head * sizes.D + d);
    }
    __device__ float key(int32_t segment, int run, int64_t g, int64_t j, int64_t d) const {
        return load_number(qkv + (start(segment, run) + j) * stride + (sizes.H + g) * sizes.D + d);
    }
    __device__ float value(int32_t segment, int run, int64_t g, int64_t j, int64_t d) const {
        return load_number(qkv + (start(segment, run) + j) * stride + (sizes.H + sizes.G + g) * sizes.D + d);
    }
};

// A query at position `query` sees a key at position `key`.
__device__ inline bool sees(int64_t query, int64_t key, int64_t window) {
    return key <= query && (window == 0 || query - key < window);
}
// Some query of [first, last] sees some key of [key, key + keys).
__device__ inline bool meets(int64_t first, int64_t last, int64_t key, int64_t keys, int64_t window) {
    return key <= last && (window == 0 || first - (key + keys - 1) < window);
}

}  // namespace attune::gpu
