// Reads the words behind a benchmark's name. Must not know a benchmark.
#include "bench/arguments.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"

namespace attune::bench {

Arguments arguments_of(const Context& context) {
    Arguments arguments;
    for (const std::string& word : context.arguments) {
        if (word == dtype_name(DType::F32))
            arguments.dtypes.push_back(DType::F32);
        else if (word == dtype_name(DType::BF16))
            arguments.dtypes.push_back(DType::BF16);
        else
            arguments.rest.push_back(word);
    }
    if (arguments.dtypes.empty()) arguments.dtypes = {DType::F32, DType::BF16};
    return arguments;
}

void expect_no_arguments(const Context& context) {
    if (context.arguments.empty()) return;
    raise(Code::Option, "Expected no argument but received \"", context.arguments[0], "\".");
}

std::array<int64_t, 3> sizes_from(const std::string& text, const char* form) {
    long long first = 0, second = 0, third = 0;
    char more = 0;
    constexpr int64_t kMost = 1 << 24;
    const auto fits = [](int64_t size) { return size > 0 && size <= kMost; };
    const bool read = std::sscanf(text.c_str(), "%lldx%lldx%lld%c", &first, &second, &third, &more) == 3;
    require(read && fits(first) && fits(second) && fits(third), Code::Option,
            "Expected fp32, bf16 or a shape ", form, " but received \"", text, "\". Sizes go from 1 to ",
            kMost, ".");
    return {first, second, third};
}

std::string shape_text(const std::array<int64_t, 3>& sizes) {
    return std::to_string(sizes[0]) + "x" + std::to_string(sizes[1]) + "x" + std::to_string(sizes[2]);
}

std::vector<std::string> chosen_names(const std::vector<std::string>& asked,
                                      const std::vector<std::string>& known) {
    if (asked.empty()) return known;
    for (const std::string& name : asked) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        std::string all;
        for (const std::string& one : known) all += ", \"" + one + "\"";
        raise(Code::Option, "Expected fp32, bf16", all, " but received \"", name, "\".");
    }
    return asked;
}

}  // namespace attune::bench
