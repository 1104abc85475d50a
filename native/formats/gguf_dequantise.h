// Block formats of GGUF to fp32, one function per format.
// Pure loops over memory: no file access, no allocation; a block is copied out byte by byte, so x may be
// unaligned.
//
// Every value is one multiplication and at most one addition or subtraction in float32, in the order of the
// format's definition and never contracted into a fused operation: the results are those of the gguf package,
// bit for bit.
#pragma once

#include <cstdint>

namespace attune {

// y[blocks * values per block] = the decoded values of x[blocks * bytes per block]
using DequantiseBlocks = void (*)(float* y, const uint8_t* x, int64_t blocks);

void dequantise_q4_0(float* y, const uint8_t* x, int64_t blocks);  // 32 values in 18 bytes
void dequantise_q4_1(float* y, const uint8_t* x, int64_t blocks);  // 32 values in 20 bytes
void dequantise_q5_0(float* y, const uint8_t* x, int64_t blocks);  // 32 values in 22 bytes
void dequantise_q5_1(float* y, const uint8_t* x, int64_t blocks);  // 32 values in 24 bytes
void dequantise_q8_0(float* y, const uint8_t* x, int64_t blocks);  // 32 values in 34 bytes
void dequantise_q4_k(float* y, const uint8_t* x, int64_t blocks);  // 256 values in 144 bytes
void dequantise_q5_k(float* y, const uint8_t* x, int64_t blocks);  // 256 values in 176 bytes
void dequantise_q6_k(float* y, const uint8_t* x, int64_t blocks);  // 256 values in 210 bytes

}  // namespace attune
