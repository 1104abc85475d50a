// Grow-only memory that ops use while they run, so that they allocate at their first calls alone. Not for
// values that outlive an op.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace attune {

struct AlignedDelete {
    size_t bytes = 0;
    void operator()(std::byte* pointer) const noexcept;
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
// Aligned to 4096 bytes, zeroed. Throws Code::Memory.
AlignedBytes allocate_aligned(size_t bytes);
// At least `bytes` afterwards. Pages that were touched stay what they are, wherever the memory moves: the
// first touch of a page can cost more than the step that needs it (Linux; elsewhere the old memory is gone
// first, contents and all). Throws Code::Memory.
void grow_aligned(AlignedBytes& memory, size_t bytes);

// Slots are named by number so that nested uses never overlap: a slot keeps its memory between ops.
class Scratch {
  public:
    // At least `bytes` bytes; the pointer stays valid until a larger request for the same slot.
    void* slot(int index, size_t bytes);
    // Null instead of throwing: for op bodies, whose objects hold no exception tables.
    void* try_slot(int index, size_t bytes) noexcept;
    template <class T>
    T* slot_of(int index, int64_t count) {
        return static_cast<T*>(slot(index, static_cast<size_t>(count) * sizeof(T)));
    }
    size_t bytes() const noexcept;  // of the slots
    // From here on a slot is handed out full of NaN (all bits set): an op that reads what it has not written
    // cannot give the right result. For checks.
    void poison() noexcept { poisoned_ = true; }

    // An object that an op keeps from call to call, under a number and of a type that are its own alone; null
    // before the first.
    std::shared_ptr<void>& kept(int index);

  private:
    std::vector<AlignedBytes> slots_;
    std::vector<std::shared_ptr<void>> kept_;
    bool poisoned_ = false;
};

}  // namespace attune
