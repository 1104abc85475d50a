// Keys and values of earlier rows: segments that own their memory, and what one pass of the trunk does with
// them. A prompt and what was sampled after it are two segments, as in a training batch, so that attention
// meets the same tiles. Knows neither sampling nor weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/config.h"
#include "model/kv_pages.h"

namespace attune {

// How caches of a model lie in a backend's memory.
struct KvLayout {
    KvLayout(const ModelConfig& config, DType dtype, const Ops& ops);

    // Of a segment of so many keys, and of all layers: in pages of one size, or (pages == 0) in one.
    int64_t pages_of(int64_t keys) const;
    int64_t bytes_of(int64_t keys) const;
    int64_t page_bytes() const { return bytes_of(int64_t{1} << page_shift); }
    bool paged() const { return page_shift != kOnePage; }

    int32_t page_shift;
    int64_t layers, heads;
    int64_t block_bytes;  // kCacheKeys keys and values of one head
    DType dtype;
};

// Keys and values of consecutive tokens in all layers: in pages that are taken as it grows, or where the
// backend does not ask for them in one piece, of which memory that no key has reached is not resident.
class KvSegment {
  public:
    // `pages` must outlive it. Throws Code::Memory.
    KvSegment(const KvLayout& layout, int64_t capacity, KvPages& pages, const Ops& ops, Stream& stream);
    ~KvSegment();
    KvSegment(const KvSegment&) = delete;
    KvSegment& operator=(const KvSegment&) = delete;

    // There is memory for so many keys, at most capacity() of them. Throws Code::Memory.
    void reserve(int64_t keys, const Ops& ops, Stream& stream);
    CachedSegment layer(int64_t index) const;
    int64_t length() const { return length_; }
    int64_t capacity() const { return capacity_; }
    void set_length(int64_t length) { length_ = length; }

  private:
    KvPages& pages_;
    TensorMemory whole_;         // [layers][G][blocks of kCacheKeys], where there is one page
    std::vector<void*> places_;  // of each page, [layers][G][blocks of kCacheKeys]
    int32_t page_shift_;
    int64_t head_stride_;  // elements
    int64_t layer_stride_;
    int64_t capacity_;
    int64_t length_ = 0;
};

// The cache of one pass at a time. Lengths of segments change in finish() alone: a pass that is cancelled
// leaves them as they were, and can be done again.
class KvCache {
  public:
    struct Row {
        const KvSegment* prefix;
        KvSegment* own;
    };

    // The batch is complete; its segments are stored (null: not). Their lengths become those of the batch.
    void prefill(std::span<KvSegment* const> segments);
    // Each row of the batch continues a sequence by one token.
    void decode(std::span<const Row> rows);

    // Attention of a layer, in place of attention_forward.
    void attend(const Ops& ops, int64_t layer, Mat out, float* lse, ConstMat qkv, const AttentionDims& dims,
                Stream& stream);
    // After the last layer of the batch with these segments.
    void finish(const std::vector<Segment>& segments);

  private:
    bool decoding_ = false;
    std::vector<KvSegment*> segments_;
    std::vector<Row> rows_;
    std::vector<CachedSegment> targets_;
    std::vector<CachedRow> cached_;
};

}  // namespace attune
