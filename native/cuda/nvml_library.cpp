// Free memory, and the driver's version, by NVML, the driver's management library: a question to it makes no
// context on the device, which one to the CUDA runtime would (hundreds of MiB, and time). Found at run time;
// must not be needed.
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <string>

#include "cuda/runtime.h"

namespace attune::gpu {

namespace {

// What is used of nvml.h, with prototypes of our own: handles are opaque, statuses 0 for success.
struct Memory {
    unsigned long long total, free, used;
};
struct Nvml {
    int (*init)() = nullptr;
    int (*device_by_uuid)(const char* uuid, void** device) = nullptr;
    int (*memory_info)(void* device, Memory* out) = nullptr;
    int (*driver_version)(char* text, unsigned size) = nullptr;
    bool ready = false;

    Nvml() {
        // Stays open until the process ends, as cuda_library.h says.
        void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
        ready = library != nullptr && find(library, "nvmlInit_v2", init) &&
                find(library, "nvmlDeviceGetHandleByUUID", device_by_uuid) &&
                find(library, "nvmlDeviceGetMemoryInfo", memory_info) &&
                find(library, "nvmlSystemGetDriverVersion", driver_version) && init() == 0;
    }
    template <class Function>
    static bool find(void* library, const char* name, Function*& function) {
        function = reinterpret_cast<Function*>(dlsym(library, name));
        return function != nullptr;
    }
};

const Nvml& nvml() {
    static const Nvml found;
    return found;
}

// As NVML writes it: GPU-01234567-89ab-...
std::string text_of(const cudaUUID_t& uuid, const char* kind) {
    std::string text = kind;
    for (int i = 0; i < 16; ++i) {
        char byte[4];
        std::snprintf(byte, sizeof(byte), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += byte;
    }
    return text;
}

}  // namespace

std::string driver_version_text() {
    char text[96] = "";
    return nvml().ready && nvml().driver_version(text, sizeof(text)) == 0 ? text : "";
}

// By its UUID: NVML counts devices in another order, and those too that CUDA_VISIBLE_DEVICES hides.
int64_t free_memory_of(int device) {
    cudaDeviceProp found{};
    if (!nvml().ready) return -1;
    if (cudaGetDeviceProperties(&found, device) != cudaSuccess) {
        cudaGetLastError();
        return -1;
    }
    // A part of a GPU has a memory of its own.
    for (const char* kind : {"GPU-", "MIG-"}) {
        void* handle = nullptr;
        Memory memory{};
        if (nvml().device_by_uuid(text_of(found.uuid, kind).c_str(), &handle) == 0)
            return nvml().memory_info(handle, &memory) == 0 ? static_cast<int64_t>(memory.free) : -1;
    }
    return -1;
}

}  // namespace attune::gpu
