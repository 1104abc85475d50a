// Scans for NaN and infinity at memory speed. Uses std only.
#include "formats/not_finite.h"

#include <algorithm>
#include <bit>

namespace attune {

int64_t find_not_finite(const float* values, int64_t count) noexcept {
    constexpr int64_t stretch = 4096;
    const auto not_finite = [](float value) {
        return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7f800000u) == 0x7f800000u);
    };
    for (int64_t start = 0; start < count; start += stretch) {
        const int64_t end = std::min(count, start + stretch);
        uint32_t any = 0;  // no early exit inside a stretch: this loop vectorises
        for (int64_t i = start; i < end; ++i) any |= not_finite(values[i]);
        if (any == 0) continue;
        for (int64_t i = start; i < end; ++i) {
            if (not_finite(values[i]) != 0) return i;
        }
    }
    return -1;
}

}  // namespace attune
