// What the backend asks of the CUDA runtime, as plain functions: runtime.cu fills them in with cudart,
// simt/runtime_simt.cpp on the CPU for checks. last_failure() of fault.h says why something failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/ops.h"

namespace attune::gpu {

struct Properties {
    std::string name;
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    int64_t memory_bytes = 0;
    int64_t free_bytes = 0;
    int64_t shared_bytes = 0;  // most dynamic shared memory of a block
    int driver_version = 0;    // 13000: CUDA 13.0
};

// What the driver can do, 0 where there is none; and what this library was built with.
int driver_version();
int runtime_version();
Status count_devices(int& count);
// Fails where the library has no code for the device.
Status properties(Properties& out, int device);

// The calling thread's device from now on: of what is allocated, and of queues that are made.
Status use_device(int device);
Status free_memory(int64_t& bytes);  // of the thread's device
Status make_queue(void** queue);     // a CUDA stream
void end_queue(void* queue);

Status allocate(void** memory, int64_t bytes);  // on the device
void release(void* memory);
Status allocate_pinned(void** memory, int64_t bytes);  // on the host, for copies that go on by themselves
void release_pinned(void* memory);

// In the queue's order. Host memory must be pinned and stay as it is until the queue has come to it.
Status copy_in(void* device, const void* pinned, int64_t bytes, void* queue);
Status copy_out(void* pinned, const void* device, int64_t bytes, void* queue);
Status copy_within(void* target, const void* source, int64_t bytes, void* queue);
Status clear(void* device, int64_t bytes, void* queue);  // zeros
// Until the queue is empty.
Status wait(void* queue);

// A bf16 matrix and the boxes of it that TMA brings to shared memory: 64 columns of box_rows rows. Data and
// rows begin at multiples of 16 bytes.
struct alignas(64) TensorMap {
    unsigned char bytes[128];
    const void* data;

    template <class Visit>
    void pointers(const Visit& visit) const {
        visit(data);
    }
};
Status make_tensor_map(TensorMap& out, const ConstMat& matrix, int box_rows);

// Order between queues, without the host: what comes into a queue after follow() waits for what the event's
// last record() saw in another.
Status make_event(void** event);
void end_event(void* event);
Status record(void* event, void* queue);
Status follow(void* queue, void* event);

}  // namespace attune::gpu
