// Ops tables over devices, as checks use them beside those of the CPU.
#pragma once

#include "core/ops.h"
#include "core/stream.h"

namespace attune::tool {

// CUDA's kernels over fibers, behind copies of all operands; null where they are not built.
const Ops* simt_table();

// A table whose tensors lie in a device's memory, and a stream for it.
struct DeviceTable {
    const Ops* ops;
    Stream* stream;
};
// What whole steps are checked on; null where there is none.
const DeviceTable* device_to_check();
// Of its memory, in use or kept.
int64_t device_bytes();

}  // namespace attune::tool
