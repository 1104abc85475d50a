// The process-wide thread pools: engines with the same number of threads share one. Knows nothing of what
// they run.
#pragma once

#include <memory>

#include "core/threads.h"

namespace attune {

// The pool lives as long as somebody holds it; its workers are joined with the last holder.
// Throws Code::Option for an absurd number.
std::shared_ptr<ThreadPool> shared_pool(int threads);

}  // namespace attune
