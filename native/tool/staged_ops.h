// A table that checks can give host memory to, over one whose tensors lie in a device's memory: every operand
// is copied there before the op and back after it. For checks; slow.
#pragma once

#include "core/ops.h"

namespace attune::tool {

// `device` and `stream` must outlive the table; there is one at a time. before(threads) is called at each op
// with the number of threads of the caller's stream, which a check varies.
Ops staged_ops(const Ops& device, Stream* stream, void (*before)(int threads));

}  // namespace attune::tool
