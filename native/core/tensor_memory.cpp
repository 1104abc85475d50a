// Thin: sizes and errors; the memory itself is the backend's.
#include "core/tensor_memory.h"

#include <utility>

#include "core/backend.h"
#include "core/error.h"
#include "core/size_text.h"

namespace attune {

void TensorMemory::swap(TensorMemory& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(ops_, other.ops_);
    std::swap(device_, other.device_);
}

TensorMemory& TensorMemory::operator=(TensorMemory&& other) noexcept {
    TensorMemory moved(std::move(other));
    swap(moved);
    return *this;
}

TensorMemory::~TensorMemory() {
    if (block_.data != nullptr) ops_->memory_release(block_, device_);
}

void TensorMemory::grow(const Ops& ops, Stream& stream, size_t bytes) {
    const Status status = ops.memory_grow(&block_, static_cast<int64_t>(bytes), &stream);
    require(status != Status::Memory, Code::Memory, "Expected to allocate ",
            SizeText(static_cast<int64_t>(bytes)).text,
            " but there is not enough memory. Use a smaller micro-batch, bf16, or a device with more "
            "memory.");
    check(status, "memory_grow");
    ops_ = &ops;
    device_ = stream.device;
}

PinnedMemory::PinnedMemory(const Ops& ops, Stream& stream, size_t bytes) : ops_(ops), device_(stream.device) {
    const Status status = ops.pinned_take(&block_, static_cast<int64_t>(bytes), &stream);
    require(status != Status::Memory, Code::Memory, "Expected to allocate ",
            SizeText(static_cast<int64_t>(bytes)).text,
            " of the host's memory that stays in place but there is not enough. Keep the weights on the "
            "device, or use a machine with more memory.");
    check(status, "pinned_take");
}

void read_floats(float* host, const float* memory, int64_t count, const Ops& ops, Stream& stream) {
    check(ops.memory_read(host, memory, count * static_cast<int64_t>(sizeof(float)), &stream), "memory_read");
}

void write_floats(float* memory, const float* host, int64_t count, const Ops& ops, Stream& stream) {
    check(ops.memory_write(memory, host, count * static_cast<int64_t>(sizeof(float)), &stream),
          "memory_write");
}

}  // namespace attune
