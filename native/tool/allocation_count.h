// Counts, or refuses, what this program asks the system for: every malloc and its kin (operator new is built
// on it), every mmap and mremap of the code that is linked in. Knows nothing of who asks.
#pragma once

#include <cstdint>

namespace attune::tool {

struct Allocations {
    int64_t count = 0;        // -1: this C library's functions cannot be stood in for
    int64_t first_bytes = 0;  // of the first of them
};

void start_counting();
// By all threads since start_counting().
Allocations stop_counting();

// The calling thread's allocations fail, but for the next `granted`, until it allows them again.
void refuse_allocations(int64_t granted);
void allow_allocations();

}  // namespace attune::tool
