// Memory that losses of rankings and scores work in, one group at a time. Whoever steps keeps it from batch
// to batch: it only grows. Holds nothing between calls.
#pragma once

#include <cstdint>
#include <vector>

namespace attune {

struct LossSpace {
    std::vector<double> scores;   // [K] of the group
    std::vector<double> slopes;   // [K] derivatives by them
    std::vector<int32_t> pairs;   // [pairs, 2] items of the group
    std::vector<int32_t> order;   // [K]
    std::vector<double> subsets;  // [3 * 2^g], g the largest number of tied items
};

}  // namespace attune
