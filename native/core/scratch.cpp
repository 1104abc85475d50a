// Aligned allocation and the scratch slots built on it.
#include "core/scratch.h"

#include <sys/mman.h>

#include <cstring>

#include "core/error.h"
#include "core/size_text.h"

namespace attune {

namespace {
constexpr size_t kPage = 4096, kHugePage = size_t{2} << 20;

// Large blocks are whole huge pages, so that the kernel places them on their borders.
size_t rounded(size_t bytes) {
    const size_t unit = bytes >= 2 * kHugePage ? kHugePage : kPage;
    return ((bytes == 0 ? 1 : bytes) + unit - 1) / unit * unit;
}

// Fewer faults at the first touch, fewer misses of the address cache later. Only advice: it may be refused.
void prefer_huge_pages(void* memory, size_t size) {
#if defined(MADV_HUGEPAGE)
    if (size >= 2 * kHugePage) madvise(memory, size, MADV_HUGEPAGE);
#else
    static_cast<void>(memory);
    static_cast<void>(size);
#endif
}

void refuse_unless(bool granted, size_t size) {
    require(granted, Code::Memory, "Expected to allocate ", SizeText(static_cast<int64_t>(size)).text,
            " but the system refused. Use a smaller micro-batch, bf16, or a machine with more memory.");
}
}  // namespace

void AlignedDelete::operator()(std::byte* pointer) const noexcept {
    munmap(pointer, bytes);
}

// mmap rather than malloc: pages go back to the kernel at once, alignment is free, and untouched pages cost
// nothing.
AlignedBytes allocate_aligned(size_t bytes) {
    const size_t size = rounded(bytes);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    refuse_unless(memory != MAP_FAILED, size);
    prefer_huge_pages(memory, size);
    return AlignedBytes(static_cast<std::byte*>(memory), AlignedDelete{size});
}

void grow_aligned(AlignedBytes& memory, size_t bytes) {
    if (memory == nullptr) {
        memory = allocate_aligned(bytes);
        return;
    }
    const size_t size = rounded(bytes);
    if (size <= memory.get_deleter().bytes) return;
#if defined(__linux__)
    void* moved = mremap(memory.get(), memory.get_deleter().bytes, size, MREMAP_MAYMOVE);
    refuse_unless(moved != MAP_FAILED, size);
    prefer_huge_pages(moved, size);
    memory.release();
    memory = AlignedBytes(static_cast<std::byte*>(moved), AlignedDelete{size});
#else
    memory.reset();  // before the new one: never both at once
    memory = allocate_aligned(bytes);
#endif
}

void* Scratch::slot(int index, size_t bytes) {
    if (slots_.size() <= static_cast<size_t>(index)) slots_.resize(static_cast<size_t>(index) + 1);
    AlignedBytes& memory = slots_[static_cast<size_t>(index)];
    grow_aligned(memory, bytes);
    if (poisoned_) std::memset(memory.get(), 0xff, bytes);
    return memory.get();
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
    for (const AlignedBytes& memory : slots_) sum += memory.get_deleter().bytes;
    return sum;
}

}  // namespace attune
