// Checks of numbers and lists that losses are given, each naming what is wrong. Private to loss/.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"

namespace attune {

// One value per `of`.
template <class Value>
void check_size(const std::vector<Value>& values, size_t wanted, const char* name, const char* of,
                bool may_be_empty) {
    require(values.size() == wanted || (may_be_empty && values.empty()), Code::Shape, name, ": expected ",
            wanted, " values (one per ", of, ") but got ", values.size(), ".");
}

// Every value within [low, high]; NaN is not.
inline void check_range(const std::vector<double>& values, const char* name, double low, double high,
                        const char* meaning) {
    for (size_t i = 0; i < values.size(); ++i)
        require(values[i] >= low && values[i] <= high && std::isfinite(values[i]), Code::Option, name, "[", i,
                "]: expected ", meaning, " but received ", values[i], ".");
}

constexpr double kAny = std::numeric_limits<double>::max();

inline void check_weights(const std::vector<double>& values, const char* name) {
    check_range(values, name, 0, kAny, "a weight >= 0");
}

inline void check_number(const char* name, double value, double low, const char* meaning) {
    require(value >= low && std::isfinite(value), Code::Option, "Expected ", name, " to be ", meaning,
            " but received ", value, ".");
}

}  // namespace attune
