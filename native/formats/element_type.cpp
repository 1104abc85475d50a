// Decodes plain numbers of files to fp32, exactly. Reads bytes, writes floats, nothing else.
#include "formats/element_type.h"

#include <cstring>

#include "core/dtype.h"
#include "formats/byte_view.h"
#include "formats/half_float.h"

namespace attune {

void decode_f32(float* y, const uint8_t* x, int64_t values) {
    if (values > 0) std::memcpy(y, x, static_cast<size_t>(values) * sizeof(float));
}

void decode_f16(float* __restrict y, const uint8_t* __restrict x, int64_t values) {
    for (int64_t i = 0; i < values; ++i) y[i] = half_to_float(load_unaligned<uint16_t>(x + 2 * i));
}

void decode_bf16(float* __restrict y, const uint8_t* __restrict x, int64_t values) {
    for (int64_t i = 0; i < values; ++i) y[i] = bf16_to_float(load_unaligned<uint16_t>(x + 2 * i));
}

}  // namespace attune
