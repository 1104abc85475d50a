// One loaded model with, when it trains, its gradients and optimiser state: what binding/ and tool/ drive.
// Joins model, loss, optim and formats; knows nothing of Node. Not thread-safe: one command at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/ops.h"
#include "core/stream.h"
#include "loss/loss.h"
#include "model/config.h"

namespace attune {

// fraction in [0, 1] and what is being done ("load", "snapshot", "save").
using Progress = std::function<void(double fraction)>;

struct ForwardResult {
    std::vector<float> logprobs;     // [targets]
    std::vector<float> entropies;    // [targets] nats
    std::vector<float> mean_logits;  // [targets]
    std::vector<int32_t> argmax;     // [targets]
};

// Sums over one completion's targets, in double.
struct CompletionSums {
    double logprob = 0;
    double entropy = 0;
    double mean_logit = 0;
    double correct = 0;  // targets that are the most likely token
    double count = 0;
};

struct StepResult {
    double loss = 0;                          // this batch's share of the update's loss (already divided)
    std::vector<double> group_losses;         // [groups] before division
    std::vector<CompletionSums> completions;  // [completions]
    std::vector<double> scores;               // [completions], score losses only
    int64_t trunk_rows = 0;                   // rows that went through the layers
    int64_t head_rows = 0;  // rows that went through the LM head (recomputation counted again)
};

struct UpdateOptions {
    double learning_rate = 1e-5;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;   // on tensors of two or more dimensions
    double max_grad_norm = 1;  // 0 = no clipping
};

struct UpdateResult {
    double grad_norm = 0;  // before clipping
    bool finite = true;    // false: nothing was changed, gradients were cleared
};

// Bytes by purpose. `planned` figures come from the same code that allocates.
struct MemoryUse {
    int64_t weights_bf16 = 0;
    int64_t weights_fp32 = 0;  // parameters (fp32), or vectors and master weights (bf16)
    int64_t gradients = 0;
    int64_t optimizer = 0;
    int64_t activations = 0;
    int64_t head = 0;  // logits of a chunk
    int64_t total() const { return weights_bf16 + weights_fp32 + gradients + optimizer + activations + head; }
};

struct TensorView {
    std::string name;            // as in a Hugging Face folder
    std::vector<int64_t> shape;  // as in a Hugging Face folder
};

class Session {
  public:
    // path: a Hugging Face folder, a .safetensors file or a .gguf file. Throws Code::File, Format, Model,
    // NotFinite, Memory.
    static std::unique_ptr<Session> load(const Ops& ops, Stream& stream, const ModelConfig& config,
                                         DType dtype, const std::string& path, const Progress& progress);
    virtual ~Session() = default;

    virtual const ModelConfig& config() const = 0;
    virtual DType dtype() const = 0;
    virtual int64_t parameters() const = 0;
    virtual MemoryUse memory() const = 0;
    // What step() with batches of up to `rows` trunk rows and `targets` targets would hold in all; training
    // adds gradients and optimiser.
    virtual MemoryUse plan(int64_t rows, int64_t targets, bool training) const = 0;

    // Log-probs and statistics of the batch's targets; no gradient. hidden: when not null receives
    // [targets][C] after the final norm; logits: when not null receives [targets][V].
    virtual ForwardResult forward(const PackedBatch& batch, float temperature, Stream& stream,
                                  std::vector<float>* hidden = nullptr,
                                  std::vector<float>* logits = nullptr) = 0;
    // Scores of the scalar head at the batch's target rows.
    virtual std::vector<float> score(const PackedBatch& batch, Stream& stream) = 0;
    // Adds this batch's gradient. Throws Code::NotFinite (gradients are then undefined until
    // clear_gradients()).
    virtual StepResult step(const PackedBatch& batch, const LossOptions& loss, Stream& stream) = 0;
    virtual UpdateResult update(const UpdateOptions& options, Stream& stream) = 0;
    virtual void clear_gradients(Stream& stream) = 0;

    // A frozen copy of the weights in the training dtype. It cannot step.
    virtual std::unique_ptr<Session> snapshot(Stream& stream) = 0;
    // Writes model.safetensors into an existing folder by temporary file, fsync and rename.
    virtual void save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) = 0;

    // For checks: names and shapes as in a Hugging Face folder; values in that shape, row-major fp32.
    virtual std::vector<TensorView> tensors() const = 0;
    virtual std::vector<float> parameter(const std::string& name, Stream& stream) const = 0;
    virtual std::vector<float> gradient(const std::string& name, Stream& stream) const = 0;
};

}  // namespace attune
