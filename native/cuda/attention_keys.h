// Where attention finds queries, keys and values: in rows of packed qkv (in caches of earlier rows:
// cached_keys.h). Knows no arithmetic.
//
// What a query sees are two runs of keys, in order: of its prefix (empty without one), and of its own
// segment. Positions count through both. Rows of a tile are (query, head) pairs of one key/value head: row =
// query * repeat + r.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int64_t kWidestHead = 256;
constexpr int64_t kMostPairs = 0x7fffffff;  // (row, head) pairs of a call
constexpr int kNoWindow = 0x7fffffff;

struct HeadSizes {
    int64_t T;
    int H, G, D;
    int pitch;   // numbers from one head to the next: D, up to whole chunks
    int repeat;  // H / G
    int window;  // kNoWindow: none
    float scale;
};

inline HeadSizes head_sizes(const AttentionDims& dims, int64_t T) {
    const bool open = dims.window == 0 || dims.window > kNoWindow;
    return {T,
            static_cast<int>(dims.H),
            static_cast<int>(dims.G),
            static_cast<int>(dims.D),
            static_cast<int>((dims.D + 7) / 8 * 8),
            static_cast<int>(dims.H / dims.G),
            open ? kNoWindow : static_cast<int>(dims.window),
            dims.scale};
}

// Rows [first, first + rows) of a segment's (query, head) pairs. segment: its number, or the row of a decode
// step.
struct QueryTile {
    int32_t segment;
    int32_t first;
    int32_t rows;
};

// Which query and head a row of a tile is.
struct Pairs {
    int query0, rest, repeat, head0;

    __device__ Pairs(int first, int repeats, int g)
        : query0(first / repeats), rest(first % repeats), repeat(repeats), head0(g * repeats) {}
    __device__ int query(int row) const { return query0 + (rest + row) / repeat; }
    __device__ int head(int row) const { return head0 + (rest + row) % repeat; }
};

// Complete segments of packed rows. Every head begins at a multiple of 16 bytes.
template <class T>
struct PackedKeys {
    using Number = T;
    const T* qkv;
    int64_t stride;
    const Segment* segments;
    HeadSizes sizes;

    // One run of a segment, for one key/value head.
    struct Run {
        const T* keys = nullptr;
        int64_t stride = 0, to_values = 0;
        int length = 0, columns = 0;

        template <int kThreads, class Target>
        __device__ void copy_keys(Target& tile, int first) const {
            copy_rows<kThreads>(tile, length - first, columns, keys + first * stride, stride);
        }
        template <int kThreads, class Target>
        __device__ void copy_values(Target& tile, int first) const {
            copy_rows<kThreads>(tile, length - first, columns, keys + to_values + first * stride, stride);
        }
    };

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(qkv), visit(segments);
    }
    __device__ int length(int segment, int run) const {
        const Segment own = segments[segment];
        if (run == 1) return own.length;
        return own.prefix < 0 ? 0 : segments[own.prefix].length;
    }
    __device__ Run run(int segment, int number, int g) const {
        Segment own = segments[segment];
        if (number == 0 && own.prefix < 0) return {};
        if (number == 0) own = segments[own.prefix];
        return {qkv + own.start * stride + int64_t{sizes.H + g} * sizes.pitch, stride,
                int64_t{sizes.G} * sizes.pitch, own.length, sizes.D};
    }
    // Positions of queries begin behind the prefix.
    __device__ int position0(int segment) const { return length(segment, 0); }
    __device__ int64_t query_row(int segment, int query) const {
        return int64_t{segments[segment].start} + query;
    }
    __device__ const T* query(int64_t row, int head) const {
        return qkv + row * stride + int64_t{head} * sizes.pitch;
    }
};

// Some position of [first, last] sees some key of [key, key + keys): they see it and `window` - 1 before.
__device__ inline bool meets(int first, int last, int key, int keys, int window) {
    return key <= last && first - (key + keys - 1) < window;
}

// The tiles of kKeys keys that positions [first, last] see, run after run.
template <class Keys, int kKeys>
struct KeyWalk {
    const Keys& keys;
    int segment, g, first_seen, last_seen;
    typename Keys::Run from = {};
    int run = 0, first = 0, end = 0;  // of the tile in its run; behind the run's last key that is seen
    int offset = 0;                   // position of the run's key 0

    __device__ KeyWalk(const Keys& all, int of, int head, int first_position, int last_position)
        : keys(all),
          segment(of),
          g(head),
          first_seen(first_position - all.sizes.window + 1),
          last_seen(last_position) {
        enter(0);
    }
    __device__ void enter(int number) {
        for (run = number; run < 2; ++run) {
            from = keys.run(segment, run, g);
            offset = run == 0 ? 0 : keys.length(segment, 0);
            first = first_seen > offset ? (first_seen - offset) / kKeys * kKeys : 0;
            end = last_seen + 1 - offset < from.length ? last_seen + 1 - offset : from.length;
            if (first < end && first_seen < offset + from.length) return;
        }
    }
    __device__ bool more() const { return run < 2; }
    __device__ void advance() {
        first += kKeys;
        if (first >= end) enter(run + 1);
    }
    __device__ int position() const { return offset + first; }
    __device__ int count() const { return from.length - first < kKeys ? from.length - first : kKeys; }
};

}  // namespace attune::gpu
