// A model as it is used: all of it, or an adapter and a head on a base that several roles share; with, when
// it trains, its gradients and optimiser state. What binding/ and tool/ drive. Joins model, loss, optim and
// formats; knows nothing of Node. Not thread-safe: one command at a time, also over all roles of one base.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/ops.h"
#include "core/stream.h"
#include "loss/loss.h"
#include "loss/policy_sums.h"
#include "loss/value_loss.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/head.h"
#include "model/head_kl.h"
#include "model/score_head.h"
#include "model/trunk.h"

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

struct PolicyResult {
    PolicySums sums;
    std::vector<float> logprobs;  // [targets]
};

struct ValueResult {
    ValueSums sums;
    std::vector<double> values;  // [targets]
};

struct StepResult {
    double loss = 0;                          // this batch's share of the update's loss (already divided)
    std::vector<double> group_losses;         // [groups] before division
    std::vector<CompletionSums> completions;  // [completions]
    std::vector<double> scores;               // [completions, heads], score losses only
    double tie_gradient = 0;                  // of the loss by its tie parameter, where it has one
    std::optional<PolicyResult> policy;       // policy losses only
    std::optional<ValueResult> value;         // value losses only
    int64_t trunk_rows = 0;                   // rows that went through the layers
    int64_t head_rows = 0;  // rows that went through the LM head (recomputation counted again)
};

// sum(weight * KL) / normaliser over the targets, one direction of the divergence.
struct KlOptions {
    bool reverse = false;         // KL(reference || model), else KL(model || reference)
    double normaliser = 1;        // targets of the update
    std::vector<double> weights;  // [groups] or empty = 1
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
    int64_t head = 0;          // logits of a chunk
    int64_t weights_host = 0;  // layers that the host keeps for a device; not part of the total
    int64_t total() const { return weights_bf16 + weights_fp32 + gradients + optimizer + activations + head; }
};

struct TensorView {
    std::string name;            // as in a Hugging Face folder, or in PEFT's file
    std::vector<int64_t> shape;  // likewise
};

// How a new role starts.
struct RoleOptions {
    AdapterConfig adapter;
    uint64_t seed = 0;
    // adapter_model.safetensors to read, with as many score heads as it has where the adapter has some; empty
    // = a fresh adapter.
    std::string file;
    ScoreDraw score;          // of heads that are not read
    bool copy_score = false;  // heads that are not read start as those of the base
};

// What passes over a session's model work with, for as long as the session lives.
struct ModelView {
    const Ops& ops;
    const ModelConfig& config;
    DType dtype;
    const Weights& weights;  // of the base
    Trunk& trunk;            // shared by the roles of a base: nothing in it outlives a command
    Head& head;              // likewise
    Adapter* adapter;        // null: the base alone
    HeadKind kind;
};

class Session {
  public:
    // path: a Hugging Face folder, a .safetensors file or a .gguf file. score: its score heads are not read
    // but start so. place: Host has no effect where tensors lie in the host's memory, else the whole model
    // cannot be trained. Throws Code::File, Format, Model, NotFinite, Memory.
    static std::unique_ptr<Session> load(const Ops& ops, Stream& stream, const ModelConfig& config,
                                         DType dtype, const std::string& path,
                                         const std::optional<ScoreDraw>& score, const Progress& progress,
                                         WeightPlace place = WeightPlace::Device);
    virtual ~Session() = default;

    virtual const ModelConfig& config() const = 0;
    virtual DType dtype() const = 0;
    virtual int64_t parameters() const = 0;
    // All that this role works with, its base included.
    virtual MemoryUse memory() const = 0;
    // The part of it that belongs to the base, and a number that roles of the same base share.
    virtual MemoryUse base_memory() const = 0;
    virtual int64_t base_number() const = 0;
    // Tells bases apart whose shapes are equal; see fingerprint.h.
    virtual uint64_t base_fingerprint(Stream& stream) const = 0;
    // Numbers that training changes.
    virtual int64_t trainable() const = 0;
    // Null: the whole model is trained.
    virtual const AdapterConfig* adapter() const = 0;
    virtual ModelView view() = 0;
    // Changes with every change of the values: caches made from them are stale.
    virtual int64_t weights_version() const = 0;
    // What step() with batches of up to `rows` trunk rows and `targets` targets would hold in all; training
    // adds gradients and optimiser. place: of the base's layers, as they are when empty.
    virtual MemoryUse plan(int64_t rows, int64_t targets, bool training,
                           std::optional<WeightPlace> place = {}) const = 0;

    // Where the stream is a device's: takes `bytes` of its memory at once, and out of them what plan() says,
    // so that what is missing shows now. Throws Code::Memory.
    virtual void prepare(int64_t bytes, int64_t rows, int64_t targets, bool training, Stream& stream) = 0;

    // Log-probs and statistics of the batch's targets; no gradient. hidden: when not null receives
    // [targets][C] after the final norm; logits: when not null receives [targets][V].
    virtual ForwardResult forward(const PackedBatch& batch, float temperature, Stream& stream,
                                  std::vector<float>* hidden = nullptr,
                                  std::vector<float>* logits = nullptr) = 0;
    // [targets, heads] scores of the batch's target rows.
    virtual std::vector<float> score(const PackedBatch& batch, Stream& stream) = 0;
    // [targets, C] states of the batch's target rows after the final norm, whatever the head.
    virtual std::vector<float> states(const PackedBatch& batch, Stream& stream) = 0;
    // Multiplies the weights of each score head that training changes by its factor, [heads].
    virtual void scale_score_heads(const std::vector<double>& factors, Stream& stream) = 0;
    // Adds this batch's gradient. result (=) keeps its memory: with the same one and a batch no larger than
    // those before, a step allocates nothing. Throws Code::NotFinite (gradients are then undefined until
    // clear_gradients()).
    virtual void step(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                      Stream& stream) = 0;
    // The loss and sums that step() would report; no gradient.
    virtual void evaluate(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                          Stream& stream) = 0;
    // Exact KL divergences between this model and a reference of the same vocabulary at the batch's targets.
    // The reference may share the base. Throws Code::Model where the two don't fit.
    virtual KlValues kl(const PackedBatch& batch, Session& reference, Stream& stream) = 0;
    // Adds the gradient of a penalty on one of them; group losses are sums over the group's targets.
    virtual void kl_step(StepResult& result, const PackedBatch& batch, Session& reference,
                         const KlOptions& options, Stream& stream) = 0;
    // What both hold for it beside plan(): the reference's rows and a second chunk of logits.
    virtual int64_t planned_kl_bytes(Session& reference, int64_t targets) = 0;
    virtual UpdateResult update(const UpdateOptions& options, Stream& stream) = 0;
    virtual void clear_gradients(Stream& stream) = 0;

    // Another role on the same base. While there is one the base itself can't be trained.
    virtual std::unique_ptr<Session> add_role(const RoleOptions& options, Stream& stream) = 0;
    // The model as it is now; it cannot step. Of a whole model a copy in the training dtype; of an adapter a
    // copy of the adapter on the same base, or just the base when it changes nothing. place: of such a copy's
    // layers; what the host keeps already nothing changes, and is not copied.
    virtual std::unique_ptr<Session> snapshot(Stream& stream, WeightPlace place = WeightPlace::Device) = 0;
    // Writes model.safetensors, of an adapter adapter_model.safetensors, into an existing folder by temporary
    // file, fsync and rename.
    virtual void save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) = 0;
    // The base with the adapter added to its weights, as a whole model.
    virtual void save_merged(const std::string& folder, DType dtype, const Progress& progress,
                             Stream& stream) = 0;
    // All that training changed, in one file; and back, bit for bit. Throws Code::Resume when it doesn't fit.
    virtual void save_state(const std::string& file, const Progress& progress, Stream& stream) = 0;
    virtual void load_state(const std::string& file, const Progress& progress, Stream& stream) = 0;

    // Of what is trained. For checks: names and shapes as in a Hugging Face folder or PEFT's file; values in
    // that shape, row-major fp32.
    virtual std::vector<TensorView> tensors() const = 0;
    // The base under an adapter, which it does not train; empty of other roles. parameter() reads these too.
    virtual std::vector<TensorView> base_tensors() const = 0;
    virtual std::vector<float> parameter(const std::string& name, Stream& stream) const = 0;
    virtual std::vector<float> gradient(const std::string& name, Stream& stream) = 0;
};

}  // namespace attune
