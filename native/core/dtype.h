// Number formats of tensors and their conversions, one value at a time. Bulk conversion belongs to the ops
// table.
#pragma once

#include <bit>
#include <cstdint>

namespace attune {

enum class DType : int32_t { F32 = 0, BF16 = 1 };

using bf16_t = uint16_t;  // the upper half of a float's bits

constexpr int64_t dtype_size(DType dtype) noexcept {
    return dtype == DType::F32 ? 4 : 2;
}
constexpr const char* dtype_name(DType dtype) noexcept {
    return dtype == DType::F32 ? "fp32" : "bf16";
}

inline float bf16_to_float(bf16_t value) noexcept {
    return std::bit_cast<float>(uint32_t{value} << 16);
}

// Round to nearest even; NaN stays NaN (quiet), infinities stay.
inline bf16_t float_to_bf16(float value) noexcept {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16_t>((bits >> 16) | 0x40u);
    return static_cast<bf16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace attune
