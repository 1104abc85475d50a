// Opens the library of CUDA kernels at run time and says how far that went. Libraries stay open until the
// process ends: CUDA and thread-local storage leave things behind that would point into them.
#pragma once

#include <string>
#include <vector>

#include "core/backend_abi.h"

namespace attune {

struct CudaLibrary {
    // "missing": there is no such file; "dlopen", "symbol", "abi": it does not fit this system or this
    // engine; "probe": it shows no device that can be used; "ok".
    std::string stage = "missing";
    std::string reason;
    BackendTable table{};
    std::vector<BackendDevice> devices;
    // Those that cannot be used, and why.
    struct Refused {
        int32_t index;
        std::string reason;
    };
    std::vector<Refused> refused;

    bool ok() const { return stage == "ok"; }
};

// The least compute capability that the kernels are compiled for.
constexpr int kLeastCapability = 80;

// Opened at the first call with that path, for the whole process; from any thread. Throws nothing.
const CudaLibrary& cuda_library(const std::string& path);

}  // namespace attune
