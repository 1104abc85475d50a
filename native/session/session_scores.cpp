// What a session does with score heads: scores and their losses, states, scaling; and the errors of a model
// of the other kind.
#include <cmath>

#include "core/error.h"
#include "session/model_session.h"

namespace attune {

HeadKind ModelSession::kind() const {
    const TensorSpec* own = adapter_ ? adapter_->score_head() : nullptr;
    return {own != nullptr ? own->N : base_->config.score_heads};
}

const TensorSpec& ModelSession::score_tensor() const {
    const TensorSpec* own = adapter_ ? adapter_->score_head() : nullptr;
    return own != nullptr ? *own : base_->spec.at("score");
}

Weight ModelSession::score_weight() const {
    const bool own = adapter_ && adapter_->score_head() != nullptr;
    return (own ? adapter_->weights() : base_->weights).matrix(score_tensor());
}

void ModelSession::require_heads(bool scores) const {
    const int64_t heads = kind().scores;
    require(!scores || heads > 0, Code::Model,
            "Expected a reward model (with a score head) but this one predicts tokens. Give a "
            "sequence-classification folder, or a language model with { scoreHead: {} } to train one.");
    require(scores || heads == 0, Code::Model,
            "Expected a language model (a policy) but this one is a reward model: it has ", heads,
            " score head(s) and predicts no tokens. Give the model that it was made from, or use score().");
}

std::vector<float> ModelSession::score(const PackedBatch& batch, Stream& stream) {
    check_batch(batch, true);
    std::vector<float> scores;
    if (batch.targets.empty()) return scores;
    gather(batch, false, stream);
    base_->head.score(scores, score_weight(), stream);
    return scores;
}

std::vector<float> ModelSession::states(const PackedBatch& batch, Stream& stream) {
    check_batch(batch, kind().scores > 0);
    std::vector<float> states(batch.targets.size() * static_cast<size_t>(base_->config.width));
    if (batch.targets.empty()) return states;
    gather(batch, false, stream);
    base_->head.copy_normed(states.data(), stream);
    return states;
}

void ModelSession::step_scores(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                               bool with_gradient, Stream& stream) {
    const Weight heads = score_weight();
    StepSpace& space = base_->space;
    base_->head.score(space.head_scores, heads, stream);
    space.scores.assign(space.head_scores.begin(), space.head_scores.end());
    space.d_scores.assign(space.scores.size(), 0);
    result.head_rows = static_cast<int64_t>(batch.targets.size());
    if (result.value) {
        result.value->values.resize(space.scores.size());
        result.value->sums = value_loss(result.group_losses.data(), space.d_scores.data(),
                                        result.value->values.data(), space.scores.data(), loss, batch);
    } else {
        score_loss(result.group_losses.data(), space.d_scores.data(), &result.tie_gradient,
                   space.scores.data(), heads.N, loss, batch, space.loss);
        result.scores = space.scores;
    }
    if (!with_gradient) return;
    WeightGrad gradient;
    if (adapter_ && adapter_->score_head() != nullptr)
        gradient = trained_.gradients()->matrix(*adapter_->score_head(), stream);
    else if (base_gradients() != nullptr)
        gradient = base_gradients()->matrix(score_tensor(), stream);
    base_->head.score_backward(space.d_scores, heads, gradient, stream);
}

void ModelSession::scale_score_heads(const std::vector<double>& factors, Stream& stream) {
    require_heads(true);
    check_trainable();
    require(
        trained_.spec().has("score"), Code::Model,
        "Expected score heads of this model's own but they belong to the base under its adapter, which stays "
        "as it is.");
    const TensorSpec& heads = score_tensor();
    require(static_cast<int64_t>(factors.size()) == heads.N, Code::Option, "Expected ", heads.N,
            " factors (one per score head) but received ", factors.size(), ".");
    for (const double factor : factors)
        require(std::isfinite(factor) && factor != 0, Code::Option,
                "Expected finite factors other than 0 for score heads but received ", factor, ".");
    // Rounded weights alone would lose the scaling at the next update.
    read_masters(stream);
    trained_.scale_score_heads(factors, stream);
    ++version_;
}

}  // namespace attune
