// What a backend in a library of its own shows to the engine: a table of plain C functions, found by one name
// (`attune_backend_entry`) at run time. No C++ types, no exceptions. Whoever changes a struct here or in
// core/ops.h counts kBackendAbi up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ops.h"

namespace attune {

constexpr uint32_t kBackendAbi = 5;
constexpr const char* kBackendEntry = "attune_backend_entry";

struct BackendDevice {
    int32_t index;  // by which it is opened
    char name[256];
    int32_t major, minor;    // compute capability
    int32_t driver_version;  // 13000: what CUDA 13.0 needs
    int32_t multiprocessors;
    int64_t memory_bytes;
};

struct BackendTable {
    uint32_t abi;
    uint32_t struct_size;
    const Ops* ops;

    // Devices that the driver shows; 0 with a text in error[size] where there are none.
    int32_t (*device_count)(char* error, size_t size);
    // 0, or another number with a text.
    int32_t (*device_info)(int32_t device, BackendDevice* out, char* error, size_t size);
    // What of its memory no process uses now, also of a device that is not open; -1: the driver does not say.
    int64_t (*free_bytes)(int32_t device);
    // The driver's own version ("580.65.06"); empty where it does not say.
    void (*driver_text)(char* text, size_t size);
    // What Stream::device is; null with a text. A device may be opened more than once.
    void* (*open)(int32_t device, char* error, size_t size);
    // All memory must have been given back; from any thread, while no op runs on it.
    void (*close)(void* device);
    // Of the device's memory, in use or kept for the next use.
    int64_t (*reserved_bytes)(void* device);
    // That the device could still give, what is kept included; -1 with a text where it is lost.
    int64_t (*available_bytes)(void* device, char* error, size_t size);
    // Of the calling thread's last op that returned Memory, Backend or Lost.
    void (*last_error)(char* error, size_t size);
};

// 0; or 1 with a text where the host's abi is another.
using BackendEntry = int32_t (*)(uint32_t host_abi, BackendTable* out, char* error, size_t size);

}  // namespace attune
