// One plan for the process, under one lock.
#include "cuda/simt/machine_simt.h"

#include <cstdlib>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "cuda/fault.h"

namespace attune::simt {

namespace {

constexpr const char* kCallNames[] = {"count",    "properties", "use",    "code", "queue", "free",
                                      "allocate", "pinned",     "launch", "copy", "wait"};
constexpr int kCalls = static_cast<int>(std::size(kCallNames));

struct PlannedError {
    int call;
    int64_t number;  // 0: every one
    int error;
};

struct Machine {
    std::mutex mutex;
    std::string environment;
    MachineFacts facts;
    std::vector<PlannedError> errors;
    int64_t calls[kCalls] = {};
    int lost[kMostDevices] = {};
};

// Never destroyed: threads may end after statics do.
Machine& machine() {
    static auto* all = new Machine;
    return *all;
}

int call_of(const std::string& name) {
    for (int i = 0; i < kCalls; ++i)
        if (name == kCallNames[i]) return i;
    throw std::runtime_error("simt: unknown word of a plan: " + name);
}

bool set_fact(MachineFacts& facts, const std::string& name, int value) {
    if (name == "memory") {
        facts.memory_bytes = int64_t{value} << 20;
        return true;
    }
    int* fact = name == "devices"      ? &facts.devices
                : name == "capability" ? &facts.capability
                : name == "driver"     ? &facts.driver
                : name == "toolkit"    ? &facts.toolkit
                : name == "slow"       ? &facts.slow
                                       : nullptr;
    if (fact != nullptr) *fact = value;
    return fact != nullptr;
}

void apply(Machine& m, const std::string& plan) {
    MachineFacts facts;
    std::vector<PlannedError> errors;
    std::istringstream words(plan);
    for (std::string word; words >> word;) {
        const size_t equals = word.find('=');
        const size_t at = word.find('@');
        const int value = equals == std::string::npos ? 0 : std::atoi(word.c_str() + equals + 1);
        if (set_fact(facts, word.substr(0, equals), value)) continue;
        const bool one = at < equals;
        errors.push_back(
            {call_of(word.substr(0, one ? at : equals)), one ? std::atoll(word.c_str() + at + 1) : 0, value});
    }
    if (facts.devices > kMostDevices) throw std::runtime_error("simt: too many devices");
    m.facts = facts;
    m.errors = std::move(errors);
    for (int64_t& count : m.calls) count = 0;
    for (int& error : m.lost) error = 0;
}

}  // namespace

void set_plan(const std::string& plan) {
    const std::scoped_lock lock(machine().mutex);
    apply(machine(), plan);
}

void read_environment() {
    const char* value = std::getenv("ATTUNE_SIMT");
    const std::string plan = value == nullptr ? "" : value;
    const std::scoped_lock lock(machine().mutex);
    if (plan == machine().environment) return;
    apply(machine(), plan);
    machine().environment = plan;
}

MachineFacts machine_facts() {
    const std::scoped_lock lock(machine().mutex);
    return machine().facts;
}

int error_of(Call call, int device) {
    Machine& m = machine();
    const std::scoped_lock lock(m.mutex);
    const int index = static_cast<int>(call);
    const int64_t number = ++m.calls[index];
    if (m.lost[device] != 0) return m.lost[device];
    for (const PlannedError& planned : m.errors)
        if (planned.call == index && (planned.number == 0 || planned.number == number)) {
            // What a kernel does to the device comes when it runs.
            if (gpu::fault_of(planned.error) == gpu::Fault::Lost && call != Call::Launch)
                m.lost[device] = planned.error;
            return planned.error;
        }
    return 0;
}

void lose_device(int device, int error) {
    const std::scoped_lock lock(machine().mutex);
    machine().lost[device] = error;
}

int lost_error(int device) {
    const std::scoped_lock lock(machine().mutex);
    return machine().lost[device];
}

}  // namespace attune::simt
