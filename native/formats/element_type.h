// How the values of a stored tensor are laid out: plain floats or GGUF blocks, and the function that decodes
// them. Knows no file; the lists of names and numbers belong to safetensors.cpp and gguf.cpp.
#pragma once

#include "formats/gguf_dequantise.h"

namespace attune {

struct ElementType {
    const char* name;          // as its format spells it
    int64_t block_values = 1;  // values of one block; 1 for plain numbers
    int64_t block_bytes = 1;
    DequantiseBlocks decode = nullptr;  // nullptr: known, its size is checked, but it can't be read as floats
};

void decode_f32(float* y, const uint8_t* x, int64_t values);   // x: 4 bytes each
void decode_f16(float* y, const uint8_t* x, int64_t values);   // x: 2 bytes each
void decode_bf16(float* y, const uint8_t* x, int64_t values);  // x: 2 bytes each

}  // namespace attune
