// Key tiles, query ranges and gradient tasks of one attention call. Must not touch tensors or vectors;
// compiled once, for every ISA the same.
#include "cpu/attention_plan.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace attune {

namespace {

// Backward tasks are cut so that all kv heads together make about this many of equal cost, but none below
// kLeastPairs (query, key) pairs: each task has its own copy of the key gradients to be added up afterwards.
constexpr int64_t kTasksWanted = 32;
constexpr int64_t kLeastPairs = 16 * 1024;

constexpr int kPlanKept = 0;  // number of the storage among the scratch's objects

// (query, key) pairs of the first n queries at positions offset, offset + 1, ... under the window.
int64_t visible_pairs(int64_t n, int64_t offset, int64_t window) {
    const int64_t open = window == 0 ? n : std::clamp<int64_t>(window - offset, 0, n);
    return open * offset + open * (open + 1) / 2 + (n - open) * window;
}

// A region that adds to a segment's keys.
struct FoundSource {
    int64_t segment;
    GradientSource source;
};

}  // namespace

// Vectors keep their memory from plan to plan; std::stable_sort would take some, so sorting breaks ties
// itself.
struct AttentionPlan::Storage {
    AttentionView view{};
    std::vector<KeyTile> tiles;
    std::vector<int64_t> first_tile;
    std::vector<QueryRange> ranges;
    std::vector<GradientPiece> pieces;
    std::vector<GradientTask> tasks;
    std::vector<GradientSource> sources;
    std::vector<int64_t> first_source;
    // While a plan is made:
    std::vector<int64_t> next;    // [segments + 1] places in `order`, then in `sources`
    std::vector<int64_t> order;   // [segments]
    std::vector<int64_t> newest;  // [segments] last of `found` that is the segment's, or -1
    std::vector<FoundSource> found;

    void clear() {
        view = {};
        tiles.clear();
        first_tile.clear();
        ranges.clear();
        pieces.clear();
        tasks.clear();
        sources.clear();
        first_source.clear();
        found.clear();
    }

    int64_t cost(const AttentionDims& dims, const QueryRange& range) const {
        const int64_t offset = segment_offset(dims.segments, range.segment);
        return visible_pairs(range.last, offset, dims.window) -
               visible_pairs(range.first, offset, dims.window);
    }

    void cut_keys(const AttentionDims& dims, int64_t lanes) {
        int64_t row = 0;
        for (int64_t s = 0; s < dims.segment_count; ++s) {
            first_tile.push_back(static_cast<int64_t>(tiles.size()));
            const int64_t length = dims.segments[s].length;
            for (int64_t first = 0; first < length; first += kTileKeys) {
                const int64_t count = std::min(kTileKeys, length - first);
                const int64_t width = (count + lanes - 1) / lanes * lanes;
                tiles.push_back({static_cast<int32_t>(s), static_cast<int32_t>(first),
                                 static_cast<int32_t>(count), static_cast<int32_t>(width), row});
                row += width;
            }
        }
        first_tile.push_back(static_cast<int64_t>(tiles.size()));
        view.tile_rows = row;
    }

    // Ranges of nearly equal length; a task with few rows would use its key tiles too little.
    void cut_queries(const AttentionDims& dims, int64_t query_rows) {
        const int64_t most = std::max<int64_t>(1, query_rows / (dims.H / dims.G));
        for (int64_t s = 0; s < dims.segment_count; ++s) {
            const int64_t length = dims.segments[s].length;
            const int64_t parts = (length + most - 1) / most;
            for (int64_t part = 0; part < parts; ++part)
                ranges.push_back({static_cast<int32_t>(s), static_cast<int32_t>(length * part / parts),
                                  static_cast<int32_t>(length * (part + 1) / parts)});
        }
        std::sort(ranges.begin(), ranges.end(), [&](const QueryRange& a, const QueryRange& b) {
            const int64_t cost_a = cost(dims, a), cost_b = cost(dims, b);
            if (cost_a != cost_b) return cost_a > cost_b;
            return a.segment != b.segment ? a.segment < b.segment : a.first < b.first;
        });
    }

    // Segment indices so that each document's root is followed by its branches, in order.
    const std::vector<int64_t>& document_order(const AttentionDims& dims) {
        next.assign(static_cast<size_t>(dims.segment_count) + 1, 0);
        const auto root = [&](int64_t s) {
            return dims.segments[s].prefix < 0 ? s : dims.segments[s].prefix;
        };
        for (int64_t s = 0; s < dims.segment_count; ++s) ++next[static_cast<size_t>(root(s)) + 1];
        for (size_t i = 1; i < next.size(); ++i) next[i] += next[i - 1];
        order.resize(static_cast<size_t>(dims.segment_count));
        for (int64_t s = 0; s < dims.segment_count; ++s)
            order[static_cast<size_t>(next[static_cast<size_t>(root(s))]++)] = s;
        return order;
    }

    // The last query of a range that starts at `first` and costs at most `limit` (at least one query).
    int32_t range_end(const AttentionDims& dims, int32_t segment, int32_t first, int64_t limit) const {
        int32_t low = first + 1, high = dims.segments[segment].length;
        while (low < high) {
            const int32_t middle = low + (high - low + 1) / 2;
            if (cost(dims, {segment, first, middle}) <= limit)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }

    void add_piece(const AttentionDims& dims, const QueryRange& range, int64_t limit, bool new_document) {
        const int64_t price = cost(dims, range);
        const int64_t root_length =
            segment_offset(dims.segments, range.segment);  // 0: the range is the root's
        if (new_document || tasks.back().cost + price > limit)
            tasks.push_back({static_cast<int32_t>(pieces.size()), 0, 0, 0, 0, 0});
        GradientTask& task = tasks.back();
        const bool is_root = root_length == 0;
        if (task.root_keys < root_length) task.root_keys = task.rows = root_length;
        const bool continues = task.piece_count > 0 && pieces.back().queries.segment == range.segment;
        const int64_t own_row = is_root ? 0 : continues ? pieces.back().own_row : task.rows;
        pieces.push_back({range, own_row});
        task.rows = std::max(task.rows, own_row + range.last);
        if (is_root) task.root_keys = std::max(task.root_keys, int64_t{range.last});
        ++task.piece_count;
        task.cost += price;
    }

    void cut_gradients(const AttentionDims& dims) {
        int64_t total = 0;
        for (int64_t s = 0; s < dims.segment_count; ++s)
            total += cost(dims, {static_cast<int32_t>(s), 0, dims.segments[s].length});
        const int64_t limit = std::max(kLeastPairs, total * dims.G / kTasksWanted);
        for (const int64_t s : document_order(dims)) {
            const QueryRange whole{static_cast<int32_t>(s), 0, dims.segments[s].length};
            const int64_t price = cost(dims, whole);
            const int64_t part = price / ((price + limit - 1) / limit) + 1;
            bool new_document = dims.segments[s].prefix < 0;
            for (int32_t first = 0; first < whole.last; new_document = false) {
                const int32_t last = range_end(dims, whole.segment, first, std::min(limit, part));
                add_piece(dims, {whole.segment, first, last}, limit, new_document);
                first = last;
            }
        }
        for (GradientTask& task : tasks) {
            task.region = view.region_rows;
            view.region_rows += task.rows;
        }
    }

    // Which regions add to a segment's keys, in task order.
    void collect_sources(const AttentionDims& dims) {
        newest.assign(static_cast<size_t>(dims.segment_count), -1);
        for (const GradientTask& task : tasks) {
            const GradientPiece* piece = pieces.data() + task.first_piece;
            const int32_t segment = piece->queries.segment;
            const int32_t root = dims.segments[segment].prefix < 0 ? segment : dims.segments[segment].prefix;
            add_source(root, {task.region, task.root_keys});
            for (int32_t i = 0; i < task.piece_count; ++i) {
                const QueryRange& queries = piece[i].queries;
                if (queries.segment == root) continue;
                add_source(queries.segment, {task.region + piece[i].own_row, queries.last});
            }
        }
        sort_sources(dims.segment_count);
    }

    // A region row that a segment was given last is the same source with more keys.
    void add_source(int64_t segment, GradientSource source) {
        int64_t& last = newest[static_cast<size_t>(segment)];
        if (last >= 0 && found[static_cast<size_t>(last)].source.row == source.row) {
            found[static_cast<size_t>(last)].source.keys = source.keys;
            return;
        }
        last = static_cast<int64_t>(found.size());
        found.push_back({segment, source});
    }

    // By segment, each segment's in the order in which they were found.
    void sort_sources(int64_t segments) {
        first_source.assign(static_cast<size_t>(segments) + 1, 0);
        for (const FoundSource& one : found) ++first_source[static_cast<size_t>(one.segment) + 1];
        for (size_t s = 1; s < first_source.size(); ++s) first_source[s] += first_source[s - 1];
        next = first_source;
        sources.resize(found.size());
        for (const FoundSource& one : found)
            sources[static_cast<size_t>(next[static_cast<size_t>(one.segment)]++)] = one.source;
    }

    void publish(const AttentionDims& dims) {
        std::sort(tasks.begin(), tasks.end(), [](const GradientTask& a, const GradientTask& b) {
            return a.cost != b.cost ? a.cost > b.cost : a.first_piece < b.first_piece;
        });
        view.segments = dims.segments;
        view.segment_count = dims.segment_count;
        view.tiles = tiles.data();
        view.tile_count = static_cast<int64_t>(tiles.size());
        view.first_tile = first_tile.data();
        view.ranges = ranges.data();
        view.range_count = static_cast<int64_t>(ranges.size());
        view.pieces = pieces.data();
        view.tasks = tasks.data();
        view.task_count = static_cast<int64_t>(tasks.size());
        view.sources = sources.data();
        view.first_source = first_source.data();
    }
};

AttentionPlan::AttentionPlan(const AttentionDims& dims, int64_t lanes, int64_t query_rows,
                             Direction direction, Scratch& scratch) {
    std::shared_ptr<void>& kept = scratch.kept(kPlanKept);
    if (kept == nullptr) kept = std::make_shared<Storage>();
    storage_ = static_cast<Storage*>(kept.get());
    storage_->clear();
    storage_->cut_keys(dims, lanes);
    storage_->view.range_queries = std::max<int64_t>(1, query_rows / (dims.H / dims.G));
    if (direction == Direction::Forward) {
        storage_->cut_queries(dims, query_rows);
    } else {
        storage_->cut_gradients(dims);
        storage_->collect_sources(dims);
    }
    storage_->publish(dims);
}

const AttentionView& AttentionPlan::view() const noexcept {
    return storage_->view;
}

}  // namespace attune
