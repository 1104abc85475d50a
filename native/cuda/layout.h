// Where element (n, k) of a parameter lies on the device, for kernels. Parameters are rows whatever their
// layout is called; those of Layout::Panels are even(K) apart and padded to whole panels, as their number of
// elements says: what copies 16 bytes at once, tensor maps and cuBLASLt all read rows. Knows no op.
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

// Elements from one row to the next.
__host__ __device__ constexpr int64_t weight_stride(Layout layout, int64_t K) {
    return layout == Layout::Rows ? K : (K + 1) / 2 * 2;
}

__device__ inline int64_t weight_index(Layout layout, int64_t K, int64_t n, int64_t k) {
    return n * weight_stride(layout, K) + k;
}

}  // namespace attune::gpu
