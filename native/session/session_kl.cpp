// Exact KL divergences of a session to a reference, and penalties on them. The reference goes first: it may
// share trunk, head and work space with the model, whose own pass backward() must find.
#include <cmath>

#include "core/error.h"
#include "session/model_session.h"

namespace attune {

namespace {

void check_options(const KlOptions& options, const PackedBatch& batch) {
    require(std::isfinite(options.normaliser) && options.normaliser > 0, Code::Option,
            "Expected normaliser above 0 (targets of the update) but received ", options.normaliser, ".");
    require(options.weights.empty() || options.weights.size() == batch.groups.size(), Code::Shape,
            "weights: expected ", batch.groups.size(), " (one per group) but got ", options.weights.size(),
            ".");
    for (size_t g = 0; g < options.weights.size(); ++g)
        require(std::isfinite(options.weights[g]) && options.weights[g] >= 0, Code::Option, "weights[", g,
                "]: expected a finite number >= 0 but received ", options.weights[g], ".");
}

double weight_of(const KlOptions& options, size_t group) {
    return options.weights.empty() ? 1 : options.weights[group];
}

// Calls visit(group, target) for every target that belongs to a group.
template <class Visit>
void each_target(const PackedBatch& batch, const Visit& visit) {
    for (size_t g = 0; g < batch.groups.size(); ++g)
        for (int32_t c = 0; c < batch.groups[g].count; ++c) {
            const Completion& completion = batch.completions[static_cast<size_t>(batch.groups[g].first + c)];
            for (int32_t t = 0; t < completion.count; ++t)
                visit(g, static_cast<size_t>(completion.first + t));
        }
}

// gradient =
void set_gradient(KlGradient& gradient, const KlOptions& options, const PackedBatch& batch) {
    gradient.reverse = options.reverse;
    gradient.d_kl.assign(batch.targets.size(), 0.0f);
    each_target(batch, [&](size_t group, size_t target) {
        gradient.d_kl[target] = static_cast<float>(weight_of(options, group) / options.normaliser);
    });
}

void add_divergences(StepResult& result, const KlValues& values, const KlOptions& options,
                     const PackedBatch& batch) {
    const std::vector<float>& divergences = options.reverse ? values.reverse_kl : values.kl;
    each_target(batch, [&](size_t group, size_t target) {
        result.group_losses[group] += static_cast<double>(divergences[target]);
    });
    for (size_t g = 0; g < batch.groups.size(); ++g)
        result.loss += result.group_losses[g] * weight_of(options, g) / options.normaliser;
    require(std::isfinite(result.loss), Code::NotFinite, "The KL penalty is ", result.loss, ".");
}

}  // namespace

void ModelSession::check_reference(const PackedBatch& batch, const ModelView& reference) const {
    check_batch(batch, false);
    require(reference.kind == HeadKind::Tokens, Code::Model,
            "Expected a reference that predicts tokens but it is a reward model: it has ",
            reference.kind.scores, " score head(s). Give the language model that the policy started from.");
    require(reference.config.vocabulary == base_->config.vocabulary, Code::Model,
            "Expected a reference with the model's vocabulary of ", base_->config.vocabulary,
            " tokens but it has ", reference.config.vocabulary,
            ". A KL divergence compares distributions over the same tokens: give the model that the policy "
            "started from.");
    batch.check(reference.config.vocabulary, reference.config.max_positions);
}

void ModelSession::set_reference(const PackedBatch& batch, const ModelView& reference, Stream& stream) {
    const ConstMat states =
        reference.trunk.forward(reference.weights, batch, false, stream, {reference.adapter, nullptr});
    reference.head.gather(reference.weights, states, batch, reference.kind, stream);
    base_->head_kl.set_reference(reference.head, reference.weights, stream);
}

KlValues ModelSession::kl(const PackedBatch& batch, Session& reference, Stream& stream) {
    const ModelView other = reference.view();
    check_reference(batch, other);
    KlValues values;
    if (batch.targets.empty()) return values;
    set_reference(batch, other, stream);
    gather(batch, false, stream);
    base_->head_kl.evaluate(values, base_->head, base_->weights, stream);
    return values;
}

void ModelSession::kl_step(StepResult& result, const PackedBatch& batch, Session& reference,
                           const KlOptions& options, Stream& stream) {
    const ModelView other = reference.view();
    check_reference(batch, other);
    check_options(options, batch);
    start_training(stream);
    clear_result(result, batch, nullptr);
    if (batch.targets.empty()) {
        result.completions.resize(batch.completions.size());
        trained_.note_gathered();
        return;
    }
    set_reference(batch, other, stream);
    gather(batch, true, stream);
    result.trunk_rows = batch.rows();
    StepSpace& space = base_->space;
    set_gradient(space.kl_gradient, options, batch);
    base_->head_kl.train(space.divergences, space.stats, base_->head, base_->weights, base_gradients(),
                         space.kl_gradient, stream);
    sum_completions(result, space.stats, batch);
    add_divergences(result, space.divergences, options, batch);
    backward(batch, stream);
}

int64_t ModelSession::planned_kl_bytes(Session& reference, int64_t targets) {
    const ModelView other = reference.view();
    const int64_t row_bytes = other.config.width * dtype_size(other.dtype);
    return HeadKl::planned_bytes(targets, row_bytes, base_->head.chunk_rows(), base_->config.vocabulary);
}

}  // namespace attune
