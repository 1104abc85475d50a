// What passes over a model's targets work in beside the arenas of trunk and head: kept from step to step by
// the base, so that a step no larger than one before allocates nothing. Holds nothing between commands.
#pragma once

#include <vector>

#include "loss/loss_space.h"
#include "model/head.h"
#include "model/head_kl.h"

namespace attune {

struct StepSpace {
    TargetStats stats;
    std::vector<float> unused_gradient;  // [targets] where a loss is only evaluated
    std::vector<float> head_scores;      // [targets, heads]
    std::vector<double> scores;          // [targets, heads] the same, as losses take them
    std::vector<double> d_scores;        // [targets, heads]
    KlValues divergences;
    KlGradient kl_gradient;
    LossSpace loss;
};

}  // namespace attune
