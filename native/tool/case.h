// How a case registers whose instructions are counted (scripts/instructions.mjs), and what of it is counted.
// Includes core only.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "core/ops.h"
#include "core/stream.h"

namespace attune::tool {

struct CaseContext {
    const Ops& ops;
    Stream* stream;  // of one thread
};

// At namespace scope of a case_<name>.cpp:  const RegisterCase gemm("gemm-forward-fp32", gemm_forward);
struct RegisterCase {
    RegisterCase(const char* name, void (*body)(const CaseContext&));
};

std::vector<std::string> case_names();
// On one thread. Throws Code::Option for an unknown name.
void run_case(const std::string& name, const Ops& ops);

// Calls body(context). callgrind counts what happens in here, and finds it by this name.
extern "C" void attune_counted(void (*body)(void*), void* context);

// Once uncounted, so that all memory is there, then once counted.
template <class Body>
void count_instructions(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    body();
    attune_counted([](void* context) { (*static_cast<Plain*>(context))(); }, &body);
}

}  // namespace attune::tool
