// The benchmarks, each in the file of its name. Must not be included but by the list
// in bench.cpp and by those files.
#pragma once

#include "bench/bench.h"

namespace attune::bench {

void peak(const Context& context);
void gemm(const Context& context);
void attention(const Context& context);
void head(const Context& context);
void fused_head(const Context& context);
void rows(const Context& context);

}  // namespace attune::bench
