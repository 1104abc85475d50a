// Where element (n, k) of a parameter lies (core/ops.h, Layout), for kernels. Knows no op.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

template <class T>
__device__ inline int64_t weight_index(Layout layout, int64_t K, int64_t n, int64_t k) {
    if (layout == Layout::Rows) return n * K + k;
    const int64_t panel = n / kPanel * kPanel * ((K + 1) / 2 * 2);
    return sizeof(T) == 4 ? panel + k * kPanel + n % kPanel : panel + k / 2 * 64 + n % kPanel * 2 + k % 2;
}

}  // namespace attune::gpu
