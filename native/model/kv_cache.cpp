// Memory of cached segments, and the two attention passes that fill and read them.
#include "model/kv_cache.h"

#include "core/backend.h"
#include "core/error.h"

namespace attune {

namespace {
// Elements of one kv head in one layer. Whole pages where heads are wide: then no page is shared by two
// heads, and what a short sequence touches grows with its length alone.
int64_t head_elements(const ModelConfig& config, int64_t capacity) {
    const int64_t blocks = (capacity + kCacheKeys - 1) / kCacheKeys;
    return blocks * 2 * kCacheKeys * cache_width(config.head_width);
}
}  // namespace

int64_t KvSegment::bytes(const ModelConfig& config, DType dtype, int64_t capacity) {
    return config.layers * config.kv_heads * head_elements(config, capacity) * dtype_size(dtype);
}

KvSegment::KvSegment(const ModelConfig& config, DType dtype, int64_t capacity, const Ops& ops, Stream& stream)
    : memory_(ops, stream, static_cast<size_t>(bytes(config, dtype, capacity))),
      head_stride_(head_elements(config, capacity)),
      layer_bytes_(config.kv_heads * head_stride_ * dtype_size(dtype)),
      capacity_(capacity) {}

CachedSegment KvSegment::layer(int64_t index) const {
    return {memory_.data() + index * layer_bytes_, head_stride_, length_};
}

void KvCache::prefill(std::span<KvSegment* const> segments) {
    decoding_ = false;
    segments_.assign(segments.begin(), segments.end());
}

void KvCache::decode(std::span<const Row> rows) {
    decoding_ = true;
    rows_.assign(rows.begin(), rows.end());
    for (const Row& row : rows_)
        require(row.own->length() < row.own->capacity(), Code::Internal, "kv cache: a segment of ",
                row.own->capacity(), " keys is full.");
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
