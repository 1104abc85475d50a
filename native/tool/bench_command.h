// `bench NAME [ARGUMENT…]` of the plain runner.
#pragma once

#include <string>
#include <vector>

namespace attune::tool {

// Prints a line of JSON per row as soon as it is measured. threads 0 = all processors; isa empty = the best
// one. Throws Code::Option for an unknown name or argument.
void run_bench(const std::string& isa, int threads, const std::vector<std::string>& words);

}  // namespace attune::tool
