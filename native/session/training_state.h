// The state of a trained set in one safetensors file: parameter/NAME, exp_avg/NAME, exp_avg_sq/NAME in fp32,
// and `updates`, the number of updates as [count mod 2^24, count div 2^24]. Knows files and flat buffers, not
// models.
#pragma once

#include <functional>
#include <string>

#include "core/ops.h"
#include "session/session.h"
#include "session/trained_tensors.h"

namespace attune {

// Atomic; without moments where training never began.
void write_state(const std::string& file, const TrainedTensors& trained, const Progress& progress,
                 Stream& stream);
// Every name and shape is checked before the first value is changed. Throws Code::Resume.
void read_state(const std::string& file, TrainedTensors& trained, const Ops& ops, const Progress& progress,
                Stream& stream);

}  // namespace attune
