// Passes over the model: log-probs, steps, updates. Scores are session_scores.cpp, values coming and going
// session_values.cpp.
#include "session/model_session.h"

#include <cmath>
#include <functional>
#include <utility>

#include "core/backend.h"
#include "core/error.h"
#include "core/size_text.h"

namespace attune {

ModelSession::ModelSession(std::shared_ptr<ModelBase> base, Role role, std::unique_ptr<Adapter> adapter)
    : base_(std::move(base)),
      role_(role),
      adapter_(std::move(adapter)),
      trained_(base_->ops, adapter_ ? adapter_->spec() : base_->spec,
               adapter_ ? adapter_->weights() : base_->weights) {
    if (role == Role::Adapter || role == Role::FrozenAdapter) ++base_->dependents;
}

ModelSession::~ModelSession() {
    if (role_ == Role::Adapter || role_ == Role::FrozenAdapter) --base_->dependents;
}

int64_t ModelSession::parameters() const {
    return base_->spec.parameters + (adapter_ ? adapter_->spec().parameters : 0);
}

Gradients* ModelSession::base_gradients() {
    return role_ == Role::Whole ? trained_.gradients() : nullptr;
}

ModelView ModelSession::view() {
    return {base_->ops,   base_->config, base_->dtype,   base_->weights,
            base_->trunk, base_->head,   adapter_.get(), kind()};
}

MemoryUse ModelSession::base_weights(WeightPlace place) const {
    MemoryUse use;
    const auto matrices = static_cast<int64_t>(Weights::matrix_bytes(base_->spec, base_->dtype, place));
    (base_->dtype == DType::BF16 ? use.weights_bf16 : use.weights_fp32) += matrices;
    use.weights_fp32 += static_cast<int64_t>(Weights::vector_bytes(base_->spec));
    use.weights_host = static_cast<int64_t>(Weights::host_bytes(base_->spec, base_->dtype, place));
    return use;
}

MemoryUse ModelSession::resident(bool training, WeightPlace place) const {
    MemoryUse use = base_weights(place);
    if (adapter_)
        use.weights_fp32 += static_cast<int64_t>(Weights::matrix_bytes(adapter_->spec(), DType::F32));
    if (!training) return use;
    if (trained_.bf16()) use.weights_fp32 += trained_.flat_bytes();
    use.gradients = trained_.flat_bytes();
    use.optimizer = 2 * trained_.flat_bytes();
    return use;
}

MemoryUse ModelSession::base_memory() const {
    MemoryUse use = base_weights(base_->weights.place());
    use.activations = base_->trunk.allocated_bytes();
    use.head = base_->head.allocated_bytes() + base_->head_kl.allocated_bytes();
    return use;
}

MemoryUse ModelSession::memory() const {
    MemoryUse use = resident(trained_.started(), base_->weights.place());
    use.activations = base_->trunk.allocated_bytes() + (adapter_ ? adapter_->allocated_bytes() : 0);
    use.head = base_->head.allocated_bytes() + base_->head_kl.allocated_bytes();
    return use;
}

MemoryUse ModelSession::plan(int64_t rows, int64_t targets, bool training,
                             std::optional<WeightPlace> place) const {
    MemoryUse use =
        resident(training, place ? Weights::possible(*place, base_->ops) : base_->weights.place());
    use.activations =
        base_->trunk.planned_bytes(rows, training) + (adapter_ ? adapter_->planned_bytes(rows, training) : 0);
    use.head = base_->head.planned_bytes(targets, kind());
    return use;
}

void ModelSession::prepare(int64_t bytes, int64_t rows, int64_t targets, bool training, Stream& stream) {
    if (stream.device == nullptr) return;  // untouched memory of the host costs nothing
    const Status status = base_->ops.memory_reserve(bytes, &stream);
    require(status != Status::Memory, Code::Memory, "Expected to reserve ", SizeText(bytes).text,
            " for the run but the GPU refused. Use dtype bf16, smaller micro-batches or shorter rows, or end "
            "what else uses the GPU.");
    check(status, "memory_reserve");
    base_->trunk.reserve_rows(rows, training, stream);
    if (adapter_) adapter_->prepare(rows, training, base_->ops, stream);
    base_->head.prepare(targets, kind(), stream);
    if (training) start_training(stream);
}

void ModelSession::check_batch(const PackedBatch& batch, bool scores) const {
    batch.check(base_->config.vocabulary, base_->config.max_positions);
    require_heads(scores);
}

void ModelSession::gather(const PackedBatch& batch, bool keep, Stream& stream) {
    const ConstMat states =
        base_->trunk.forward(base_->weights, batch, keep, stream, {adapter_.get(), nullptr});
    base_->head.gather(base_->weights, states, batch, kind(), stream);
}

ForwardResult ModelSession::forward(const PackedBatch& batch, float temperature, Stream& stream,
                                    std::vector<float>* hidden, std::vector<float>* logits) {
    check_batch(batch, false);
    require(temperature > 0 && std::isfinite(temperature), Code::Option,
            "Expected a temperature above 0 but received ", temperature, ".");
    ForwardResult result;
    if (batch.targets.empty()) return result;
    gather(batch, false, stream);
    if (hidden != nullptr) {
        hidden->resize(batch.targets.size() * static_cast<size_t>(base_->config.width));
        base_->head.copy_normed(hidden->data(), stream);
    }
    if (logits != nullptr)
        logits->resize(batch.targets.size() * static_cast<size_t>(base_->config.vocabulary));
    TargetStats stats;
    base_->head.evaluate(stats, base_->weights, temperature, logits == nullptr ? nullptr : logits->data(),
                         stream);
    result.logprobs = std::move(stats.logprobs);
    result.entropies = std::move(stats.entropies);
    result.mean_logits = std::move(stats.mean_logits);
    result.argmax = std::move(stats.argmax);
    return result;
}

namespace {

void add_losses(StepResult& result, const LossOptions& loss) {
    for (size_t g = 0; g < result.group_losses.size(); ++g)
        result.loss +=
            result.group_losses[g] * (loss.weights.empty() ? 1 : loss.weights[g]) / loss.normaliser;
    require(std::isfinite(result.loss), Code::NotFinite, "The loss is ", result.loss, ".");
}

}  // namespace

namespace {

// Where the loss is a policy's.
void add_policy(StepResult& result, const TargetStats& stats, const LossOptions& loss,
                const PackedBatch& batch) {
    const auto* policy = std::get_if<PolicyOptions>(&loss.family);
    if (policy == nullptr) return;
    result.policy->sums = policy_sums(*policy, batch, stats.logprobs.data(), stats.entropies.data());
    result.policy->logprobs = stats.logprobs;
}

// There is a part exactly where it is wanted; one that was there stays.
template <class Part>
void have_part(std::optional<Part>& part, bool wanted) {
    if (!wanted)
        part.reset();
    else if (!part)
        part.emplace();
}

}  // namespace

void clear_result(StepResult& result, const PackedBatch& batch, const LossOptions* loss) {
    result.loss = 0;
    result.group_losses.assign(batch.groups.size(), 0);
    result.completions.clear();
    result.scores.clear();
    result.tie_gradient = 0;
    have_part(result.policy, loss != nullptr && std::holds_alternative<PolicyOptions>(loss->family));
    if (result.policy) {
        result.policy->sums = {};
        result.policy->logprobs.clear();
    }
    have_part(result.value, loss != nullptr && std::holds_alternative<ValueOptions>(loss->family));
    if (result.value) {
        result.value->sums = {};
        result.value->values.clear();
    }
    result.trunk_rows = 0;
    result.head_rows = 0;
}

void sum_completions(StepResult& result, const TargetStats& stats, const PackedBatch& batch) {
    result.head_rows = stats.head_rows;
    for (const Completion& completion : batch.completions) {
        CompletionSums sums;
        for (int32_t i = completion.first; i < completion.first + completion.count; ++i) {
            const auto t = static_cast<size_t>(i);
            sums.logprob += stats.logprobs[t];
            sums.entropy += stats.entropies[t];
            sums.mean_logit += stats.mean_logits[t];
            sums.correct += stats.argmax[t] == batch.targets[t].token ? 1 : 0;
            sums.count += 1;
        }
        result.completions.push_back(sums);
    }
}

void ModelSession::step(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                        Stream& stream) {
    check_batch(batch, is_score_loss(loss));
    check_loss(loss, batch, kind().scores);
    start_training(stream);
    clear_result(result, batch, &loss);
    if (batch.targets.empty()) {
        step_without_targets(result, batch, loss);
        trained_.note_gathered();
        return;
    }
    gather(batch, true, stream);
    result.trunk_rows = batch.rows();
    if (kind().scores > 0)
        step_scores(result, batch, loss, true, stream);
    else
        step_logprobs(result, batch, loss, stream);
    add_losses(result, loss);
    backward(batch, stream);
}

void ModelSession::backward(const PackedBatch& batch, Stream& stream) {
    const Mat dx = base_->trunk.output_gradient();
    check(base_->ops.fill(static_cast<float*>(dx.data), 0, dx.rows * dx.cols, &stream), "fill");
    base_->head.scatter(dx, base_->weights, base_gradients(), stream);
    if (adapter_) adapter_->bind_gradients(trained_.gradients());
    base_->trunk.backward(base_->weights, base_gradients(), batch, stream, {adapter_.get(), nullptr});
    trained_.note_gathered();
}

void ModelSession::evaluate(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                            Stream& stream) {
    check_batch(batch, is_score_loss(loss));
    check_loss(loss, batch, kind().scores);
    clear_result(result, batch, &loss);
    if (batch.targets.empty()) {
        step_without_targets(result, batch, loss);
        return;
    }
    gather(batch, false, stream);
    result.trunk_rows = batch.rows();
    if (kind().scores > 0)
        step_scores(result, batch, loss, false, stream);
    else
        evaluate_logprobs(result, batch, loss, stream);
    add_losses(result, loss);
}

// Empty completions have the sum 0: no gradient, but a pair of them has a loss, as it has beside others.
void ModelSession::step_without_targets(StepResult& result, const PackedBatch& batch,
                                        const LossOptions& loss) const {
    if (is_score_loss(loss)) return;  // nothing is scored
    logprob_loss(result.group_losses.data(), {}, loss, batch, 0, static_cast<int64_t>(batch.groups.size()),
                 base_->space.loss);
    result.completions.resize(batch.completions.size());
    add_losses(result, loss);
}

void ModelSession::step_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                                 Stream& stream) {
    const auto groups = [&](int64_t first, int64_t count, const TargetSpan& targets) {
        logprob_loss(result.group_losses.data() + first, targets, loss, batch, first, count,
                     base_->space.loss);
    };
    const auto lone_targets = [&](int64_t first, int64_t count, const TargetSpan& targets) {
        target_loss(result.group_losses.data(), targets, loss, batch, first, count);
    };
    HeadLoss head_loss;
    // References: what a lambda captures would be allocated.
    head_loss.groups = std::ref(groups);
    if (independent_targets(loss)) head_loss.targets = std::ref(lone_targets);
    head_loss.temperature = static_cast<float>(loss_temperature(loss));
    head_loss.entropy = has_entropy_term(loss);
    TargetStats& stats = base_->space.stats;
    base_->head.train(stats, base_->weights, base_gradients(), batch, head_loss, stream);
    sum_completions(result, stats, batch);
    add_policy(result, stats, loss, batch);
}

void ModelSession::evaluate_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                                     Stream& stream) {
    TargetStats& stats = base_->space.stats;
    base_->head.evaluate(stats, base_->weights, static_cast<float>(loss_temperature(loss)), nullptr, stream);
    std::vector<float>& unused = base_->space.unused_gradient;
    unused.resize(batch.targets.size());
    const TargetSpan targets{stats.logprobs.data(), stats.entropies.data(), unused.data(), nullptr};
    logprob_loss(result.group_losses.data(), targets, loss, batch, 0,
                 static_cast<int64_t>(batch.groups.size()), base_->space.loss);
    sum_completions(result, stats, batch);
    add_policy(result, stats, loss, batch);
}

UpdateResult ModelSession::update(const UpdateOptions& options, Stream& stream) {
    start_training(stream);
    const UpdateResult result = trained_.update(options, stream);
    if (result.finite) ++version_;
    return result;
}

}  // namespace attune
