// What an engine owns: an ops table, a share of the process-wide thread pool, scratch memory and a command
// thread. Knows nothing of JavaScript values.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/backend.h"
#include "core/job_queue.h"
#include "core/scratch.h"
#include "core/shared_pool.h"

namespace attune::binding {

struct EngineCore {
    // isa empty = the best one. Throws Code::Backend, Code::Option.
    EngineCore(int threads, const std::string& isa) : ops(&cpu_ops(isa)), pool(shared_pool(threads)) {}

    const Ops* ops;
    std::shared_ptr<ThreadPool> pool;
    Scratch scratch;  // command thread only
    std::atomic<int64_t> scratch_bytes{0};
    JobQueue queue;  // last: its destructor joins the thread before the rest goes
};

}  // namespace attune::binding
