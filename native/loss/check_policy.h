// Holds what losses of policies and values are given against the batch. Private to loss/.
#pragma once

#include <cstdint>

#include "core/batch.h"
#include "loss/loss_options.h"

namespace attune {

// Throw Code::Shape or Code::Option naming the option, and the entry of a list.
void check_policy(const PolicyOptions& options, const PackedBatch& batch);
// heads: of the model.
void check_value(const ValueOptions& options, const PackedBatch& batch, int64_t heads);

}  // namespace attune
