// Caches of keys and values, and the attention of one new row over them: attention_forward's kernel, whose
// bits it gives.
#include <algorithm>
#include <vector>

#include "cuda/attention_forward.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

// Where a packed row goes in its cache.
struct StoredRow {
    void* data;
    int64_t head_stride;
    int64_t at;  // behind so many keys
    int64_t row;
};

template <class T>
__global__ void store_kernel(const StoredRow* rows, View<const T> qkv, int64_t count, int64_t H, int64_t G,
                             int64_t D) {
    const int64_t index = thread_index();
    if (index >= count * G * D) return;
    const int64_t d = index % D, g = index / D % G;
    const StoredRow stored = rows[index / (D * G)];
    const int64_t width = (D + kCacheKeys - 1) / kCacheKeys * kCacheKeys;
    T* block = static_cast<T*>(stored.data) + g * stored.head_stride +
               stored.at / kCacheKeys * (2 * kCacheKeys * width);
    const T* from = qkv.row(stored.row) + g * D + d;
    block[d * kCacheKeys + stored.at % kCacheKeys] = from[H * D];
    block[kCacheKeys * width + stored.at % kCacheKeys * width + d] = from[(H + G) * D];
}

Status store_rows(const std::vector<StoredRow>& rows, ConstMat qkv, const AttentionDims& dims,
                  Device& device) {
    if (rows.empty()) return Status::Ok;
    const auto count = static_cast<int64_t>(rows.size());
    const StoredRow* staged = device.stage(rows.data(), count);
    if (staged == nullptr) return Status::Memory;
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("cache_store", store_kernel<T>, {blocks_for(count * dims.G * dims.D)}, kThreads, 0,
                      device.queue(), staged, view_of<T>(qkv), count, dims.H, dims.G, dims.D);
    });
}

bool cache_fits(const AttentionDims& dims, const ConstMat& qkv) {
    return dims.H > 0 && dims.G > 0 && dims.D > 0 && dims.H % dims.G == 0 && dims.window >= 0 &&
           dims.D <= kWidestHead && well_formed(qkv) && qkv.cols == (dims.H + 2 * dims.G) * dims.D;
}

Status cache_store(const CachedSegment* targets, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!attention_dims_fit(dims, qkv.rows) || !cache_fits(dims, qkv)) return Status::Shape;
    std::vector<StoredRow> rows;
    for (int64_t s = 0; s < dims.segment_count; ++s) {
        const Segment& segment = dims.segments[s];
        if (targets[s].data == nullptr) continue;
        for (int32_t i = 0; i < segment.length; ++i)
            rows.push_back(
                {targets[s].data, targets[s].head_stride, targets[s].length + i, segment.start + i});
    }
    return store_rows(rows, qkv, dims, device_of(stream));
}

Status attention_cached(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                        Stream* stream) {
    if (!cache_fits(dims, qkv) || !(dims.scale > 0) || !has_shape(out, qkv.rows, dims.H * dims.D))
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    const int64_t repeat = dims.H / dims.G, most = tile_rows(qkv.dtype, dims.D);
    std::vector<QueryTile> tiles;
    std::vector<StoredRow> own;
    for (int64_t i = 0; i < qkv.rows; ++i) {
        for (int64_t first = 0; first < repeat; first += most)
            tiles.push_back(
                {static_cast<int32_t>(i), static_cast<int32_t>(std::min(most, repeat - first)), first});
        own.push_back({rows[i].own.data, rows[i].own.head_stride, rows[i].own.length, i});
    }
    const QueryTile* staged = device.stage(tiles.data(), static_cast<int64_t>(tiles.size()));
    const CachedRow* staged_rows = device.stage(rows, qkv.rows);
    if (staged == nullptr || staged_rows == nullptr) return Status::Memory;
    const Status status = with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const auto run = [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const CachedKeys<T> keys{static_cast<const T*>(qkv.data),
                                     qkv.stride,
                                     staged_rows,
                                     {qkv.rows, dims.H, dims.G, dims.D, repeat, dims.window, dims.scale}};
            return launch("attention_cached", attention_kernel<T, kWidth, CachedKeys<T>>,
                          {static_cast<unsigned>(tiles.size()), static_cast<unsigned>(dims.G),
                           kWidth / kOutColumns<kWidth>},
                          kAttentionThreads, sizeof(ForwardShared<T, kWidth>), device.queue(), any_view(out),
                          lse, keys, staged);
        };
        return dims.D <= 64 ? run(Count<64>{}) : dims.D <= 128 ? run(Count<128>{}) : run(Count<256>{});
    });
    return status == Status::Ok ? store_rows(own, qkv, dims, device) : status;
}

}  // namespace

void fill_decoding(Ops& ops) {
    ops.cache_store = cache_store;
    ops.attention_cached = attention_cached;
}

}  // namespace attune::gpu
