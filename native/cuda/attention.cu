// Attention over packed segments: forward, and its gradient in two passes that each write what is theirs
// alone, so that no two blocks add to one place: tiles of queries sum dq, tiles of keys sum dk and dv.
#include <algorithm>
#include <vector>

#include "cuda/attention_backward.h"
#include "cuda/attention_forward.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int kDeltaSlot = 0;

HeadSizes sizes_of(const AttentionDims& dims, int64_t T) {
    return {T, dims.H, dims.G, dims.D, dims.H / dims.G, dims.window, dims.scale};
}

// Tiles of `most` (query, head) pairs of every segment, the costliest first: later queries see more keys.
std::vector<QueryTile> query_tiles(const AttentionDims& dims, int64_t most) {
    std::vector<QueryTile> tiles;
    const int64_t repeat = dims.H / dims.G;
    for (int64_t s = 0; s < dims.segment_count; ++s)
        for (int64_t first = 0, rows = dims.segments[s].length * repeat; first < rows; first += most)
            tiles.push_back(
                {static_cast<int32_t>(s), static_cast<int32_t>(std::min(most, rows - first)), first});
    const auto cost = [&](const QueryTile& tile) {
        return segment_offset(dims.segments, tile.segment) + (tile.first + tile.rows) / repeat;
    };
    std::stable_sort(tiles.begin(), tiles.end(),
                     [&](const QueryTile& a, const QueryTile& b) { return cost(a) > cost(b); });
    return tiles;
}

// body(Count<width>{}) with the least tile width that holds D.
template <class Body>
Status with_width(int64_t D, const Body& body) {
    return D <= 64 ? body(Count<64>{}) : D <= 128 ? body(Count<128>{}) : body(Count<256>{});
}

bool attention_fits(const AttentionDims& dims, const ConstMat& qkv) {
    return attention_dims_fit(dims, qkv.rows) && dims.D <= kWidestHead && well_formed(qkv) &&
           qkv.cols == (dims.H + 2 * dims.G) * dims.D;
}

Status attention_forward(Mat out, float* lse, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!attention_fits(dims, qkv) || !has_shape(out, qkv.rows, dims.H * dims.D)) return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    const std::vector<QueryTile> tiles = query_tiles(dims, tile_rows(qkv.dtype, dims.D));
    const QueryTile* staged = device.stage(tiles.data(), static_cast<int64_t>(tiles.size()));
    const Segment* segments = device.stage(dims.segments, dims.segment_count);
    if (staged == nullptr || segments == nullptr) return Status::Memory;
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return with_width(dims.D, [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const PackedKeys<T> keys{static_cast<const T*>(qkv.data), qkv.stride, segments,
                                     sizes_of(dims, qkv.rows)};
            return launch("attention_forward", attention_kernel<T, kWidth, PackedKeys<T>>,
                          {static_cast<unsigned>(tiles.size()), static_cast<unsigned>(dims.G),
                           kWidth / kOutColumns<kWidth>},
                          kAttentionThreads, sizeof(ForwardShared<T, kWidth>), device.queue(), any_view(out),
                          lse, keys, staged);
        });
    });
}

// ---- backward

// delta[H, T]. dout is rounded as the products round it: where one key has all the probability, dP - delta is
// a difference of the same numbers.
__global__ void delta_kernel(float* delta, View<const float> dout, AnyView out, HeadSizes sizes) {
    const int64_t index = thread_index();
    if (index >= sizes.H * sizes.T) return;
    const int64_t row = index % sizes.T, head = index / sizes.T;
    const auto rounded = [&](float value) {
        return out.dtype == DType::F32 ? value : bits_to_float(uint32_t{to_bf16(value)} << 16);
    };
    float sum = 0;
    for (int64_t d = 0; d < sizes.D; ++d)
        sum = fmaf(rounded(dout.row(row)[head * sizes.D + d]), out.get(row, head * sizes.D + d), sum);
    delta[index] = sum;
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

std::vector<KeyTile> key_tiles(const AttentionDims& dims, int32_t most) {
    std::vector<KeyTile> tiles;
    for (int64_t s = 0; s < dims.segment_count; ++s)
        for (int32_t first = 0; first < dims.segments[s].length; first += most)
            tiles.push_back({static_cast<int32_t>(s), first});
    return tiles;
}

// What one pass over tiles needs on the device.
struct Staged {
    const QueryTile* queries;
    unsigned query_count;
    const KeyTile* keys;
    unsigned key_count;
    const Segment* segments;
    const int32_t* starts;
    const int32_t* viewers;

    explicit operator bool() const {
        return queries != nullptr && keys != nullptr && segments != nullptr && starts != nullptr &&
               viewers != nullptr;
    }
};

Staged stage(const AttentionDims& dims, int most, Device& device) {
    const auto place = [&](const auto& list) {
        return device.stage(list.data(), static_cast<int64_t>(list.size()));
    };
    const std::vector<QueryTile> queries = query_tiles(dims, most);
    const std::vector<KeyTile> keys = key_tiles(dims, most);
    const Viewers viewers(dims);
    return {place(queries),
            static_cast<unsigned>(queries.size()),
            place(keys),
            static_cast<unsigned>(keys.size()),
            device.stage(dims.segments, dims.segment_count),
            place(viewers.starts),
            place(viewers.segments)};
}

Status attention_backward(Mat dqkv, ConstMat dout, ConstMat out, const float* lse, ConstMat qkv,
                          AttentionDims dims, Stream* stream) {
    if (!attention_fits(dims, qkv) || !has_shape(out, qkv.rows, dims.H * dims.D) ||
        !is_gradient(dout, qkv.rows, dims.H * dims.D) || !is_gradient(dqkv, qkv.rows, qkv.cols))
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    void* queue = device.queue();
    const HeadSizes sizes = sizes_of(dims, qkv.rows);
    const Staged staged = stage(dims, tile_rows(qkv.dtype, dims.D), device);
    auto* delta = device.workspace<float>(kDeltaSlot, dims.H * qkv.rows);
    if (!staged || delta == nullptr) return Status::Memory;
    const int64_t rows = dims.H * qkv.rows;
    const Status status = launch("attention_backward", delta_kernel, {blocks_for(rows)}, kThreads, 0, queue,
                                 delta, view_of<float>(dout), any_view(out), sizes);
    if (status != Status::Ok) return status;
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return with_width(dims.D, [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const Gradient<T> gradient{{static_cast<const T*>(qkv.data), qkv.stride, staged.segments, sizes},
                                       view_of<float>(dout),
                                       lse,
                                       delta,
                                       view_of<float>(dqkv)};
            const auto heads = static_cast<unsigned>(dims.G);
            constexpr unsigned kParts = kWidth / kOutColumns<kWidth>;
            const Status queries = launch(
                "attention_backward", query_gradient_kernel<T, kWidth>, {staged.query_count, heads, kParts},
                kAttentionThreads, sizeof(QueryGradientShared<T, kWidth>), queue, gradient, staged.queries);
            if (queries != Status::Ok) return queries;
            return launch("attention_backward", key_gradient_kernel<T, kWidth>,
                          {staged.key_count, heads, kParts}, kAttentionThreads,
                          sizeof(KeyGradientShared<T, kWidth>), queue, gradient, staged.keys, staged.starts,
                          staged.viewers);
        });
    });
}

}  // namespace

void fill_attention(Ops& ops) {
    ops.attention_forward = attention_forward;
    ops.attention_backward = attention_backward;
}

}  // namespace attune::gpu
