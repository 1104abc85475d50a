// The one function that the library shows.
#include <cstdio>
#include <cstring>

#include "core/backend_abi.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"

namespace attune::gpu {

namespace {

void say(const std::string& text, char* error, size_t size) {
    if (size > 0) std::snprintf(error, size, "%s", text.c_str());
}

int32_t count_devices(char* error, size_t size) {
    const int count = device_count();
    if (count == 0) say(last_error().empty() ? "the driver shows no device" : last_error(), error, size);
    return count;
}

int32_t device_info(int32_t device, BackendDevice* out, char* error, size_t size) {
    Properties found;
    if (properties(found, device) != Status::Ok) {
        say(last_error(), error, size);
        return 1;
    }
    *out = {};
    say(found.name, out->name, sizeof(out->name));
    out->major = found.major;
    out->minor = found.minor;
    out->driver_version = found.driver_version;
    out->multiprocessors = found.multiprocessors;
    out->memory_bytes = found.memory_bytes;
    out->free_bytes = found.free_bytes;
    return 0;
}

void* open_device(int32_t device, char* error, size_t size) {
    Device* opened = Device::open(device);
    if (opened == nullptr) say(last_error(), error, size);
    return opened;
}

void close_device(void* device) {
    delete static_cast<Device*>(device);
}

int64_t reserved_bytes(void* device) {
    return static_cast<Device*>(device)->reserved_bytes();
}

int64_t available_bytes(void* device) {
    return static_cast<Device*>(device)->available_bytes();
}

void say_last_error(char* error, size_t size) {
    say(last_error(), error, size);
    set_last_error({});  // it belongs to that failure alone
}

}  // namespace

}  // namespace attune::gpu

extern "C" __attribute__((visibility("default"))) int32_t attune_backend_entry(uint32_t host_abi,
                                                                               attune::BackendTable* out,
                                                                               char* error, size_t size) {
    using namespace attune;
    if (host_abi != kBackendAbi) {
        std::snprintf(error, size, "backend built for ABI %u, engine needs %u", kBackendAbi, host_abi);
        return 1;
    }
    static const Ops ops = gpu::make_ops("cuda");
    *out = {kBackendAbi,        sizeof(BackendTable), &ops,
            gpu::count_devices, gpu::device_info,     gpu::open_device,
            gpu::close_device,  gpu::reserved_bytes,  gpu::available_bytes,
            gpu::say_last_error};
    return 0;
}
