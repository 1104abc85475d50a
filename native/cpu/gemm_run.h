// Runs a GEMM over operands that lie as its kernel reads them: cuts C into tasks, walks each task in an order
// that keeps the operands in cache, and hands every finished tile to a sink. Knows neither dtypes of rows nor
// layouts; must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/scratch.h"
#include "core/stream.h"
#include "core/threads.h"
#include "cpu/gemm_few.h"
#include "cpu/gemm_kernel.h"

namespace attune {
namespace {

// C[rows, panels*32] = A B, operands as gemm_kernel.h says.
template <class F, Side side>
struct Gemm {
    // Rows, [ceil(rows/kTileRows)][steps][kTileRows](2), or panels [steps/32][rows][32].
    Broadcast<typename F::A, side> a;
    const typename F::B* b;  // [panels], b_stride elements apart: [steps][32](2)
    int64_t b_stride;
    int64_t rows;
    int64_t panels;
    int64_t depth;  // l

    int64_t steps() const { return (depth + F::kStep - 1) / F::kStep; }

    // Rows from `row` on, a multiple of kTileRows, at `step`, the first of a block.
    template <class V>
    const typename F::A* a_at(int64_t row, int64_t step) const {
        if constexpr (side == Side::Panels) return a.data + row * kPanel + step / kPanel * a.stride;
        return a.data + row * (side == Side::Rows ? a.stride : steps() * F::kStep) +
               step * kStepA<V, F, side>;
    }
};

inline constexpr int64_t kPanelBytes = 384 << 10;  // B panels of a task: less than half of L2
inline constexpr int64_t kMaxGroup = 8;            // panels of a task
inline constexpr int64_t kRowBlock = 16;           // micropanels that pass a B block while it is in L1
inline constexpr int64_t kTasks = 64;              // enough for a preempted core not to matter,
inline constexpr int64_t kTasksPerThread = 8;      // and for many cores; cut_rows() has its own

inline constexpr int kTileSlot = 0;  // scratch slots of the GEMM ops
inline constexpr int kSlotA = 1;
inline constexpr int kSlotB = 2;

template <class T>
T* gemm_scratch(Stream* stream, int slot, int64_t count) {  // null where there is no memory
    return static_cast<T*>(stream->scratch->try_slot(slot, static_cast<size_t>(count) * sizeof(T)));
}

// The grid of tasks. Each tile's sums belong to one task, so that the cut may depend on the number of
// threads.
struct TaskGrid {
    int64_t group;  // panels per task
    int64_t groups;
    int64_t row_ranges;  // each a share of the micropanels
    int64_t micropanels;

    int64_t tasks() const { return groups * row_ranges; }
    int64_t row_begin(int64_t range) const { return micropanels * range / row_ranges; }
};

inline TaskGrid cut_tasks(int64_t micropanels, int64_t panels, int64_t panel_bytes, int threads) {
    const int64_t wanted = std::max(kTasks, threads * kTasksPerThread);
    TaskGrid grid{};
    grid.micropanels = micropanels;
    grid.group = std::clamp<int64_t>(kPanelBytes / std::max<int64_t>(panel_bytes, 1), 1, kMaxGroup);
    grid.group = std::clamp<int64_t>(divide_up(panels, wanted), 1, grid.group);
    grid.groups = divide_up(panels, grid.group);
    grid.row_ranges = std::clamp<int64_t>(divide_up(wanted, grid.groups), 1, divide_up(micropanels, 4));
    return grid;
}

// Where the broadcast side comes from memory: as many panels as go together pass each part of it.
inline TaskGrid cut_rows(int64_t micropanels, int64_t panels, int threads) {
    constexpr int64_t kRanges = 4;  // per thread, long ones: each reads all of B
    const int64_t most_ranges = divide_up(micropanels, 2);
    TaskGrid grid{};
    grid.micropanels = micropanels;
    // With many threads ranges do not suffice: fewer panels go together.
    grid.group =
        std::clamp<int64_t>(panels * most_ranges / (threads * kRanges), 1, std::min(panels, kMaxGroup));
    grid.groups = divide_up(panels, grid.group);
    grid.row_ranges = std::clamp<int64_t>(divide_up(threads * kRanges, grid.groups), 1, most_ranges);
    return grid;
}

// One task: micropanels [first, last) of rows against panels [panel, panel_end).
template <class V, class F, Side side, class Sink>
void gemm_task(const Gemm<F, side>& gemm, int64_t first, int64_t last, int64_t panel, int64_t panel_end,
               float* tiles, const Sink& sink) {
    constexpr int64_t kTile = kTileRows<V> * kPanel;
    const int64_t steps = gemm.steps();
    const int64_t block = depth_block(gemm.depth) / F::kStep;
    const bool whole = block >= steps;  // one block: a tile is finished at once and need not be kept
    const typename F::B* first_b = gemm.b + panel * gemm.b_stride;
    if constexpr (side != Side::Panels) {
        const int64_t few = gemm.rows - first * kTileRows<V>;
        if (!whole && few <= kFewRows) {
            const typename F::A* a = gemm.template a_at<V>(first * kTileRows<V>, 0);
            for (int64_t p = panel; p < panel_end; ++p) {
                const typename F::B* b = gemm.b + p * gemm.b_stride;
                if (few == 1)
                    gemm_few_rows<V, F, side, 1>(tiles, a, gemm.a.stride, b, steps, block);
                else
                    gemm_few_rows<V, F, side, 2>(tiles, a, gemm.a.stride, b, steps, block);
                sink(first * kTileRows<V>, few, p, tiles);
            }
            return;
        }
    }
    for (int64_t row = first; row < last; row += kRowBlock) {
        const int64_t row_end = std::min(row + kRowBlock, last);
        for (int64_t step = 0; step < steps; step += block) {
            const int64_t count = std::min(block, steps - step);
            for (int64_t p = panel; p < panel_end; ++p) {
                const typename F::B* b = gemm.b + p * gemm.b_stride + step * kStepB<F>;
                const typename F::B* next = p + 1 < panel_end      ? b + gemm.b_stride
                                            : step + count < steps ? first_b + (step + count) * kStepB<F>
                                                                   : nullptr;
                for (int64_t i = row; i < row_end; ++i) {
                    const int64_t rows = std::min<int64_t>(kTileRows<V>, gemm.rows - i * kTileRows<V>);
                    float* tile = tiles + (whole ? 0 : ((p - panel) * kRowBlock + (i - row)) * kTile);
                    const typename F::A* a = gemm.template a_at<V>(i * kTileRows<V>, step);
                    // A step of B is two lines: each of the first two micropanels fetches one half.
                    const void* ahead =
                        next == nullptr || i > row + 1 ? nullptr : next + (i - row) * count * kStepB<F> / 2;
                    if constexpr (requires { sink.fetch(row, rows, p); })
                        if (step + count == steps) sink.fetch(i * kTileRows<V>, rows, p);
                    tile_kernel<V, F, side>(rows)(tile, a, gemm.a.stride, b, count, step == 0, ahead);
                    if (step + count == steps) sink(i * kTileRows<V>, rows, p, tile);
                }
            }
        }
    }
}

// A sink of tiles of `target`'s rows that fetches each while it is computed: they are stored a line or two
// at a time, which no processor foresees. body(row, rows, panel, tile) with rows and panels of the target.
template <class Body>
struct RowSink {
    const Mat& target;
    int64_t first_row;  // of the target, where the GEMM's rows begin
    int64_t first_panel;
    const Body& body;

    void fetch(int64_t row, int64_t rows, int64_t panel) const {
        const int64_t size = target.dtype == DType::F32 ? 4 : 2;
        const auto* line = static_cast<const char*>(target.data) +
                           ((first_row + row) * target.stride + (first_panel + panel) * kPanel) * size;
        for (int64_t r = 0; r < rows; ++r, line += target.stride * size)
            for (int64_t i = 0; i < kPanel * size; i += kLine) __builtin_prefetch(line + i, 1);
    }
    void operator()(int64_t row, int64_t rows, int64_t panel, float* tile) const {
        body(first_row + row, rows, first_panel + panel, tile);
    }
};

// Calls sink(first_row, rows, panel, tile[rows][32]) once for every tile of C, from many threads; the sink
// may change the tile. A sink with fetch(first_row, rows, panel) is told before that tile's last block.
template <class V, class F, Side side, class Sink>
bool gemm_run(const Gemm<F, side>& gemm, Stream* stream, const Sink& sink) {
    constexpr int64_t kTiles = kMaxGroup * kRowBlock * kTileRows<V> * kPanel;
    auto* tiles = gemm_scratch<float>(stream, kTileSlot, stream->pool->threads() * kTiles);
    if (tiles == nullptr) return false;
    const int64_t micropanels = divide_up(gemm.rows, kTileRows<V>);
    const int64_t panel_bytes = gemm.steps() * kStepB<F> * static_cast<int64_t>(sizeof(typename F::B));
    const TaskGrid grid = side == Side::Panels
                              ? cut_rows(micropanels, gemm.panels, stream->pool->threads())
                              : cut_tasks(micropanels, gemm.panels, panel_bytes, stream->pool->threads());
    stream->pool->parallel(grid.tasks(), [&](int64_t task, int worker) {
        const int64_t range = task % grid.row_ranges;
        const int64_t panel = task / grid.row_ranges * grid.group;
        gemm_task<V>(gemm, grid.row_begin(range), grid.row_begin(range + 1), panel,
                     std::min(panel + grid.group, gemm.panels), tiles + worker * kTiles, sink);
    });
    return true;
}

}  // namespace
}  // namespace attune
