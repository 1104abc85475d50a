// Attention over packed segments: forward, and its gradient by blocks that each take a tile of keys.
#include <algorithm>
#include <vector>

#include "cuda/attention_backward.h"
#include "cuda/attention_hopper_backward.h"
#include "cuda/attention_launch.h"
#include "cuda/gemm.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

// Tiles of every segment, the costliest first: later queries see more keys.
std::vector<QueryTile> query_tiles(const AttentionDims& dims, int64_t most) {
    std::vector<QueryTile> tiles;
    const int64_t repeat = dims.H / dims.G;
    for (int64_t s = 0; s < dims.segment_count; ++s)
        append_tiles(tiles, s, dims.segments[s].length * repeat, most);
    const auto cost = [&](const QueryTile& tile) {
        return segment_offset(dims.segments, tile.segment) + (tile.first + tile.rows) / repeat;
    };
    std::stable_sort(tiles.begin(), tiles.end(),
                     [&](const QueryTile& a, const QueryTile& b) { return cost(a) > cost(b); });
    return tiles;
}

bool attention_fits(const AttentionDims& dims, const ConstMat& qkv) {
    return attention_dims_fit(dims, qkv.rows) && dims.D <= kWidestHead && well_formed(qkv) &&
           qkv.cols == (dims.H + 2 * dims.G) * dims.D && qkv.rows * dims.H <= kMostPairs;
}

Status attention_forward(Mat out, float* lse, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!attention_fits(dims, qkv) || !has_shape(out, qkv.rows, dims.H * dims.D)) return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    const Segment* segments = device.stage(dims.segments, dims.segment_count);
    if (segments == nullptr) return Status::Memory;
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const HeadSizes sizes = head_sizes(dims, qkv.rows);
        const View<const T> rows = aligned_heads<T>(qkv, sizes, device);
        if (rows.data == nullptr) return Status::Memory;
        const PackedKeys<T> keys{rows.data, rows.stride, segments, sizes};
        return with_width(dims.D, [&](auto width) {
            return launch_forward<T, decltype(width)::value>(
                "attention_forward", out, lse, keys, [&](int64_t most) { return query_tiles(dims, most); },
                device);
        });
    });
}

// ---- backward

// A warp per (row, head): stats =, and rounded[row, head * pitch] = dout in T, zeros between, unless it is
// null. delta takes dout as the products take it: where one key has all the probability, dP - delta is a
// difference of the same numbers.
template <class T>
__global__ void stats_kernel(RowStats* stats, T* rounded, View<const float> dout, AnyView out,
                             const float* lse, HeadSizes sizes) {
    const int64_t index = thread_index() / kWarp, row = index / sizes.H, head = index % sizes.H;
    if (row >= sizes.T) return;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    float sum = 0;
    for (int d = lane; d < sizes.pitch; d += kWarp) {
        T value{};
        if (d < sizes.D) {
            store_number(&value, dout.row(row)[head * sizes.D + d]);
            sum = fmaf(load_number(&value), out.get(row, head * sizes.D + d), sum);
        }
        if (rounded != nullptr) rounded[index * sizes.pitch + d] = value;
    }
    sum = warp_sum(sum);
    if (lane == 0)
        stats[(head / sizes.repeat * sizes.T + row) * sizes.repeat + head % sizes.repeat] = {
            lse[head * sizes.T + row] * kLog2E, sum};
}

// Which segments see the keys of each: itself and those whose prefix it is.
struct Viewers {
    std::vector<int32_t> starts;    // [segments + 1]
    std::vector<int32_t> segments;  // ascending

    explicit Viewers(const AttentionDims& dims) {
        std::vector<std::vector<int32_t>> all(static_cast<size_t>(dims.segment_count));
        for (int64_t s = 0; s < dims.segment_count; ++s) {
            const auto number = static_cast<int32_t>(s);
            all[static_cast<size_t>(s)].push_back(number);
            if (dims.segments[s].prefix >= 0)
                all[static_cast<size_t>(dims.segments[s].prefix)].push_back(number);
        }
        for (const std::vector<int32_t>& list : all) {
            starts.push_back(static_cast<int32_t>(segments.size()));
            segments.insert(segments.end(), list.begin(), list.end());
        }
        starts.push_back(static_cast<int32_t>(segments.size()));
    }
};

// Tiles of keys, those that most queries see first (windows aside). A prefix comes before those that name it,
// and tiles of a segment in ascending order: so whoever waits for a turn waits for tiles before its own.
std::vector<KeyTile> key_tiles(const AttentionDims& dims, int32_t most) {
    std::vector<int64_t> behind(static_cast<size_t>(dims.segment_count), 0);  // rows that name it
    for (int64_t s = 0; s < dims.segment_count; ++s)
        if (dims.segments[s].prefix >= 0)
            behind[static_cast<size_t>(dims.segments[s].prefix)] += dims.segments[s].length;
    std::vector<KeyTile> tiles;
    for (int64_t s = 0; s < dims.segment_count; ++s)
        for (int32_t first = 0; first < dims.segments[s].length; first += most)
            tiles.push_back({static_cast<int32_t>(s), first});
    const auto cost = [&](const KeyTile& tile) {
        return behind[static_cast<size_t>(tile.segment)] + dims.segments[tile.segment].length - tile.first;
    };
    std::stable_sort(tiles.begin(), tiles.end(),
                     [&](const KeyTile& a, const KeyTile& b) { return cost(a) > cost(b); });
    return tiles;
}

// Fills in what the gradient needs to know of segments; the number of its blocks, or 0 where memory lacks.
template <class Shape, class T>
int64_t stage_jobs(Gradient<T>& gradient, const AttentionDims& dims, Device& device) {
    const auto place = [&](const auto& list) {
        return device.stage(list.data(), static_cast<int64_t>(list.size()));
    };
    const std::vector<KeyTile> tiles = key_tiles(dims, Shape::kKeys);
    const Viewers viewers(dims);
    std::vector<int32_t> bases;
    int32_t queries = 0;
    for (int64_t s = 0; s < dims.segment_count; ++s) {
        bases.push_back(queries);
        const int64_t pairs = dims.segments[s].length * (dims.H / dims.G);
        queries += static_cast<int32_t>((pairs + Shape::kQueries - 1) / Shape::kQueries);
    }
    const int64_t turns = 1 + queries * dims.G * Shape::kTurns;
    gradient.tiles = place(tiles);
    gradient.starts = place(viewers.starts);
    gradient.viewers = place(viewers.segments);
    gradient.bases = place(bases);
    gradient.keys.segments = device.stage(dims.segments, dims.segment_count);
    gradient.turns = device.workspace<uint32_t>(kTurnsSlot, turns);
    const bool placed = gradient.tiles != nullptr && gradient.starts != nullptr &&
                        gradient.viewers != nullptr && gradient.bases != nullptr &&
                        gradient.keys.segments != nullptr && gradient.turns != nullptr;
    const int64_t bytes = turns * static_cast<int64_t>(sizeof(uint32_t));
    if (!placed || clear(gradient.turns, bytes, device.queue()) != Status::Ok) return 0;
    return static_cast<int64_t>(tiles.size()) * dims.G * Shape::kParts;
}

// stats and upstream gradients, as products read them.
template <class T>
Status stage_upstream(Gradient<T>& gradient, const ConstMat& dout, const ConstMat& out, const float* lse,
                      Device& device) {
    const HeadSizes& sizes = gradient.keys.sizes;
    auto* stats = device.workspace<RowStats>(kStatsSlot, sizes.H * sizes.T);
    T* rounded = nullptr;
    if (sizeof(T) == 4 && in_whole_chunks(dout, sizes.D)) {
        gradient.upstream = static_cast<const T*>(dout.data);
        gradient.upstream_stride = dout.stride;
    } else {
        gradient.upstream_stride = int64_t{sizes.H} * sizes.pitch;
        rounded = device.workspace<T>(kUpstreamSlot, sizes.T * gradient.upstream_stride);
        gradient.upstream = rounded;
    }
    gradient.stats = stats;
    if (stats == nullptr || gradient.upstream == nullptr) return Status::Memory;
    return launch("attention_backward", stats_kernel<T>, {blocks_for(sizes.H * sizes.T * kWarp)}, kThreads, 0,
                  device.queue(), stats, rounded, view_of<float>(dout), any_view(out), lse, sizes);
}

Status attention_backward(Mat dqkv, ConstMat dout, ConstMat out, const float* lse, ConstMat qkv,
                          AttentionDims dims, Stream* stream) {
    if (!attention_fits(dims, qkv) || !has_shape(out, qkv.rows, dims.H * dims.D) ||
        !is_gradient(dout, qkv.rows, dims.H * dims.D) || !is_gradient(dqkv, qkv.rows, qkv.cols))
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const HeadSizes sizes = head_sizes(dims, qkv.rows);
        const View<const T> rows = aligned_heads<T>(qkv, sizes, device);
        if (rows.data == nullptr) return Status::Memory;
        Gradient<T> gradient{};
        gradient.keys = {rows.data, rows.stride, nullptr, sizes};
        gradient.dqkv = view_of<float>(dqkv);
        gradient.pairs =
            reinterpret_cast<uintptr_t>(dqkv.data) % 8 == 0 && dqkv.stride % 2 == 0 && dims.D % 2 == 0;
        if (const Status status = stage_upstream(gradient, dout, out, lse, device); status != Status::Ok)
            return status;
        return with_width(dims.D, [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const auto run = [&](auto shape, auto kernel, size_t shared) {
                using Shape = decltype(shape);
                const int64_t blocks = stage_jobs<Shape>(gradient, dims, device);
                if (blocks == 0) return Status::Memory;
                return launch("attention_backward", kernel, {static_cast<unsigned>(blocks)}, Shape::kThreads,
                              shared, device.queue(), gradient);
            };
            if constexpr (kHopperAttends<T, kWidth>)
                if (device.has_wgmma()) {
                    using Shape = HopperBackwardShape<kWidth>;
                    return run(Shape{}, attention_hopper_gradient_kernel<kWidth>,
                               1024 + sizeof(HopperBackwardShared<Shape>));
                }
            using Shape = BackwardShape<T, kWidth>;
            return run(Shape{}, attention_gradient_kernel<T, kWidth>, sizeof(BackwardShared<T, Shape>));
        });
    });
}

}  // namespace

void fill_attention(Ops& ops) {
    ops.attention_forward = attention_forward;
    ops.attention_backward = attention_backward;
}

}  // namespace attune::gpu
