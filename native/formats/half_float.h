// IEEE half precision to fp32, one value. Uses std only; branch-free so that loops over it vectorise.
#pragma once

#include <bit>
#include <cstdint>

namespace attune {

// Exact for every half: subnormals, infinities and NaN included.
inline float half_to_float(uint16_t half) noexcept {
    const uint32_t bits = uint32_t{half} << 16;
    const uint32_t magnitude = bits + bits;  // without the sign, exponent at the top
    // Normal halves: the exponent moves into float's place, 2^-112 corrects its bias; 31 becomes 255 (inf,
    // NaN).
    const float normal = std::bit_cast<float>((magnitude >> 4) + (uint32_t{0xe0} << 23)) * 0x1.0p-112f;
    // Subnormal halves: the mantissa is put below 0.5, which is then taken away.
    const float subnormal = std::bit_cast<float>((magnitude >> 17) | (uint32_t{126} << 23)) - 0.5f;
    const uint32_t is_subnormal = 0u - static_cast<uint32_t>(magnitude < (uint32_t{1} << 27));
    const uint32_t value = (std::bit_cast<uint32_t>(subnormal) & is_subnormal) |
                           (std::bit_cast<uint32_t>(normal) & ~is_subnormal);
    return std::bit_cast<float>((bits & 0x80000000u) | value);
}

}  // namespace attune
