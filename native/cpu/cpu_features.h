// What the processor and the operating system support, as far as the ops tables need to know.
// From feature bits and saved register state, never from vendor or model.
#pragma once

#include <string>

namespace attune {

struct CpuFeatures {
    bool avx2 = false;        // AVX2, FMA and F16C, registers saved by the system
    bool avx512 = false;      // F, BW, DQ and VL on top of avx2, registers saved by the system
    bool avx512bf16 = false;  // BF16 on top of avx512
};

const CpuFeatures& cpu_features();

}  // namespace attune
