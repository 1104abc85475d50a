// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with gradient clipping: the numbers of one step, and
// the norm. Knows flat buffers only, not models.
#pragma once

#include <cstdint>

#include "core/ops.h"

namespace attune {

struct AdamWOptions {
    double learning_rate = 1e-5;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
    double max_grad_norm = 1;  // 0 = no clipping
};

// Throws Code::Option naming the first value out of its range.
void check_adamw(const AdamWOptions& options);

// L2 norm of x[n], summed in double in a fixed order.
double gradient_norm(const Ops& ops, const float* x, int64_t n, Stream& stream);

// What the kernel needs at step t = 1, 2, ...; gradients are scaled by min(1, max_grad_norm / (norm + 1e-6)).
AdamW adamw_step(const AdamWOptions& options, int64_t t, double norm);

}  // namespace attune
