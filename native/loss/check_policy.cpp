// What losses of policies and values refuse. Must not compute a loss.
#include "loss/check_policy.h"

#include <cmath>

#include "loss/check_values.h"

namespace attune {

namespace {

void check_logprobs(const std::vector<double>& values, const char* name, const PackedBatch& batch,
                    bool may_be_empty) {
    check_size(values, batch.targets.size(), name, "target", may_be_empty);
    check_range(values, name, -kAny, kAny, "a finite log-prob");
}

void check_completion_weights(const std::vector<double>& weights, const PackedBatch& batch) {
    check_size(weights, batch.completions.size(), "completionWeights", "completion", true);
    check_weights(weights, "completionWeights");
}

void check_clip(const PolicyOptions& options) {
    const PolicyClip& clip = options.clip;
    require(clip.low >= 0 && clip.low < 1, Code::Option, "Expected clipLow in [0, 1) but received ", clip.low,
            ". Typical: 0.2.");
    check_number("clipHigh", clip.high, 0, "a number >= 0");
    require(clip.cap > 0, Code::Option, "Expected ratioCap above 0 but received ", clip.cap, ".");
    require(std::isfinite(clip.cap) || !options.entry->needs_cap, Code::Option,
            "Expected ratioCap, the largest ratio that counts, which the form ", options.entry->form,
            " needs, but received none. Typical: 5.");
}

}  // namespace

void check_policy(const PolicyOptions& options, const PackedBatch& batch) {
    check_clip(options);
    const bool of_targets = options.ratio->of == RatioOf::Token;
    check_size(options.advantages, of_targets ? batch.targets.size() : batch.completions.size(), "advantages",
               of_targets ? "target" : "completion", false);
    check_range(options.advantages, "advantages", -kAny, kAny, "a finite advantage");
    check_logprobs(options.old_logprobs, "oldLogprobs", batch, false);
    check_logprobs(options.start_logprobs, "startLogprobs", batch, true);
    check_logprobs(options.reference_logprobs, "referenceLogprobs", batch, true);
    check_number("klWeight", options.kl_weight, 0, "a weight >= 0");
    require(options.kl_weight == 0 || !options.reference_logprobs.empty() || batch.targets.empty(),
            Code::Shape, "referenceLogprobs: expected ", batch.targets.size(),
            " values (one per target), as klWeight is above 0, but got none.");
    check_number("entropyWeight", options.entropy_weight, -kAny, "a finite number");
    const auto temperature = static_cast<float>(options.temperature);
    require(temperature > 0 && std::isfinite(temperature), Code::Option,
            "Expected temperature above 0 but received ", options.temperature,
            ". Greedy samples (temperature 0) have the log-probs of temperature 1.");
    check_completion_weights(options.completion_weights, batch);
}

void check_value(const ValueOptions& options, const PackedBatch& batch, int64_t heads) {
    require(heads == 1, Code::Option, "Expected a value model with one score head but this one has ", heads,
            ": a state has one value. Train the critic from a reward model with a single head.");
    check_size(options.returns, batch.targets.size(), "returns", "target", false);
    check_range(options.returns, "returns", -kAny, kAny, "a finite return");
    const bool clips = options.clip < std::numeric_limits<double>::infinity();
    require(options.clip > 0, Code::Option, "Expected clip above 0 but received ", options.clip,
            ". Leave it out to clip nothing.");
    check_size(options.old_values, batch.targets.size(), "oldValues", "target", !clips);
    check_range(options.old_values, "oldValues", -kAny, kAny, "a finite value");
    check_number("bias", options.bias, -kAny, "a finite number");
    check_completion_weights(options.completion_weights, batch);
}

}  // namespace attune
