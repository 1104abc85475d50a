// Stands in for the C library's allocating functions in this program and hands every call on to it, which
// needs the names that glibc has for that. Must not allocate.
#include "tool/allocation_count.h"

#include <cstdlib>

#if defined(__GLIBC__)

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>

namespace {

// Constants until counting starts: the first calls come before any constructor has run.
std::atomic<bool> counting{false};
std::atomic<int64_t> calls{0};
std::atomic<int64_t> first_bytes{0};

thread_local bool refusing = false;
thread_local int64_t granted_calls = 0;

bool refused() {
    if (!refusing || granted_calls-- > 0) return false;
    errno = ENOMEM;
    return true;
}

void note(size_t bytes) {
    if (!counting.load(std::memory_order_relaxed)) return;
    if (calls.fetch_add(1, std::memory_order_relaxed) == 0)
        first_bytes.store(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

}  // namespace

// Seen by the shared libraries too: their calls end here as well.
#pragma GCC visibility push(default)
extern "C" {

void* __libc_malloc(size_t bytes) noexcept;
void* __libc_calloc(size_t items, size_t bytes) noexcept;
void* __libc_realloc(void* old, size_t bytes) noexcept;
void* __libc_memalign(size_t alignment, size_t bytes) noexcept;

void* malloc(size_t bytes) noexcept {
    note(bytes);
    if (refused()) return nullptr;
    return __libc_malloc(bytes);
}

void* calloc(size_t items, size_t bytes) noexcept {
    note(items * bytes);
    if (refused()) return nullptr;
    return __libc_calloc(items, bytes);
}

void* realloc(void* old, size_t bytes) noexcept {
    note(bytes);
    if (refused()) return nullptr;
    return __libc_realloc(old, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
    note(bytes);
    if (refused()) return nullptr;
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** result, size_t alignment, size_t bytes) noexcept {
    note(bytes);
    if (refused()) return ENOMEM;
    void* memory = __libc_memalign(alignment, bytes);
    if (memory == nullptr) return ENOMEM;
    *result = memory;
    return 0;
}

void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
    note(bytes);
    return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}

void* mremap(void* old, size_t old_bytes, size_t bytes, int flags, ...) noexcept {
    note(bytes);
    va_list more;
    va_start(more, flags);
    void* place = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
    va_end(more);
    return reinterpret_cast<void*>(syscall(SYS_mremap, old, old_bytes, bytes, flags, place));
}

}  // extern "C"
#pragma GCC visibility pop

namespace attune::tool {

void start_counting() {
    calls.store(0);
    first_bytes.store(0);
    counting.store(true);
}

Allocations stop_counting() {
    counting.store(false);
    return {calls.load(), first_bytes.load()};
}

void refuse_allocations(int64_t granted) {
    granted_calls = granted;
    refusing = true;
}

void allow_allocations() {
    refusing = false;
}

}  // namespace attune::tool

#else

namespace attune::tool {

void start_counting() {}

Allocations stop_counting() {
    return {-1, 0};
}

void refuse_allocations(int64_t) {}
void allow_allocations() {}

}  // namespace attune::tool

#endif
