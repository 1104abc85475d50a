// One text per thread, of a fixed size.
#include "cuda/fault.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

namespace attune::gpu {

namespace {

thread_local Failure failure;

// NVIDIA's table of toolkits and drivers, as in scripts/cuda-record.mjs.
const char* driver_remedy(int toolkit) {
    switch (toolkit / 1000) {
        case 12:
            return "; install an NVIDIA driver of version 525 or newer";
        case 13:
            return "; install an NVIDIA driver of version 580 or newer";
        default:
            return "; install a newer NVIDIA driver";
    }
}

const char* remedy_of(Fault fault, int toolkit) {
    switch (fault) {
        case Fault::Driver:
            return driver_remedy(toolkit);
        case Fault::NoDevice:
            return "; see what nvidia-smi shows, and CUDA_VISIBLE_DEVICES";
        case Fault::Architecture:
            return "; the library was not compiled for this GPU: install attune-linux-x64-cuda, or npm run "
                   "build:cuda -- --release";
        case Fault::Unavailable:
            return "; another process may have it for itself (compute mode, MPS): see nvidia-smi";
        case Fault::Lost:
            return "; this process can use the GPU no more: start it again, and go on from the last "
                   "checkpoint";
        case Fault::None:
        case Fault::Memory:
        case Fault::Call:
            return "";
    }
    return "";
}

}  // namespace

Status report(int error, const char* call, const char* name, const char* description, int toolkit) {
    const Fault fault = fault_of(error);
    if (fault == Fault::None) return Status::Ok;
    const auto length = static_cast<int>(std::strcspn(call, "("));
    set_failure(status_of(fault), "%.*s: %s (%s)%s", length, call, name, description,
                remedy_of(fault, toolkit));
    return status_of(fault);
}

void set_failure(Status status, const char* format, ...) {
    Failure next;
    next.status = status;
    va_list values;
    va_start(values, format);
    std::vsnprintf(next.text, sizeof(next.text), format, values);
    va_end(values);
    failure = next;
}

void restore_failure(const Failure& earlier) {
    failure = earlier;
}

const Failure& last_failure() {
    return failure;
}

Failure take_failure() {
    const Failure taken = failure;
    failure = {};
    return taken;
}

Status report_exception() noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        set_failure(Status::Memory, "the system refused memory of the host");
    } catch (const std::exception& error) {
        set_failure(Status::Backend, "%s", error.what());
    } catch (...) {
        set_failure(Status::Backend, "an exception of unknown type");
    }
    return failure.status;
}

}  // namespace attune::gpu
