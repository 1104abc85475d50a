// What a step tells of a policy's ratios. Knows no models.
#pragma once

#include "core/batch.h"
#include "loss/loss_options.h"

namespace attune {

// Sums of a batch, weights left out: means are formed over all batches of an update, and over all machines.
struct PolicySums {
    double count = 0;          // targets
    double ratios = 0;         // targets, or completions with targets where those have the ratios
    double ratio = 0;          // over ratios
    double ratio_squared = 0;  // over ratios
    double clipped = 0;        // ratios whose clipped term is strictly larger
    double clipped_low = 0;    // ratios below the range, of a negative advantage
    double clipped_high = 0;   // ratios above the range (or the cap), of a positive advantage
    double approx_kl = 0;      // over targets: (log-prob - old)^2 / 2, old: what the ratio is taken to
    double k1 = 0;             // over targets: old - log-prob
    double kl = 0;             // over targets: the penalty's estimate; 0 without a reference
    double entropy = 0;        // over targets
};

// logprobs, entropies: [targets] of the whole batch.
PolicySums policy_sums(const PolicyOptions& options, const PackedBatch& batch, const float* logprobs,
                       const float* entropies);

}  // namespace attune
