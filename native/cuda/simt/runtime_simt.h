// A device of ordinary memory whose queues do nothing until someone waits, and whose memory the host cannot
// touch meanwhile: a host that reads too early, or uses a device's pointer, fails here as it would on a GPU.
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>

#include "core/ops.h"

namespace attune::gpu {
struct RawQueue;
}

namespace attune::simt {

void enqueue(gpu::RawQueue* queue, std::function<void()> work);
// A kernel: fails as the plan of machine_simt.h says.
Status enqueue_kernel(const char* kernel, gpu::RawQueue* queue, std::function<void()> work);
// From now on graphs cannot be made, as on a device that has no memory for them.
void refuse_graphs(bool refuse);

// Of the calling thread's device.
bool on_device(const void* pointer);
// Memory that was given back while another device was the thread's.
int64_t misplaced_releases();
// Throws std::logic_error naming the kernel.
void refuse_host_pointer(const char* kernel, const void* pointer);

// A pointer that a kernel is given, or that something given to it shows, must be null or of the device.
template <class T>
void expect_device_pointer(const char* kernel, const T& argument) {
    const auto expect = [&](const void* pointer) {
        if (pointer != nullptr && !on_device(pointer)) refuse_host_pointer(kernel, pointer);
    };
    if constexpr (std::is_pointer_v<T>)
        expect(argument);
    else if constexpr (requires { argument.pointers(expect); })
        argument.pointers(expect);
}

}  // namespace attune::simt
