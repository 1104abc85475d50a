// The one Session: a role on a base, which is the whole model, an adapter with or without heads of its own,
// or a frozen view. A training step is trunk forward, head with loss, trunk backward; an update is clipping
// and AdamW. Private to session/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "session/model_base.h"
#include "session/session.h"
#include "session/trained_tensors.h"

namespace attune {

class ModelSession final : public Session {
  public:
    enum class Role { Whole, Adapter, FrozenWhole, FrozenAdapter };

    // The whole model, or (role FrozenAdapter without an adapter) a frozen view of the base.
    ModelSession(std::shared_ptr<ModelBase> base, Role role, std::unique_ptr<Adapter> adapter = nullptr);
    ~ModelSession() override;

    const ModelConfig& config() const override { return base_->config; }
    DType dtype() const override { return base_->dtype; }
    int64_t parameters() const override;
    int64_t trainable() const override { return trained_.spec().parameters; }
    const AdapterConfig* adapter() const override { return adapter_ ? &adapter_->config() : nullptr; }
    MemoryUse memory() const override;
    MemoryUse base_memory() const override;
    int64_t base_number() const override { return base_->number; }
    uint64_t base_fingerprint(Stream& stream) const override;
    MemoryUse plan(int64_t rows, int64_t targets, bool training,
                   std::optional<WeightPlace> place) const override;
    void prepare(int64_t bytes, int64_t rows, int64_t targets, bool training, Stream& stream) override;
    ModelView view() override;
    int64_t weights_version() const override { return version_; }

    ForwardResult forward(const PackedBatch& batch, float temperature, Stream& stream,
                          std::vector<float>* hidden, std::vector<float>* logits) override;
    std::vector<float> score(const PackedBatch& batch, Stream& stream) override;
    std::vector<float> states(const PackedBatch& batch, Stream& stream) override;
    void scale_score_heads(const std::vector<double>& factors, Stream& stream) override;
    void step(StepResult& result, const PackedBatch& batch, const LossOptions& loss, Stream& stream) override;
    void evaluate(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                  Stream& stream) override;
    KlValues kl(const PackedBatch& batch, Session& reference, Stream& stream) override;
    void kl_step(StepResult& result, const PackedBatch& batch, Session& reference, const KlOptions& options,
                 Stream& stream) override;
    int64_t planned_kl_bytes(Session& reference, int64_t targets) override;
    UpdateResult update(const UpdateOptions& options, Stream& stream) override;
    void clear_gradients(Stream& stream) override { trained_.clear_gradients(stream); }

    std::unique_ptr<Session> add_role(const RoleOptions& options, Stream& stream) override;
    std::unique_ptr<Session> snapshot(Stream& stream, WeightPlace place) override;
    void save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) override;
    void save_merged(const std::string& folder, DType dtype, const Progress& progress,
                     Stream& stream) override;
    void save_state(const std::string& file, const Progress& progress, Stream& stream) override;
    void load_state(const std::string& file, const Progress& progress, Stream& stream) override;
    std::vector<TensorView> tensors() const override { return trained_.tensors(); }
    std::vector<TensorView> base_tensors() const override;
    std::vector<float> parameter(const std::string& name, Stream& stream) const override;
    std::vector<float> gradient(const std::string& name, Stream& stream) override;

  private:
    bool frozen() const { return role_ == Role::FrozenWhole || role_ == Role::FrozenAdapter; }
    HeadKind kind() const;
    // Of an adapter its own or the base's, [K,C].
    const TensorSpec& score_tensor() const;
    Weight score_weight() const;
    void require_heads(bool scores) const;
    TrainedTensors base_values() const { return {base_->ops, base_->spec, base_->weights}; }
    // Null where the base is frozen.
    Gradients* base_gradients();
    // Of the base: its matrices in that place, and its vectors.
    MemoryUse base_weights(WeightPlace place) const;
    MemoryUse resident(bool training, WeightPlace place) const;
    void check_batch(const PackedBatch& batch, bool scores) const;
    // Of the whole model: its weights can change.
    void check_on_device() const;
    void check_trainable() const;
    void read_masters(Stream& stream);
    void start_score_heads(Adapter& adapter, const RoleOptions& options, Stream& stream) const;
    void start_training(Stream& stream);
    void gather(const PackedBatch& batch, bool keep, Stream& stream);
    // From the head's gradient through final norm and layers; the step is then gathered.
    void backward(const PackedBatch& batch, Stream& stream);
    void check_reference(const PackedBatch& batch, const ModelView& reference) const;
    void set_reference(const PackedBatch& batch, const ModelView& reference, Stream& stream);
    void step_without_targets(StepResult& result, const PackedBatch& batch, const LossOptions& loss) const;
    void step_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss, Stream& stream);
    // Losses of scores and of values.
    void step_scores(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                     bool with_gradient, Stream& stream);
    void evaluate_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                           Stream& stream);

    const std::shared_ptr<ModelBase> base_;
    const Role role_;
    const std::unique_ptr<Adapter> adapter_;
    TrainedTensors trained_;
    int64_t version_ = 0;
};

// As empty as a new one but for its memory; with the part of a policy or of values where the loss (null: a
// divergence) has it.
void clear_result(StepResult& result, const PackedBatch& batch, const LossOptions* loss);
// head_rows (=) and one entry per completion.
void sum_completions(StepResult& result, const TargetStats& stats, const PackedBatch& batch);

}  // namespace attune
