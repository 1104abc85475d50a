// What a head knows of consecutive targets, and the derivatives that a loss gives it for them. Plain data.
#pragma once

namespace attune {

// All pointers start at the same target.
struct TargetSpan {
    const float* logprobs;   // at the loss's temperature
    const float* entropies;  // nats, likewise
    float* d_logprobs;       // =
    float* d_entropies;      // =; null: the loss has no term of the entropy
};

}  // namespace attune
