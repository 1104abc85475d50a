// The second half of sums over rows: partial sums of blocks of rows are added in order, in double.
#pragma once

#include <cstdint>

#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {
namespace {

// target[C] += sum over blocks of partial[blocks][C]
__global__ void add_column_sums_kernel(float* target, const float* partial, int64_t blocks, int64_t C) {
    const int64_t c = thread_index();
    if (c >= C) return;
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) sum += static_cast<double>(partial[block * C + c]);
    target[c] = static_cast<float>(static_cast<double>(target[c]) + sum);
}

inline Status add_column_sums(const char* name, float* target, const float* partial, int64_t blocks,
                              int64_t C, void* queue) {
    return launch(name, add_column_sums_kernel, {blocks_for(C)}, kThreads, 0, queue, target, partial, blocks,
                  C);
}

}  // namespace
}  // namespace attune::gpu
