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

namespace attune {

// Keys and values of consecutive tokens in all layers. Memory that no key has reached is not resident.
class KvSegment {
  public:
    // Throws Code::Memory.
    KvSegment(const ModelConfig& config, DType dtype, int64_t capacity, const Ops& ops, Stream& stream);
    static int64_t bytes(const ModelConfig& config, DType dtype, int64_t capacity);

    CachedSegment layer(int64_t index) const;
    int64_t length() const { return length_; }
    int64_t capacity() const { return capacity_; }
    void set_length(int64_t length) { length_ = length; }

  private:
    TensorMemory memory_;  // [layers][G][blocks of kCacheKeys]
    int64_t head_stride_;  // elements
    int64_t layer_bytes_;
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
