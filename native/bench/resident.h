// What of this process lies in memory, from the kernel's own counts. Linux only; elsewhere nothing is known.
#pragma once

#include <cstdint>

namespace attune::bench {

// Bytes; 0 where they are not known.
int64_t resident_bytes();
// The most since the process began, or since reset_resident_peak() where the system allows that.
int64_t resident_peak();
void reset_resident_peak();

}  // namespace attune::bench
