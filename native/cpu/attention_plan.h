// How attention over packed segments is cut into key tiles and tasks: by the shapes alone, never by the
// number of threads. Knows segments and windows only; must not touch tensors or vectors.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/shapes.h"

namespace attune {

constexpr int64_t kTileKeys = 128;

// Consecutive keys of one segment. Tiles start at the segment's first key, so that a query meets the same
// tiles wherever the segment lies and whoever shares it.
struct KeyTile {
    int32_t segment;
    int32_t first;  // key within the segment
    int32_t count;  // 1..kTileKeys
    int32_t width;  // count rounded up to whole vectors
    int64_t row;    // sum of the widths of the tiles before
};

// Queries [first, last) of a segment.
struct QueryRange {
    int32_t segment;
    int32_t first;
    int32_t last;
};

// A range whose keys' gradients go to a region of its task: own keys from row own_row of the region.
struct GradientPiece {
    QueryRange queries;
    int64_t own_row;
};

// Pieces of one document (a segment without prefix and the branches that name it). The region holds the
// gradients of the root's first root_keys keys from its row 0, then those of the branches' own keys.
struct GradientTask {
    int32_t first_piece;
    int32_t piece_count;
    int64_t region;  // first row among all regions
    int64_t rows;    // of the region
    int64_t root_keys;
    int64_t cost;
};

// Rows of a region that add to the first `keys` keys of a segment.
struct GradientSource {
    int64_t row;
    int64_t keys;
};

// Read-only arrays; they live until the next plan on the same scratch.
struct AttentionView {
    const Segment* segments;
    int64_t segment_count;
    const KeyTile* tiles;
    int64_t tile_count;
    const int64_t* first_tile;  // [segment_count + 1]
    int64_t tile_rows;          // sum of all widths

    const QueryRange* ranges;  // forward tasks, the costliest first
    int64_t range_count;
    int64_t range_queries;  // the most queries of one range

    const GradientPiece* pieces;
    const GradientTask* tasks;  // the costliest first; regions are numbered in document order
    int64_t task_count;
    int64_t region_rows;            // of all regions
    const GradientSource* sources;  // per segment, in the order in which they are added
    const int64_t* first_source;    // [segment_count + 1]
};

class AttentionPlan {
  public:
    enum class Direction { Forward, Backward };

    // dims must fit. lanes: floats of a vector; query_rows: rows (queries x query heads per kv head) of a
    // block. scratch keeps the arrays, which only grow: one plan at a time.
    AttentionPlan(const AttentionDims& dims, int64_t lanes, int64_t query_rows, Direction direction,
                  Scratch& scratch);
    AttentionPlan(const AttentionPlan&) = delete;
    AttentionPlan& operator=(const AttentionPlan&) = delete;

    const AttentionView& view() const noexcept;

  private:
    struct Storage;
    Storage* storage_;  // the scratch's
};

}  // namespace attune
