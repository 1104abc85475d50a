// The device that this program was built with: CUDA's kernels over fibers ("simt"), or on a GPU ("cuda").
#pragma once

#include <string>

#include "core/ops.h"
#include "core/stream.h"

namespace attune::tool {

struct DeviceTable {
    std::string name;
    // Tensors lie in the device's memory; for models.
    const Ops* ops;
    Stream* stream;
    // The same behind copies of all operands; for checks, which hand over host memory.
    const Ops* staged;

    // Of its memory, in use or kept.
    int64_t reserved_bytes() const;
};

// What it said of the last failure; empty where there was none.
std::string device_failure();

// Null where the program has none. Throws Code::Backend where its device cannot be opened.
const DeviceTable* device_table();

}  // namespace attune::tool
