// Memory of tensors where ops run on the CPU: the process's own. Must not be compiled with machine flags.
#include <cstring>

#include "core/scratch.h"
#include "cpu/cpu_tables.h"

namespace attune {

namespace {

Status memory_grow(MemoryBlock* block, int64_t bytes, Stream*) {
    AlignedBytes memory(static_cast<std::byte*>(block->data),
                        AlignedDelete{static_cast<size_t>(block->bytes)});
    Status status = Status::Ok;
    try {
        grow_aligned(memory, static_cast<size_t>(bytes));
    } catch (...) {
        status = Status::Memory;  // nothing else is thrown here
    }
    block->bytes = memory == nullptr ? 0 : static_cast<int64_t>(memory.get_deleter().bytes);
    block->data = memory.release();
    return status;
}

void memory_release(MemoryBlock block, void*) {
    AlignedDelete{static_cast<size_t>(block.bytes)}(static_cast<std::byte*>(block.data));
}

Status memory_reserve(int64_t, Stream*) {
    return Status::Ok;
}

Status memory_trim(Stream*) {
    return Status::Ok;
}

Status copy_bytes(void* target, const void* source, int64_t bytes, Stream*) {
    if (bytes > 0) std::memcpy(target, source, static_cast<size_t>(bytes));
    return Status::Ok;
}

Status finish(Stream*) {
    return Status::Ok;  // every op is complete on return
}

}  // namespace

void fill_memory(Ops& ops) {
    ops.memory_grow = memory_grow;
    ops.memory_release = memory_release;
    ops.memory_reserve = memory_reserve;
    ops.memory_trim = memory_trim;
    ops.memory_read = copy_bytes;
    ops.memory_write = copy_bytes;
    ops.finish = finish;
}

}  // namespace attune
