// What the errors of the CUDA runtime mean to an engine: one table, of cudart (runtime.cu) and of the
// simulated runtime (simt/). And the text of the calling thread's last failure. Must not call a runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ops.h"

namespace attune::gpu {

enum class Fault : int32_t {
    None,
    Memory,        // of the device or pinned: what was asked for is not there, nothing else has changed
    Driver,        // there is none, or it is older than the library
    NoDevice,      // the driver shows none
    Architecture,  // the library has no code for this GPU
    Unavailable,   // somebody else's, or not ready
    Lost,          // stays: no call on that device succeeds any more in this process
    Call           // this call alone was refused: a defect of ours
};

struct KnownError {
    int number;
    const char* name;
    Fault fault;
};

// Numbers of cudaError_t, which don't change between versions; runtime.cu holds them against cudart's.
inline constexpr KnownError kKnownErrors[] = {
    {2, "cudaErrorMemoryAllocation", Fault::Memory},
    {34, "cudaErrorStubLibrary", Fault::Driver},
    {35, "cudaErrorInsufficientDriver", Fault::Driver},
    {36, "cudaErrorCallRequiresNewerDriver", Fault::Driver},
    {222, "cudaErrorUnsupportedPtxVersion", Fault::Driver},
    {803, "cudaErrorSystemDriverMismatch", Fault::Driver},
    {804, "cudaErrorCompatNotSupportedOnDevice", Fault::Driver},
    {3, "cudaErrorInitializationError", Fault::NoDevice},
    {100, "cudaErrorNoDevice", Fault::NoDevice},
    {101, "cudaErrorInvalidDevice", Fault::NoDevice},
    {98, "cudaErrorInvalidDeviceFunction", Fault::Architecture},
    {200, "cudaErrorInvalidKernelImage", Fault::Architecture},
    {209, "cudaErrorNoKernelImageForDevice", Fault::Architecture},
    {218, "cudaErrorInvalidPtx", Fault::Architecture},
    {221, "cudaErrorJitCompilerNotFound", Fault::Architecture},
    {223, "cudaErrorJitCompilationDisabled", Fault::Architecture},
    {46, "cudaErrorDevicesUnavailable", Fault::Unavailable},
    {216, "cudaErrorDeviceAlreadyInUse", Fault::Unavailable},
    {802, "cudaErrorSystemNotReady", Fault::Unavailable},
    {805, "cudaErrorMpsConnectionFailed", Fault::Unavailable},
    {807, "cudaErrorMpsServerNotReady", Fault::Unavailable},
    {808, "cudaErrorMpsMaxClientsReached", Fault::Unavailable},
    {214, "cudaErrorECCUncorrectable", Fault::Lost},
    {220, "cudaErrorNvlinkUncorrectable", Fault::Lost},
    {226, "cudaErrorContained", Fault::Lost},
    {700, "cudaErrorIllegalAddress", Fault::Lost},
    {702, "cudaErrorLaunchTimeout", Fault::Lost},
    {709, "cudaErrorContextIsDestroyed", Fault::Lost},
    {710, "cudaErrorAssert", Fault::Lost},
    {714, "cudaErrorHardwareStackError", Fault::Lost},
    {715, "cudaErrorIllegalInstruction", Fault::Lost},
    {716, "cudaErrorMisalignedAddress", Fault::Lost},
    {717, "cudaErrorInvalidAddressSpace", Fault::Lost},
    {718, "cudaErrorInvalidPc", Fault::Lost},
    {719, "cudaErrorLaunchFailure", Fault::Lost},
    {721, "cudaErrorTensorMemoryLeak", Fault::Lost},
    {810, "cudaErrorMpsClientTerminated", Fault::Lost},
    {911, "cudaErrorExternalDevice", Fault::Lost},
    {999, "cudaErrorUnknown", Fault::Lost},
};

constexpr Fault fault_of(int error) {
    if (error == 0) return Fault::None;
    for (const KnownError& known : kKnownErrors)
        if (known.number == error) return known.fault;
    return Fault::Call;
}

constexpr Status status_of(Fault fault) {
    switch (fault) {
        case Fault::None:
            return Status::Ok;
        case Fault::Memory:
            return Status::Memory;
        case Fault::Unavailable:
        case Fault::Lost:
            return Status::Lost;
        case Fault::Driver:
        case Fault::NoDevice:
        case Fault::Architecture:
        case Fault::Call:
            return Status::Backend;
    }
    return Status::Backend;
}

// Keeps "<call>: <name> (<description>)" and what to do as the calling thread's last failure; of the call its
// name is enough. Ok for error 0. toolkit: what the library was built with, which says what driver it needs.
Status report(int error, const char* call, const char* name, const char* description, int toolkit);

// Of the calling thread, from its last failure until take_failure(). Without allocating: memory may be what
// is missing.
constexpr size_t kFailureBytes = 512;
struct Failure {
    Status status = Status::Ok;
    char text[kFailureBytes] = "";
};
void set_failure(Status status, const char* format, ...) __attribute__((format(printf, 2, 3)));
void restore_failure(const Failure& failure);
const Failure& last_failure();
// And forgets it: it belongs to that failure alone.
Failure take_failure();

// The exception that is being handled, as a failure: nothing is thrown across the backend's tables.
Status report_exception() noexcept;

}  // namespace attune::gpu
