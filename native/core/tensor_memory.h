// Owns a piece of a backend's memory: weights, activations, caches. Knows sizes only, not what lies in it.
#pragma once

#include <cstddef>

#include "core/ops.h"

namespace attune {

class TensorMemory {
  public:
    TensorMemory() = default;
    // At least `bytes`, zeroed, on the stream's device. Throws Code::Memory.
    TensorMemory(const Ops& ops, Stream& stream, size_t bytes) { grow(ops, stream, bytes); }
    TensorMemory(TensorMemory&& other) noexcept { swap(other); }
    TensorMemory& operator=(TensorMemory&& other) noexcept;
    ~TensorMemory();

    // At least `bytes` afterwards. What lay there is lost, unless it was enough before. Throws Code::Memory.
    void grow(const Ops& ops, Stream& stream, size_t bytes);
    std::byte* data() const { return static_cast<std::byte*>(block_.data); }
    float* floats() const { return static_cast<float*>(block_.data); }
    explicit operator bool() const { return block_.data != nullptr; }

  private:
    void swap(TensorMemory& other) noexcept;

    MemoryBlock block_;
    const Ops* ops_ = nullptr;  // that it came from
    void* device_ = nullptr;
};

// Memory of the host that a device copies from by itself. Only where the table has what takes it.
class PinnedMemory {
  public:
    // Throws Code::Memory.
    PinnedMemory(const Ops& ops, Stream& stream, size_t bytes);
    PinnedMemory(const PinnedMemory&) = delete;
    PinnedMemory& operator=(const PinnedMemory&) = delete;
    ~PinnedMemory() { ops_.pinned_release(block_, device_); }

    std::byte* data() const { return static_cast<std::byte*>(block_.data); }

  private:
    MemoryBlock block_;
    const Ops& ops_;
    void* device_;
};

// To and from host memory; both are complete on return. Throw Code::Backend.
void read_floats(float* host, const float* memory, int64_t count, const Ops& ops, Stream& stream);
void write_floats(float* memory, const float* host, int64_t count, const Ops& ops, Stream& stream);

}  // namespace attune
