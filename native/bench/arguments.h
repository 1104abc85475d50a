// What stands behind a benchmark's name: number formats, and shapes or names of its own. Throws Code::Option
// with what was expected.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace attune::bench {

struct Arguments {
    std::vector<DType> dtypes;      // as given; both where none is
    std::vector<std::string> rest;  // in order
};
Arguments arguments_of(const Context& context);
// For a benchmark that takes none.
void expect_no_arguments(const Context& context);

// "1024x1536x576"; `form` says how it is written: "MxNxK".
std::array<int64_t, 3> sizes_from(const std::string& text, const char* form);
std::string shape_text(const std::array<int64_t, 3>& sizes);

// What of `known` was asked for: all of it where nothing was.
std::vector<std::string> chosen_names(const std::vector<std::string>& asked,
                                      const std::vector<std::string>& known);

}  // namespace attune::bench
