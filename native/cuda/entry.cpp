// The one function that the library shows. Nothing is thrown from here.
#include <cstdio>
#include <string>
#include <type_traits>

#include "core/backend_abi.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"

namespace attune::gpu {

namespace {

void say(const char* text, char* error, size_t size) {
    if (size > 0) std::snprintf(error, size, "%s", text);
}

// kFunction with a text in the place of an exception: in error[size], where its operands end with that.
template <auto kFunction, auto kFailed>
struct Shielded;
template <class Result, class... Operands, Result (*kFunction)(Operands...), auto kFailed>
struct Shielded<kFunction, kFailed> {
    static Result call(Operands... operands) {
        try {
            return kFunction(operands...);
        } catch (...) {
            report_exception();
            say_to(operands...);
            return static_cast<Result>(kFailed);
        }
    }
    static void say_to() {}
    template <class First, class... Rest>
    static void say_to(First first, Rest... rest) {
        if constexpr (std::is_same_v<First, char*> && sizeof...(Rest) == 1)
            say(take_failure().text, first, rest...);
        else
            say_to(rest...);
    }
};

std::string text_of(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

int32_t device_count(char* error, size_t size) {
    int count = 0;
    if (count_devices(count) == Status::Ok) {
        if (count == 0) say("the driver shows no GPU", error, size);
        return count;
    }
    // What a toolkit built runs on every driver of its major version.
    const int version = driver_version(), needed = runtime_version() / 1000 * 1000;
    const std::string driver = version == 0       ? "no NVIDIA driver is installed: "
                               : version < needed ? "the driver knows CUDA " + text_of(version) +
                                                        ", the library needs " + text_of(needed) + ": "
                                                  : "";
    say((driver + take_failure().text).c_str(), error, size);
    return 0;
}

int32_t device_info(int32_t device, BackendDevice* out, char* error, size_t size) {
    Properties found;
    if (properties(found, device) != Status::Ok) {
        say(take_failure().text, error, size);
        return 1;
    }
    *out = {};
    out->index = device;
    say(found.name.c_str(), out->name, sizeof(out->name));
    out->major = found.major;
    out->minor = found.minor;
    out->driver_version = found.driver_version;
    out->multiprocessors = found.multiprocessors;
    out->memory_bytes = found.memory_bytes;
    return 0;
}

int64_t free_bytes(int32_t device) {
    return free_memory_of(device);
}

void driver_text(char* text, size_t size) {
    say(driver_version_text().c_str(), text, size);
}

void* open_device(int32_t device, char* error, size_t size) {
    Device* opened = Device::open(device);
    if (opened == nullptr) say(take_failure().text, error, size);
    return opened;
}

int64_t available_bytes(void* device, char* error, size_t size) {
    const int64_t bytes = static_cast<Device*>(device)->available_bytes();
    if (bytes < 0) say(take_failure().text, error, size);
    return bytes;
}

void close_device(void* device) {
    delete static_cast<Device*>(device);
}

int64_t reserved_bytes(void* device) {
    return static_cast<Device*>(device)->reserved_bytes();
}

void say_last_error(char* error, size_t size) {
    say(take_failure().text, error, size);
}

}  // namespace

}  // namespace attune::gpu

extern "C" __attribute__((visibility("default"))) int32_t attune_backend_entry(uint32_t host_abi,
                                                                               attune::BackendTable* out,
                                                                               char* error, size_t size) {
    using namespace attune;
    using namespace attune::gpu;
    if (host_abi != kBackendAbi) {
        std::snprintf(error, size, "backend built for ABI %u, engine needs %u", kBackendAbi, host_abi);
        return 1;
    }
    static const Ops ops = make_ops("cuda");
    *out = {kBackendAbi,
            sizeof(BackendTable),
            &ops,
            Shielded<device_count, 0>::call,
            Shielded<device_info, 1>::call,
            Shielded<free_bytes, -1>::call,
            Shielded<driver_text, 0>::call,
            Shielded<open_device, nullptr>::call,
            Shielded<close_device, 0>::call,
            Shielded<reserved_bytes, 0>::call,
            Shielded<available_bytes, -1>::call,
            Shielded<say_last_error, 0>::call};
    return 0;
}
