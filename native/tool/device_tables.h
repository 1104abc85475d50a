// Ops tables over devices, as checks use them beside those of the CPU.
#pragma once

#include "core/ops.h"

namespace attune::tool {

// CUDA's kernels over fibers; null where they are not built.
const Ops* simt_table();

}  // namespace attune::tool
