// Batched sampling, step by step: admits waiting sequences, fills caches from prompts, and draws one token of
// each living sequence per step. Every row goes through the trunk that trains, once; log-probs are the
// trainer's bits. Knows neither text nor files. Not thread-safe; the counters alone may be read while it
// works.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ops.h"
#include "core/philox.h"
#include "core/stream.h"
#include "model/config.h"
#include "model/head.h"
#include "model/kv_cache.h"
#include "model/trunk.h"
#include "model/weights.h"

namespace attune {

// The model as it is at a step. Trunk and head are borrowed: nothing in them outlives a step.
struct GenerationModel {
    const Ops& ops;
    const ModelConfig& config;
    DType dtype;
    const Weights& weights;
    Trunk& trunk;
    Head& head;
    Adapter* adapter;         // null: the base alone
    int64_t weights_version;  // another one than before: caches are stale
};

struct GenerationOptions {
    int64_t max_new_tokens = 128;
    SampleSettings sampling;
    std::vector<int32_t> stop_tokens;
    int64_t samples = 1;  // of each prompt
    uint64_t seed = 0;
    uint32_t step = 0;
    int64_t batch_size = 32;
    int64_t prefill_rows = 2048;  // trunk rows of one prefill pass; a longer prompt has one of its own
};

enum class Finish : uint8_t { No = 0, StopToken = 1, NewTokens = 2, Positions = 3 };

// One token for each sequence that was alive.
struct DecodedTokens {
    std::vector<int32_t> sequences;  // prompt * samples + sample, ascending
    std::vector<int32_t> tokens;
    std::vector<float> logprobs;
    std::vector<float> model_logprobs;
    std::vector<uint8_t> finished;  // Finish

    void clear();
};

class Generation {
  public:
    // Throws Code::Option and Code::Shape naming the first prompt or option that makes no sense. The ops are
    // those that it will run on.
    Generation(const ModelConfig& config, DType dtype, const Ops& ops,
               std::vector<std::vector<int32_t>> prompts, GenerationOptions options);

    // Keys and values that such a generation holds at most.
    static int64_t cache_bytes(const ModelConfig& config, DType dtype, const Ops& ops,
                               const std::vector<int32_t>& prompt_lengths, const GenerationOptions& options);

    // decoded (=) keeps its memory; empty when all have finished. A step in which no sequence draws its first
    // or second token allocates nothing. After Code::Aborted it can be called again; nothing is lost.
    void next(DecodedTokens& decoded, const GenerationModel& model, Stream& stream);
    // Ends a sequence early; one that has finished already is ignored.
    void finish(int64_t sequence);

    int64_t trunk_rows() const { return trunk_rows_; }
    int64_t weight_passes() const { return weight_passes_; }

  private:
    struct Prompt {
        std::vector<int32_t> ids;
        int64_t open;                      // sequences that have not finished
        std::unique_ptr<KvSegment> cache;  // null: not filled yet, or no longer needed
    };
    struct Sequence {
        int64_t number;
        std::vector<int32_t> tokens;
        std::vector<int32_t> seen;  // distinct ids of prompt and tokens, with a repetition penalty alone
        std::unique_ptr<KvSegment> own;
    };
    // A prompt and sequences behind it whose keys and values one pass fills in.
    struct Filling {
        Prompt* prompt;
        std::vector<Sequence*> sequences;
        int64_t rows;
    };
    // What one step works in, kept for the next.
    struct Work {
        PackedBatch fed;                 // the last token of each sequence that has one
        std::vector<KvCache::Row> rows;  // [fed]
        TensorMemory states;             // [living][C] after the last layer
        PackedBatch targets;             // [living] rows of the states
        std::vector<SampleRow> samples;  // [living]
        KvCache cache;
    };

    Prompt& prompt_of(int64_t sequence) { return prompts_[static_cast<size_t>(sequence / options_.samples)]; }
    void check_prompts() const;
    void check_options() const;
    void admit(Trunk& trunk, Stream& stream);
    // [C] after the last layer of a prompt's last token: predicts the first token of every sample.
    Mat last_row(const Prompt& prompt) const;
    void refresh(const GenerationModel& model, Stream& stream);
    void fill_new_prompts(const GenerationModel& model, Stream& stream);
    void fill(const GenerationModel& model, std::vector<Filling> fillings, Stream& stream);
    void fill_batch(const GenerationModel& model, const Filling* first, const Filling* last, Stream& stream);
    // The cache must be set for it.
    ConstMat trunk_pass(const GenerationModel& model, const PackedBatch& batch, Stream& stream);
    void feed(size_t index, const GenerationModel& model, Stream& stream);
    // State `index` and those behind it.
    Mat states(int64_t index, int64_t count) const;
    ConstMat decode(const GenerationModel& model, Stream& stream);
    void begin_step(const GenerationModel& model, Stream& stream) const;
    void draw(DecodedTokens& decoded, const GenerationModel& model, ConstMat states, Stream& stream);
    void append(DecodedTokens& decoded);
    Finish state_after(const Sequence& sequence) const;
    void release(int64_t sequence);

    ModelConfig config_;
    DType dtype_;
    KvLayout layout_;
    KvPages pages_;  // of all caches
    GenerationOptions options_;
    std::vector<Prompt> prompts_;
    TensorMemory last_rows_;        // [prompts][C]
    std::vector<Sequence> living_;  // ascending numbers
    std::vector<bool> ended_;       // by finish() before they were admitted
    int64_t waiting_ = 0;           // the next sequence to be admitted
    int64_t weights_version_ = -1;  // that the caches were made with
    Work work_;
    int64_t trunk_rows_ = 0;
    int64_t weight_passes_ = 0;
};

}  // namespace attune
