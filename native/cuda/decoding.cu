// Caches of keys and values, and the attention of one new row over them: attention_forward's kernel, whose
// bits it gives. The row's own key and value are stored first, so that all it sees lies in caches.
#include <algorithm>
#include <vector>

#include "cuda/attention_launch.h"
#include "cuda/cached_keys.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

// Where a packed row goes: behind `at` keys of a page.
struct StoredRow {
    void* page;
    int32_t at;
    int32_t row;
};

// A chunk of kCount numbers of a key and of the value that goes with it per thread: 4 D G bytes are read and
// written per row (bf16). Heads end in whole chunks there, behind their own numbers with zeros.
template <class T, int kCount>
__global__ void store_kernel(const StoredRow* rows, View<const T> qkv, int64_t count, HeadSizes sizes,
                             int64_t offset, int64_t head_stride) {
    const int64_t index = thread_index(), chunks = sizes.pitch / kCount;
    if (index >= count * sizes.G * chunks) return;
    const int64_t d = index % chunks * kCount, g = index / chunks % sizes.G;
    const StoredRow stored = rows[index / (chunks * sizes.G)];
    const int64_t width = cache_width(sizes.D);
    T* key = static_cast<T*>(stored.page) + place_in_page(offset + g * head_stride, stored.at, width) + d;
    const T* from = qkv.row(stored.row) + (sizes.H + g) * sizes.D + d;
    using Numbers = Chunk<T, kCount>;
    const bool inside = d < sizes.D;
    *reinterpret_cast<Numbers*>(key) = inside ? *reinterpret_cast<const Numbers*>(from) : Numbers{};
    *reinterpret_cast<Numbers*>(key + kCacheKeys * width) =
        inside ? *reinterpret_cast<const Numbers*>(from + int64_t{sizes.G} * sizes.D) : Numbers{};
}

// All segments of a call lie in their pages alike.
bool alike(const CachedSegment& segment, const CachedSegment& first) {
    return segment.page_shift == kPageShift && segment.offset == first.offset &&
           segment.head_stride == first.head_stride;
}

StoredRow stored_row(const CachedSegment& segment, int64_t behind, int64_t row) {
    return {segment.pages[behind >> kPageShift], static_cast<int32_t>(behind & (kPageKeys - 1)),
            static_cast<int32_t>(row)};
}

Status store_rows(const std::vector<StoredRow>& rows, const CachedSegment& where, ConstMat qkv,
                  const AttentionDims& dims, Device& device) {
    const auto count = static_cast<int64_t>(rows.size());
    const StoredRow* staged = device.stage_again(kStoredRows, rows.data(), count);
    if (staged == nullptr) return Status::Memory;
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return with_chunks(in_chunks(qkv) && dims.D % kChunk == 0, [&](auto chunk) {
            constexpr int kCount = decltype(chunk)::value;
            const HeadSizes sizes = head_sizes(dims, qkv.rows);
            return launch("cache_store", store_kernel<T, kCount>,
                          {blocks_for(count * dims.G * (sizes.pitch / kCount))}, kThreads, 0, device.queue(),
                          staged, view_of<T>(qkv), count, sizes, where.offset, where.head_stride);
        });
    });
}

bool cache_fits(const AttentionDims& dims, const ConstMat& qkv) {
    return dims.H > 0 && dims.G > 0 && dims.D > 0 && dims.H % dims.G == 0 && dims.window >= 0 &&
           dims.D <= kWidestHead && well_formed(qkv) && qkv.cols == (dims.H + 2 * dims.G) * dims.D;
}

Status cache_store(const CachedSegment* targets, ConstMat qkv, AttentionDims dims, Stream* stream) {
    if (!attention_dims_fit(dims, qkv.rows) || !cache_fits(dims, qkv)) return Status::Shape;
    std::vector<StoredRow> rows;
    const CachedSegment* first = nullptr;
    for (int64_t s = 0; s < dims.segment_count; ++s) {
        const Segment& segment = dims.segments[s];
        if (targets[s].pages == nullptr) continue;
        if (first == nullptr) first = &targets[s];
        if (!alike(targets[s], *first)) return Status::Shape;
        for (int32_t i = 0; i < segment.length; ++i)
            rows.push_back(stored_row(targets[s], targets[s].length + i, segment.start + i));
    }
    return rows.empty() ? Status::Ok : store_rows(rows, *first, qkv, dims, device_of(stream));
}

// What the rows of a step see, as the device reads it. Nothing in it depends on the layer.
struct StepRows {
    std::vector<StoredRow> own;
    std::vector<PagedRow> rows;
    std::vector<void*> pages;

    PagedSegment table_of(const CachedSegment& segment, int64_t length) {
        const PagedSegment result{static_cast<int32_t>(pages.size()), static_cast<int32_t>(length)};
        if (length > 0)
            pages.insert(pages.end(), segment.pages, segment.pages + ((length - 1) >> kPageShift) + 1);
        return result;
    }
    // False where the segments do not lie alike.
    bool gather(const CachedRow* given, int64_t count) {
        for (int64_t i = 0; i < count; ++i) {
            const auto& [prefix, segment] = given[i];
            if (!alike(segment, given[0].own) || (prefix.length > 0 && !alike(prefix, segment))) return false;
            // Samples of one prompt stand side by side.
            const bool again = i > 0 && prefix.pages == given[i - 1].prefix.pages;
            const PagedSegment seen = again ? rows.back().prefix : table_of(prefix, prefix.length);
            rows.push_back({seen, table_of(segment, segment.length + 1)});
            own.push_back(stored_row(segment, segment.length, i));
        }
        return true;
    }
};

// Tiles of the rows' query heads that share a key/value head.
std::vector<QueryTile> step_tiles(int64_t rows, int64_t repeat, int64_t most) {
    std::vector<QueryTile> tiles;
    for (int64_t i = 0; i < rows; ++i) append_tiles(tiles, i, repeat, most);
    return tiles;
}

// Tiles are copied in chunks of 16 bytes; pages are tensors.
bool in_whole_chunks(const CachedSegment& cache, DType dtype) {
    return cache.offset * dtype_size(dtype) % 16 == 0 && cache.head_stride * dtype_size(dtype) % 16 == 0;
}

Status attention_cached(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                        Stream* stream) {
    if (!cache_fits(dims, qkv) || !(dims.scale > 0) || !has_shape(out, qkv.rows, dims.H * dims.D))
        return Status::Shape;
    if (qkv.rows == 0) return Status::Ok;
    Device& device = device_of(stream);
    StepRows step;
    if (!step.gather(rows, qkv.rows)) return Status::Shape;
    if (!in_whole_chunks(rows[0].own, qkv.dtype)) return Status::Shape;
    const Status stored = store_rows(step.own, rows[0].own, qkv, dims, device);
    if (stored != Status::Ok) return stored;
    const PagedRow* seen = device.stage_again(kSeenRows, step.rows.data(), qkv.rows);
    void* const* pages =
        device.stage_again(kPages, step.pages.data(), static_cast<int64_t>(step.pages.size()));
    if (seen == nullptr || pages == nullptr) return Status::Memory;
    const auto tiles = [&](int64_t most) { return step_tiles(qkv.rows, dims.H / dims.G, most); };
    return with_element(qkv.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const HeadSizes sizes = head_sizes(dims, qkv.rows);
        const View<const T> queries = aligned_heads<T>(qkv, sizes, device);
        if (queries.data == nullptr) return Status::Memory;
        const CachedKeys<T> keys{queries.data,       queries.stride,          seen, pages,
                                 rows[0].own.offset, rows[0].own.head_stride, sizes};
        return with_width(dims.D, [&](auto width) {
            return launch_forward<T, decltype(width)::value>("attention_cached", out, lse, keys, tiles,
                                                             device);
        });
    });
}

Status begin_step(uint64_t key, Stream* stream) {
    return device_of(stream).begin_step(key);
}

}  // namespace

void fill_decoding(Ops& ops) {
    ops.cache_page_shift = kPageShift;
    ops.begin_step = begin_step;
    ops.cache_store = cache_store;
    ops.attention_cached = attention_cached;
}

}  // namespace attune::gpu
