// Tells two models of the same shapes apart by a sample of their weights. Reads; changes nothing.
#pragma once

#include <cstdint>

#include "model/spec.h"
#include "session/tensor_io.h"

namespace attune {

// Of up to 16 rows of every tensor, rounded to bf16: the same whichever file and dtype the weights came
// through, another one after training or quantising.
uint64_t weights_fingerprint(const ModelSpec& spec, const PartRows& rows);

}  // namespace attune
