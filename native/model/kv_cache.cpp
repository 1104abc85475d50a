// Memory of cached segments, and the two attention passes that fill and read them.
#include "model/kv_cache.h"

#include "core/backend.h"
#include "core/error.h"

namespace attune {

namespace {
int64_t blocks_of(int64_t keys) {
    return (keys + kCacheKeys - 1) / kCacheKeys;
}
}  // namespace

KvLayout::KvLayout(const ModelConfig& config, DType type, const Ops& ops)
    : page_shift(ops.cache_page_shift),
      layers(config.layers),
      heads(config.kv_heads),
      block_bytes(2 * kCacheKeys * cache_width(config.head_width) * dtype_size(type)),
      dtype(type) {}

int64_t KvLayout::pages_of(int64_t keys) const {
    return paged() ? (keys + (int64_t{1} << page_shift) - 1) >> page_shift : 1;
}

int64_t KvLayout::bytes_of(int64_t keys) const {
    return layers * heads * blocks_of(keys) * block_bytes;
}

KvSegment::KvSegment(const KvLayout& layout, int64_t capacity, KvPages& pages, const Ops& ops, Stream& stream)
    : pages_(pages), page_shift_(layout.page_shift), capacity_(capacity) {
    const int64_t blocks = blocks_of(layout.paged() ? int64_t{1} << page_shift_ : capacity);
    head_stride_ = blocks * layout.block_bytes / dtype_size(layout.dtype);
    layer_stride_ = layout.heads * head_stride_;
    places_.reserve(static_cast<size_t>(layout.pages_of(capacity)));
    if (layout.paged()) return;
    whole_.grow(ops, stream, static_cast<size_t>(layout.bytes_of(capacity)));
    places_.push_back(whole_.data());
}

KvSegment::~KvSegment() {
    if (!whole_)
        for (void* page : places_) pages_.give_back(page);
}

void KvSegment::reserve(int64_t keys, const Ops& ops, Stream& stream) {
    require(keys <= capacity_, Code::Internal, "kv cache: a segment of ", capacity_, " keys is full.");
    while (!whole_ && static_cast<int64_t>(places_.size()) << page_shift_ < keys)
        places_.push_back(pages_.take(ops, stream));
}

CachedSegment KvSegment::layer(int64_t index) const {
    return {places_.data(), page_shift_, head_stride_, index * layer_stride_, length_};
}

void KvCache::prefill(std::span<KvSegment* const> segments) {
    decoding_ = false;
    segments_.assign(segments.begin(), segments.end());
}

void KvCache::decode(std::span<const Row> rows) {
    decoding_ = true;
    rows_.assign(rows.begin(), rows.end());
}

void KvCache::attend(const Ops& ops, int64_t layer, Mat out, float* lse, ConstMat qkv,
                     const AttentionDims& dims, Stream& stream) {
    if (decoding_) {
        cached_.clear();
        for (const Row& row : rows_) cached_.push_back({row.prefix->layer(layer), row.own->layer(layer)});
        check(ops.attention_cached(out, lse, qkv, cached_.data(), dims, &stream), "attention_cached");
        return;
    }
    check(ops.attention_forward(out, lse, qkv, dims, &stream), "attention_forward");
    targets_.clear();
    for (const KvSegment* segment : segments_) {
        targets_.push_back(segment == nullptr ? CachedSegment{} : segment->layer(layer));
        targets_.back().length = 0;
    }
    check(ops.cache_store(targets_.data(), qkv, dims, &stream), "cache_store");
}

void KvCache::finish(const std::vector<Segment>& segments) {
    if (decoding_)
        for (const Row& row : rows_) row.own->set_length(row.own->length() + 1);
    else
        for (size_t i = 0; i < segments_.size(); ++i)
            if (segments_[i] != nullptr) segments_[i]->set_length(segments[i].length);
}

}  // namespace attune
