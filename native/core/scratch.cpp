// Aligned allocation and the scratch slots built on it.
#include "core/scratch.h"

#include <sys/mman.h>

#include "core/error.h"

namespace attune {

namespace {
size_t rounded(size_t bytes) {
    return (bytes + 4095) / 4096 * 4096;
}
}  // namespace

void AlignedDelete::operator()(std::byte* pointer) const noexcept {
    munmap(pointer, rounded(bytes));
}

// mmap rather than malloc: pages go back to the kernel at once, alignment is free, and untouched pages cost
// nothing.
AlignedBytes allocate_aligned(size_t bytes) {
    const size_t size = rounded(bytes == 0 ? 1 : bytes);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, Code::Memory, "Expected to allocate ", size >> 20,
            " MiB but the system refused. Use a smaller micro-batch, bf16, or a machine with more memory.");
    return AlignedBytes(static_cast<std::byte*>(memory), AlignedDelete{size});
}

void* Scratch::slot(int index, size_t bytes) {
    if (slots_.size() <= static_cast<size_t>(index)) slots_.resize(static_cast<size_t>(index) + 1);
    Slot& slot = slots_[static_cast<size_t>(index)];
    if (slot.bytes < bytes) {
        slot.memory.reset();
        slot.bytes = 0;
        slot.memory = allocate_aligned(bytes);
        slot.bytes = bytes;
    }
    return slot.memory.get();
}

void* Scratch::try_slot(int index, size_t bytes) noexcept {
    try {
        return slot(index, bytes == 0 ? 1 : bytes);
    } catch (...) {
        return nullptr;
    }
}

std::shared_ptr<void>& Scratch::kept(int index) {
    if (kept_.size() <= static_cast<size_t>(index)) kept_.resize(static_cast<size_t>(index) + 1);
    return kept_[static_cast<size_t>(index)];
}

size_t Scratch::bytes() const noexcept {
    size_t sum = 0;
    for (const Slot& slot : slots_) sum += slot.bytes;
    return sum;
}

}  // namespace attune
