// Caches of keys and values, and the attention of one new row over them: attention_forward's kernel, whose
// bits it gives. The row's own key and value are stored first, so that all it sees lies in caches.
#include <algorithm>
#include <vector>

#include "cuda/attention_launch.h"
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

// Tiles are copied in chunks of 16 bytes.
bool in_whole_chunks(const CachedSegment& cache, DType dtype) {
    return reinterpret_cast<uintptr_t>(cache.data) % 16 == 0 &&
           cache.head_stride * dtype_size(dtype) % 16 == 0;
}

Status attention_cached(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                        Stream* stream) {
    if (!cache_fits(dims, qkv) || !(dims.scale > 0) || !has_shape(out, qkv.rows, dims.H * dims.D))
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    std::vector<StoredRow> own;
    for (int64_t i = 0; i < qkv.rows; ++i) {
        if (!in_whole_chunks(rows[i].own, qkv.dtype) || !in_whole_chunks(rows[i].prefix, qkv.dtype))
            return Status::Shape;
        own.push_back({rows[i].own.data, rows[i].own.head_stride, rows[i].own.length, i});
    }
    if (const Status status = store_rows(own, qkv, dims, device); status != Status::Ok) return status;
    const CachedRow* staged = device.stage(rows, qkv.rows);
    if (staged == nullptr) return Status::Memory;
    const auto tiles = [&](int64_t most) {
        std::vector<QueryTile> list;
        for (int64_t i = 0; i < qkv.rows; ++i) append_tiles(list, i, dims.H / dims.G, most);
        return list;
    };
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const HeadSizes sizes = head_sizes(dims, qkv.rows);
        const View<const T> queries = aligned_heads<T>(qkv, sizes, device);
        if (queries.data == nullptr) return Status::Memory;
        const CachedKeys<T> keys{queries.data, queries.stride, staged, sizes};
        return with_width(dims.D, [&](auto width) {
            return launch_forward<T, decltype(width)::value>("attention_cached", out, lse, keys, tiles,
                                                             device);
        });
    });
}

}  // namespace

void fill_decoding(Ops& ops) {
    ops.cache_store = cache_store;
    ops.attention_cached = attention_cached;
}

}  // namespace attune::gpu
