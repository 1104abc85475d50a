// The fastest loops of multiply-adds in registers that each instruction set has: what arithmetic is measured
// against.
#pragma once

#include <cstdint>
#include <span>

#include "core/dtype.h"

namespace attune::bench {

constexpr int64_t kRounds = 1 << 20;

struct Arithmetic {
    const char* isa;  // as list_isas() names it; runs only where that is runnable
    DType dtype;      // of the factors; sums are fp32
    double flop_per_round;
    float (*run)();  // kRounds rounds; returns their sum, so that nothing is left out
};

// Of every instruction set of this architecture, best first; one without bf16 instructions has fp32 alone.
std::span<const Arithmetic> arithmetic();

}  // namespace attune::bench
