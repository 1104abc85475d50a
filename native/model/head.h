// The two ends of a model over its target rows: final norm, then LM head in chunks or score heads; with their
// gradients. Never builds [tokens, vocabulary] for a whole batch. Knows losses only as functions from
// log-probs to gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/ops.h"
#include "core/target_span.h"
#include "core/tensor_memory.h"
#include "model/gradients.h"
#include "model/spec.h"
#include "model/weights.h"

namespace attune {

struct TargetStats {
    std::vector<float> logprobs;     // [targets]
    std::vector<float> entropies;    // [targets] nats
    std::vector<float> mean_logits;  // [targets]
    std::vector<int32_t> argmax;     // [targets]
    int64_t head_rows = 0;           // rows multiplied with the head matrix, recomputation included
};

// Gradient of the loss with respect to log-probs and entropies.
struct HeadLoss {
    // Groups whose log-probs are all known, from the first group's first target on.
    std::function<void(int64_t first_group, int64_t groups, const TargetSpan& targets)> groups;
    // When each target stands alone: targets [first, first + count). Empty otherwise.
    std::function<void(int64_t first, int64_t count, const TargetSpan& targets)> targets;
    float temperature = 1;  // divides the logits
    bool entropy = false;   // the loss has a term of the entropies
};

// Where the states of the target rows go: to every token's logit, or to K scores.
struct HeadKind {
    int64_t scores = 0;  // K; 0: the LM head
    bool operator==(const HeadKind&) const = default;
    static const HeadKind Tokens;
};
inline constexpr HeadKind HeadKind::Tokens{};

class Head {
  public:
    Head(const Ops& ops, const ModelConfig& config, const ModelSpec& spec, DType dtype);

    // Final norm of the target rows of x[T,C]: [targets][C], kept for the calls below, which are those of
    // `kind`.
    void gather(const Weights& weights, ConstMat x, const PackedBatch& batch, HeadKind kind, Stream& stream);

    // Statistics of every target; logits (host, may be null) receives [targets][V].
    void evaluate(TargetStats& stats, const Weights& weights, float temperature, float* logits,
                  Stream& stream);
    // The logits of every target, chunk by chunk: visit(first target, logits[count,V]), which may change
    // them.
    void visit_logits(const Weights& weights, const std::function<void(int64_t first, Mat logits)>& visit,
                      Stream& stream);
    // evaluate() with gradients: of the head matrix (+=; gradients null = it is frozen) and, kept inside, of
    // the normed rows. A group that fits one chunk costs three GEMMs per row, two when frozen; a larger one
    // is computed twice.
    void train(TargetStats& stats, const Weights& weights, Gradients* gradients, const PackedBatch& batch,
               const HeadLoss& loss, Stream& stream);
    // The same for a loss of whole distributions: differentiate() turns the logits [count,V] of the targets
    // from `first`, whose tokens are [count], into its derivatives, in place. Every target once.
    void train_logits(
        TargetStats& stats, const Weights& weights, Gradients* gradients,
        const std::function<void(int64_t first, const int32_t* tokens, Mat logits)>& differentiate,
        Stream& stream);

    // scores (=) [targets][K] by heads [K,C].
    void score(std::vector<float>& scores, Weight heads, Stream& stream);
    // dscores [targets][K]; gradient of the heads (+=; data null = they are frozen) and, kept inside, of the
    // normed rows.
    void score_backward(const std::vector<double>& dscores, Weight heads, WeightGrad gradient,
                        Stream& stream);

    // Through the final norm back to the rows of dx[T,C] fp32 (+=). gradients: null = the norm is frozen.
    void scatter(Mat dx, const Weights& weights, Gradients* gradients, Stream& stream);

    // [targets][C] fp32 copy of the normed rows, to host memory. Their gradient's place is used.
    void copy_normed(float* out, Stream& stream) const;

    // What a chunk of logits is the product of: the normed rows [targets][C], valid until the next gather(),
    // and the LM head's matrix.
    ConstMat normed() const { return normed_; }
    Weight matrix(const Weights& weights) const { return weights.matrix(*matrix_); }
    // Most targets of one chunk.
    int64_t chunk_rows() const;

    int64_t allocated_bytes() const { return arena_ ? static_cast<int64_t>(bytes_) : 0; }
    int64_t planned_bytes(int64_t targets, HeadKind kind) const;
    // Lays the memory out for `targets`, growing it where needed; the calls above do.
    void prepare(int64_t targets, HeadKind kind, Stream& stream);

  private:
    // Targets of a chunk where targets stand alone: about equal ones.
    int64_t even_rows() const;

    struct Chunk {
        int64_t first;  // target
        int64_t count;
    };
    int64_t logit_values(int64_t targets, HeadKind kind) const;
    Mat logits_of(Chunk chunk) const;
    Mat scores_of(int64_t heads) const;
    ConstMat normed_rows(Chunk chunk) const;
    void forward_logits(const Weights& weights, Chunk chunk, Stream& stream);
    void forward_chunk(TargetStats& stats, const Weights& weights, Chunk chunk, float temperature,
                       Stream& stream);
    TargetSpan span_of(const TargetStats& stats, const HeadLoss& loss, int64_t first);
    void backward_chunk(const Weights& weights, Gradients* gradients, Chunk chunk, const HeadLoss& loss,
                        Stream& stream);
    void backward_logits(const Weights& weights, Gradients* gradients, Chunk chunk, Stream& stream);
    void train_groups(TargetStats& stats, const Weights& weights, Gradients* gradients,
                      const PackedBatch& batch, const HeadLoss& loss, Stream& stream);
    void train_large_group(TargetStats& stats, const Weights& weights, Gradients* gradients, Chunk group,
                           int64_t index, const HeadLoss& loss, Stream& stream);

    const Ops& ops_;
    ModelConfig config_;
    DType dtype_;
    const TensorSpec* matrix_;  // LM head (or tied embedding); null: the model has score heads
    const TensorSpec* norm_;
    const TensorSpec* norm_bias_;

    TensorMemory arena_;
    size_t bytes_ = 0;
    int64_t targets_ = 0;
    Mat gathered_;                    // [targets,C] before the final norm
    Mat normed_;                      // [targets,C]
    Mat d_normed_;                    // [targets,C] fp32
    Mat d_gathered_;                  // [targets,C] fp32
    float* rstd_ = nullptr;           // [targets]
    float* mean_ = nullptr;           // [targets]
    float* logits_ = nullptr;         // [chunk][V], or [targets][K in whole panels] for scores
    std::vector<int32_t> rows_;       // [targets] trunk rows
    std::vector<int32_t> tokens_;     // [targets]
    std::vector<float> d_logprobs_;   // [targets]
    std::vector<float> d_entropies_;  // [targets]
    std::vector<float> scores_;       // [targets][K in whole panels]
};

}  // namespace attune
