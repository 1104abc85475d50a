// Finds NaN and infinity among fp32 values. Uses std only.
#pragma once

#include <cstdint>

namespace attune {

// Index of the first value of values[count] that is NaN or infinite, or -1.
int64_t find_not_finite(const float* values, int64_t count) noexcept;

}  // namespace attune
