// Picks an ops table. The list of what this machine can run, and the one the engine uses.
#pragma once

#include <string>
#include <vector>

#include "core/ops.h"

namespace attune {

struct IsaInfo {
    std::string name;
    bool built;     // compiled into this library
    bool native;    // not emulated
    bool runnable;  // the processor and the operating system support it
};

// Best first: avx512bf16, avx512, avx2, neon, scalar; then the emulated ones where they are built (never
// picked by default).
std::vector<IsaInfo> list_isas();

// `wanted` empty = the best runnable native one. Throws Code::Backend naming what the processor lacks, or
// Code::Option for an unknown name with the list of known ones.
const Ops& cpu_ops(const std::string& wanted);

// Turns a Status into an Error that names the op.
void check(Status status, const char* op);

}  // namespace attune
