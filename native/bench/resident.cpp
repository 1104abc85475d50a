// Reads /proc/self/status and writes /proc/self/clear_refs.
#include "bench/resident.h"

#include <fstream>
#include <string>

namespace attune::bench {

namespace {

// The kilobytes behind a key of /proc/self/status, in bytes.
int64_t status_bytes(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
    return 0;
}

}  // namespace

int64_t resident_bytes() {
    return status_bytes("VmRSS:");
}

int64_t resident_peak() {
    return status_bytes("VmHWM:");
}

void reset_resident_peak() {
    std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace attune::bench
