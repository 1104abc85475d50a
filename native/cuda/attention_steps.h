// Attention's gradient: the work of its blocks, and the steps of each. Knows no product.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/attention_keys.h"
#include "cuda/attention_product.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// Keys from `first` on of a segment.
struct KeyTile {
    int32_t segment;
    int32_t first;
};

// Of a (query, head) pair.
struct alignas(8) RowStats {
    float high;  // lse, in powers of two
    float delta;
};
constexpr RowStats kNoRow{1e30f, 0};  // no probability

// Tiles for heads of up to kWidth: shared memory below 99 KiB, which is what the smallest GPUs have, and
// results in registers. Heads above 128 are made in two parts, that each find the scores.
template <class T, int kWidth_>
struct BackwardShape {
    static constexpr bool kPairs = sizeof(T) == 2;
    static constexpr int kWidth = kWidth_, kColumns = kWidth < 128 ? kWidth : 128;
    static constexpr int kParts = kWidth / kColumns;
    static constexpr int kTurns = kParts;  // counters for a tile of queries: parts have columns of their own
    static constexpr int kWarps = !kPairs && kWidth == 256 ? 2 : 4, kThreads = kWarps * kWarp;
    static constexpr int kKeys = kWarps * kStrip;
    static constexpr int kQueries = kWidth == 64 ? (kPairs ? 64 : 32) : kPairs && kWidth == 128 ? 32 : 16;
    static constexpr int kStages = kPairs && kWidth <= 128 ? 2 : 1;
    static constexpr int kBlocks = 2;  // of a multiprocessor
    // dq of a step: strips of queries, and what is left of the warps side by side.
    static constexpr int kStrips = kQueries / kStrip, kDqOfWarp = kColumns / (kWarps / kStrips);
    static constexpr int kDqColumns = kDqOfWarp < 32 ? kDqOfWarp : 32;  // at once
    static_assert(kWarps % kStrips == 0 && kDqOfWarp % kDqColumns == 0);
};

template <class T, class Shape>
struct BackwardShared {
    Tile<T, Shape::kKeys, Shape::kWidth> keys, values;
    Tile<T, Shape::kQueries, Shape::kWidth> queries[Shape::kStages], upstream[Shape::kStages];
    Tile<T, Shape::kKeys, Shape::kQueries> slopes;  // dS, turned for dq
    RowStats stats[Shape::kStages][Shape::kQueries];
    uint32_t ticket;
};

template <class T>
struct Gradient {
    PackedKeys<T> keys;
    const T* upstream;  // dout as products read it: heads `pitch` apart
    int64_t upstream_stride;
    const RowStats* stats;  // [G][T * repeat]
    View<float> dqkv;
    const KeyTile* tiles;   // by ticket
    const int32_t* starts;  // [segments + 1]: where its viewers begin, which segments see its keys
    const int32_t* viewers;
    const int32_t* bases;  // [segments]: tiles of queries of the segments before
    uint32_t* turns;       // [1 + tiles of queries * G * Shape::kTurns], zero: the tickets, then turns
    bool pairs;            // two numbers of dqkv may be added at once

    template <class Visit>
    void pointers(const Visit& visit) const {
        keys.pointers(visit);
        visit(upstream), visit(stats), visit(dqkv.data), visit(tiles), visit(starts), visit(viewers);
        visit(bases), visit(turns);
    }
};

// A block's work.
template <class T, class Shape>
struct KeyJob {
    int segment, first, count;  // keys
    int key0;                   // their first position, for queries of any segment that sees them
    int g, part;

    __device__ KeyJob(const Gradient<T>& gradient, int ticket) {
        part = ticket % Shape::kParts;
        g = ticket / Shape::kParts % gradient.keys.sizes.G;
        const KeyTile tile = gradient.tiles[ticket / Shape::kParts / gradient.keys.sizes.G];
        const int length = gradient.keys.length(tile.segment, 1);
        segment = tile.segment, first = tile.first;
        count = length - first < Shape::kKeys ? length - first : Shape::kKeys;
        // A segment that others name as their prefix has none itself.
        key0 = gradient.keys.length(segment, 0) + first;
    }
};

// The tiles of queries that see the job's keys, viewer after viewer, each from its end.
template <class T, class Shape>
struct QueryWalk {
    const Gradient<T>& gradient;
    const KeyJob<T, Shape>& job;
    int viewer, segment = 0;
    int tile = 0, lowest = 0;
    int place0 = 0, position0 = 0, length = 0;  // of the segment: packed row and position of query 0

    __device__ QueryWalk(const Gradient<T>& all, const KeyJob<T, Shape>& of) : gradient(all), job(of) {
        enter(gradient.starts[job.segment]);
    }
    __device__ void enter(int number) {
        const HeadSizes& sizes = gradient.keys.sizes;
        for (viewer = number; more(); ++viewer) {
            segment = gradient.viewers[viewer];
            position0 = gradient.keys.length(segment, 0);
            length = gradient.keys.length(segment, 1);
            place0 = static_cast<int>(gradient.keys.query_row(segment, 0));
            const int first = job.key0 > position0 ? job.key0 - position0 : 0;
            const int64_t behind = int64_t{job.key0} + job.count - 1 + sizes.window - position0;
            const int end = behind < length ? static_cast<int>(behind) : length;
            if (first >= end) continue;
            lowest = first * sizes.repeat / Shape::kQueries;
            tile = (end * sizes.repeat - 1) / Shape::kQueries;
            return;
        }
    }
    __device__ bool more() const { return viewer < gradient.starts[job.segment + 1]; }
    __device__ void advance() {
        if (--tile < lowest) enter(viewer + 1);
    }
};

// A tile of queries as the job's keys meet it.
template <class T, class Shape>
struct QueryStep {
    int row_first, rows;  // of the segment's pairs
    Pairs pairs;
    int place0, position0;  // of the segment's query 0: its packed row, its position
    bool masked;            // not every query sees every key of a whole tile
    uint32_t turn;          // tiles of keys that these queries see before
    int turn_at;            // of Gradient::turns

    __device__ QueryStep(const QueryWalk<T, Shape>& walk)
        : row_first(walk.tile * Shape::kQueries),
          pairs(row_first, walk.gradient.keys.sizes.repeat, walk.job.g),
          place0(walk.place0),
          position0(walk.position0) {
        const HeadSizes& sizes = walk.gradient.keys.sizes;
        const int left = walk.length * sizes.repeat - row_first;
        rows = left < Shape::kQueries ? left : Shape::kQueries;
        const int first = position0 + pairs.query(0), last = position0 + pairs.query(rows - 1);
        masked = walk.job.count < Shape::kKeys || walk.job.key0 + Shape::kKeys - 1 > first ||
                 last - walk.job.key0 >= sizes.window;
        const int seen = first - sizes.window + 1;  // the first position
        const auto tile_of = [&](int key) { return key > 0 ? key / Shape::kKeys : 0; };
        const int number = walk.job.first / Shape::kKeys;
        const int before =
            seen < position0 ? (position0 + Shape::kKeys - 1) / Shape::kKeys - tile_of(seen) : 0;
        turn = static_cast<uint32_t>(walk.segment == walk.job.segment
                                         ? before + number - tile_of(seen - position0)
                                         : number - tile_of(seen));
        turn_at = 1 +
                  ((walk.gradient.bases[walk.segment] + walk.tile) * sizes.G + walk.job.g) * Shape::kTurns +
                  walk.job.part;
    }
    __device__ int64_t place(int row) const { return int64_t{place0} + pairs.query(row); }
    // Copies of queries and upstream gradients begin; the thread's statistics are its result.
    template <class Shared>
    __device__ RowStats fetch(Shared& shared, int stage, const Gradient<T>& gradient) const {
        const HeadSizes& sizes = gradient.keys.sizes;
        copy_tile<Shape::kThreads>(shared.queries[stage], rows, sizes.D,
                                   [&](int row) { return gradient.keys.query(place(row), pairs.head(row)); });
        copy_tile<Shape::kThreads>(shared.upstream[stage], rows, sizes.D, [&](int row) {
            return gradient.upstream + place(row) * gradient.upstream_stride +
                   int64_t{pairs.head(row)} * sizes.pitch;
        });
        commit_copies();
        const int row = static_cast<int>(threadIdx.x);
        if (row >= rows) return kNoRow;
        return gradient
            .stats[(pairs.head0 / sizes.repeat * sizes.T + place0) * sizes.repeat + row_first + row];
    }
};

}  // namespace attune::gpu
