// The loss of a value model's estimates at packed targets. Knows no models.
#pragma once

#include <cstdint>
#include <vector>

#include "core/batch.h"
#include "loss/loss_options.h"

namespace attune {

struct ValueSums {
    double count = 0;    // targets
    double clipped = 0;  // targets whose clipped square is strictly larger
};

// scores [targets] of the one head -> values (=) [targets], bias added; group_losses (=) [groups], undivided;
// dscores (=) [targets] of the divided loss.
ValueSums value_loss(double* group_losses, double* dscores, double* values, const double* scores,
                     const LossOptions& options, const PackedBatch& batch);

}  // namespace attune
