// The device that this program was built with: CUDA's kernels over fibers ("simt"), or on a GPU ("cuda").
#pragma once

#include <string>

#include "core/ops.h"
#include "core/stream.h"

namespace attune::tool {

// How decode steps ran so far.
struct StepReport {
    int64_t replayed = 0;  // as a graph that was there
    int64_t recorded = 0;  // as a graph that was made for it
    int64_t ordinary = 0;
    std::string failure;  // why a graph could not be made
};

struct DeviceTable {
    std::string name;
    // Tensors lie in the device's memory; for models.
    const Ops* ops;
    Stream* stream;
    // The same behind copies of all operands; for checks, which hand over host memory.
    const Ops* staged;

    // Of its memory, in use or kept.
    int64_t reserved_bytes() const;
    StepReport steps() const;
    // From now on graphs cannot be made; false where that cannot be simulated.
    bool refuse_graphs(bool refuse) const;
};

// What it said of the last failure; empty where there was none.
std::string device_failure();

// Null where the program has none. Throws Code::Backend where its device cannot be opened.
const DeviceTable* device_table();

}  // namespace attune::tool
