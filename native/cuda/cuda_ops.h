// The ops table over a device, whatever it is made of.
#pragma once

#include "core/ops.h"

namespace attune::gpu {

Ops make_ops(const char* name);

}  // namespace attune::gpu
