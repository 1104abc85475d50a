// The cases by name, and the function that callgrind looks for: apart from whoever calls it, so that it stays
// a function of its own.
#include "tool/case.h"

#include "core/error.h"
#include "core/scratch.h"
#include "core/threads.h"

namespace attune::tool {

namespace {

struct Case {
    std::string name;
    void (*body)(const CaseContext&);
};

std::vector<Case>& registry() {
    static std::vector<Case> list;
    return list;
}

}  // namespace

RegisterCase::RegisterCase(const char* name, void (*body)(const CaseContext&)) {
    registry().push_back({name, body});
}

std::vector<std::string> case_names() {
    std::vector<std::string> names;
    for (const Case& one : registry()) names.push_back(one.name);
    return names;
}

void run_case(const std::string& name, const Ops& ops) {
    ThreadPool pool(1);
    Scratch scratch;
    Stream stream;
    stream.pool = &pool;
    stream.scratch = &scratch;
    for (const Case& one : registry())
        if (one.name == name) return one.body({ops, &stream});
    raise(Code::Option, "Unknown case \"", name, "\"; `list` prints the names.");
}

extern "C" void attune_counted(void (*body)(void*), void* context) {
    body(context);
    // No tail call: the body must return to here before the counting ends.
    asm volatile("");
}

}  // namespace attune::tool
