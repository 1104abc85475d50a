// Stage by stage; each says what to do about it.
#include "core/cuda_library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>

namespace attune {

namespace {

constexpr size_t kTextBytes = 512;

bool exists(const std::string& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0;
}

// Without the line break that some texts end with.
std::string text_of(const char* text) {
    std::string result = text == nullptr ? "no reason given" : text;
    while (!result.empty() && result.back() == '\n') result.pop_back();
    return result;
}

void fail(CudaLibrary& library, const char* stage, std::string reason) {
    library.stage = stage;
    library.reason = std::move(reason);
}

std::string capability_text(const BackendDevice& device) {
    return std::string(device.name) + " has compute capability " + std::to_string(device.major) + "." +
           std::to_string(device.minor);
}

void probe(CudaLibrary& library) {
    char text[kTextBytes] = "";
    const int32_t count = library.table.device_count(text, sizeof(text));
    if (count <= 0) return fail(library, "probe", text_of(text));
    std::string refused;
    for (int32_t i = 0; i < count; ++i) {
        BackendDevice device{};
        if (library.table.device_info(i, &device, text, sizeof(text)) != 0)
            refused += (refused.empty() ? "" : "; ") + text_of(text);
        else if (10 * device.major + device.minor < kLeastCapability)
            refused += (refused.empty() ? "" : "; ") + capability_text(device) + ", 8.0 or more is needed";
        else
            library.devices.push_back(device);
    }
    if (library.devices.empty()) return fail(library, "probe", refused);
    library.stage = "ok";
    library.reason = capability_text(library.devices[0]);
}

std::unique_ptr<CudaLibrary> open_library(const std::string& path) {
    auto library = std::make_unique<CudaLibrary>();
    if (path.empty() || !exists(path)) {
        fail(*library, "missing",
             path.empty() ? "no library of CUDA kernels is installed" : path + " does not exist");
        return library;
    }
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        fail(*library, "dlopen", text_of(dlerror()));
        return library;
    }
    const auto entry = reinterpret_cast<BackendEntry>(dlsym(handle, kBackendEntry));
    if (entry == nullptr) {
        fail(*library, "symbol", path + " has no " + kBackendEntry);
        return library;
    }
    char text[kTextBytes] = "";
    constexpr const char* kRemedy = "; reinstall attune and attune-linux-x64-cuda at the same version";
    if (entry(kBackendAbi, &library->table, text, sizeof(text)) != 0)
        fail(*library, "abi", text_of(text) + kRemedy);
    else if (library->table.abi != kBackendAbi || library->table.struct_size != sizeof(BackendTable) ||
             library->table.ops->struct_size != sizeof(Ops))
        fail(*library, "abi", std::string("backend and engine differ in their tables") + kRemedy);
    else
        probe(*library);
    return library;
}

}  // namespace

const CudaLibrary& cuda_library(const std::string& path) {
    static std::mutex mutex;
    static auto* libraries = new std::map<std::string, std::unique_ptr<CudaLibrary>>;
    const std::scoped_lock lock(mutex);
    std::unique_ptr<CudaLibrary>& library = (*libraries)[path];
    if (library == nullptr) library = open_library(path);
    return *library;
}

}  // namespace attune
