// Stage by stage; each says what to do about it.
#include "core/cuda_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace attune {

namespace {

constexpr size_t kTextBytes = 512;

bool exists(const std::string& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0;
}

// Opening a library that is shorter than it says kills the process: an installation that broke off leaves
// one. What is no library at all is left to dlopen().
bool is_cut_off(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    file.seekg(0, std::ios::end);
    const auto size = static_cast<uint64_t>(file.tellg());
    const auto read = [&](uint64_t at, auto& out) {
        file.seekg(static_cast<std::streamoff>(at));
        return bool(file.read(reinterpret_cast<char*>(&out), sizeof(out)));
    };
    Elf64_Ehdr header{};
    if (!read(0, header)) return false;
    if (std::string_view(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG ||
        header.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    if (header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize > size) return true;
    for (uint64_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr part{};
        if (!read(header.e_phoff + i * sizeof(part), part)) return true;
        if (part.p_type == PT_LOAD && part.p_offset + part.p_filesz > size) return true;
    }
    return false;
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
    for (int32_t i = 0; i < count; ++i) {
        BackendDevice device{};
        if (library.table.device_info(i, &device, text, sizeof(text)) != 0)
            library.refused.push_back({i, text_of(text)});
        else if (10 * device.major + device.minor < kLeastCapability)
            library.refused.push_back({i, capability_text(device) + ", 8.0 or more is needed"});
        else
            library.devices.push_back(device);
    }
    if (library.devices.empty()) {
        std::string reasons;
        for (const CudaLibrary::Refused& one : library.refused)
            reasons += (reasons.empty() ? "" : "; ") + one.reason;
        return fail(library, "probe", reasons);
    }
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
    if (is_cut_off(path)) {
        fail(*library, "dlopen", path + " is cut off; reinstall attune-linux-x64-cuda");
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
