// Memory of tensors on the device: the blocks of cuda/device.h behind the ops table.
#include "cuda/device.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

Status memory_grow(MemoryBlock* block, int64_t bytes, Stream* stream) {
    if (block->data != nullptr && block->bytes >= bytes) return Status::Ok;
    Device& device = device_of(stream);
    if (block->data != nullptr) device.give_back(*block);
    *block = {};
    return device.take(*block, bytes);
}

void memory_release(MemoryBlock block, void* device) {
    static_cast<Device*>(device)->release_tensor(block);
}

Status memory_reserve(int64_t bytes, Stream* stream) {
    return device_of(stream).reserve(bytes);
}

Status memory_trim(Stream* stream) {
    device_of(stream).trim();
    return Status::Ok;
}

Status memory_read(void* host, const void* memory, int64_t bytes, Stream* stream) {
    return device_of(stream).read(host, memory, bytes);
}

Status memory_write(void* memory, const void* host, int64_t bytes, Stream* stream) {
    return device_of(stream).write(memory, host, bytes);
}

Status finish(Stream* stream) {
    return wait(device_of(stream).queue());
}

}  // namespace

void fill_memory(Ops& ops) {
    ops.memory_grow = memory_grow;
    ops.memory_release = memory_release;
    ops.memory_reserve = memory_reserve;
    ops.memory_trim = memory_trim;
    ops.memory_read = memory_read;
    ops.memory_write = memory_write;
    ops.finish = finish;
}

}  // namespace attune::gpu
