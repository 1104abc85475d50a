// Host side of a device; every call of the runtime is in runtime.h.
#include "cuda/device.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string_view>

namespace attune::gpu {

namespace {

constexpr int64_t kUnit = 512;
constexpr int64_t kStagingBytes = int64_t{4} << 20;
constexpr int64_t kTransferBytes = int64_t{8} << 20;

int64_t rounded(int64_t bytes) {
    return std::max(kUnit, (bytes + kUnit - 1) / kUnit * kUnit);
}

}  // namespace

// ---- staging

namespace {
void release_place(const StagedPlace& place) {
    release(place.device);
    release_pinned(place.pinned);
}
}  // namespace

Staging::~Staging() {
    release_place(memory_);
    for (const StagedPlace& place : retired_) release_place(place);
}

Status Staging::grow(int64_t size) {
    for (const StagedPlace& place : retired_) release_place(place);
    retired_.clear();
    if (size_ > 0) retired_.push_back(memory_);
    memory_ = {};
    size_ = 0;
    void *pinned = nullptr, *device = nullptr;
    if (allocate_pinned(&pinned, size) != Status::Ok) return Status::Memory;
    memory_.pinned = static_cast<std::byte*>(pinned);
    if (allocate(&device, size) != Status::Ok) return Status::Memory;
    memory_.device = static_cast<std::byte*>(device);
    size_ = size;
    return Status::Ok;
}

Status Staging::take(StagedPlace& place, int64_t bytes) {
    constexpr int64_t kArrays = 16;
    const int64_t size = rounded(bytes);
    Status status = Status::Ok;
    if (used_ + size > size_) {
        status = wait(queue_);
        used_ = 0;
    }
    if (status == Status::Ok && kArrays * size > size_) {
        status = wait(queue_);
        if (status == Status::Ok) status = grow(std::max(kStagingBytes, 2 * kArrays * size));
        used_ = 0;
    }
    if (status != Status::Ok) return status;
    place = {memory_.pinned + used_, memory_.device + used_};
    used_ += size;
    return Status::Ok;
}

// ---- device

Device* Device::open(int index) {
    auto* device = new (std::nothrow) Device;
    if (device == nullptr) return nullptr;
    device->index_ = index;
    if (use_device(index) != Status::Ok || gpu::properties(device->properties_, index) != Status::Ok ||
        (device->queue_ = Queue::open()) == nullptr ||
        allocate_pinned(&device->transfer_, kTransferBytes) != Status::Ok ||
        device->choose_gemm() != Status::Ok) {
        delete device;
        return nullptr;
    }
    device->staging_ = new (std::nothrow) Staging(device->queue_);
    return device;
}

Status Device::choose_gemm() {
    const char* value = std::getenv("ATTUNE_CUDA_GEMM");
    const std::string_view wanted = value == nullptr || *value == 0 ? "auto" : value;
    if (wanted != "auto" && wanted != "mma" && wanted != "cublaslt") {
        set_last_error("Expected ATTUNE_CUDA_GEMM of auto, mma or cublaslt but received \"" +
                       std::string(wanted) + "\"");
        return Status::Backend;
    }
    has_wgmma_ = properties_.major == 9 && properties_.minor == 0 && wanted != "mma";
    if (wanted != "cublaslt") return Status::Ok;
    cublaslt_.reset(CublasLt::open());
    return cublaslt_ == nullptr ? Status::Backend : Status::Ok;
}

Device::~Device() {
    if (queue_ != nullptr) wait(queue_);
    delete transfers_;
    delete staging_;
    release_pinned(transfer_);
    for (const MemoryBlock& block : workspaces_) release(block.data);
    for (const auto& [size, block] : spare_) release(block);
    delete queue_;
}

// The smallest block that is large enough, and not twice too large. Reuse is in the queue's order, so that
// what still reads the old contents comes first.
Status Device::take(MemoryBlock& block, int64_t bytes) {
    const int64_t size = rounded(bytes);
    {
        const std::scoped_lock lock(mutex_);
        const auto found = spare_.lower_bound(size);
        if (found != spare_.end() && found->first <= 2 * size) {
            block = {found->second, found->first};
            spare_.erase(found);
        }
    }
    if (block.data == nullptr) {
        void* memory = nullptr;
        if (allocate(&memory, size) != Status::Ok) {
            // What is kept for later may be what is missing.
            wait(queue_);
            const std::scoped_lock lock(mutex_);
            for (const auto& [length, kept] : spare_) {
                release(kept);
                reserved_ -= length;
            }
            spare_.clear();
            if (allocate(&memory, size) != Status::Ok) return Status::Memory;
        }
        block = {memory, size};
        const std::scoped_lock lock(mutex_);
        reserved_ += size;
    }
    return clear(block.data, block.bytes, queue_);
}

void Device::give_back(MemoryBlock block) {
    const std::scoped_lock lock(mutex_);
    spare_.emplace(block.bytes, block.data);
}

int64_t Device::reserved_bytes() {
    const std::scoped_lock lock(mutex_);
    return reserved_;
}

int64_t Device::available_bytes() {
    Properties now;
    if (gpu::properties(now, index_) != Status::Ok) return 0;
    const std::scoped_lock lock(mutex_);
    int64_t kept = 0;
    for (const auto& [size, block] : spare_) kept += size;
    return now.free_bytes + kept;
}

void* Device::workspace_bytes(int slot, int64_t bytes) {
    if (workspaces_.size() <= static_cast<size_t>(slot)) workspaces_.resize(static_cast<size_t>(slot) + 1);
    MemoryBlock& block = workspaces_[static_cast<size_t>(slot)];
    if (block.bytes >= bytes && block.data != nullptr) return block.data;
    if (block.data != nullptr) {
        wait(queue_);
        release(block.data);
        block = {};
    }
    const int64_t size = rounded(bytes);
    if (allocate(&block.data, size) != Status::Ok) {
        block = {};
        return nullptr;
    }
    block.bytes = size;
    return block.data;
}

Status Device::take_place(StagedPlace& place, int64_t bytes) {
    place = queue_->place(bytes);
    return place.device != nullptr ? Status::Ok : staging_->take(place, bytes);
}

const void* Device::stage_bytes(const void* host, int64_t bytes, int slot) {
    StagedPlace place = bytes == 0 ? StagedPlace{} : queue_->place(bytes);
    if (place.device != nullptr) {
        std::memcpy(place.pinned, host, static_cast<size_t>(bytes));
        if (slot >= 0) queue_->remember(slot, place, bytes);
        return queue_->staged(place, bytes) == Status::Ok ? place.device : nullptr;
    }
    if (bytes == 0 || staging_->take(place, bytes) != Status::Ok) return nullptr;
    std::memcpy(place.pinned, host, static_cast<size_t>(bytes));
    return copy_in(place.device, place.pinned, bytes, queue_) == Status::Ok ? place.device : nullptr;
}

const void* Device::stage_again_bytes(int slot, const void* host, int64_t bytes) {
    if (const std::byte* before = queue_->find_again(slot, host, bytes)) return before;
    return stage_bytes(host, bytes, slot);
}

namespace {
// Large copies pass in pieces.
template <class Move>
Status in_pieces(int64_t bytes, const Move& move) {
    for (int64_t at = 0; at < bytes; at += kTransferBytes)
        if (const Status status = move(at, std::min(kTransferBytes, bytes - at)); status != Status::Ok)
            return status;
    return Status::Ok;
}
}  // namespace

Status Device::read(void* host, const void* device, int64_t bytes) {
    return in_pieces(bytes, [&](int64_t at, int64_t count) {
        Status status = copy_out(transfer_, static_cast<const std::byte*>(device) + at, count, queue_);
        if (status == Status::Ok) status = wait(queue_);
        if (status == Status::Ok)
            std::memcpy(static_cast<std::byte*>(host) + at, transfer_, static_cast<size_t>(count));
        return status;
    });
}

Status Device::write(void* device, const void* host, int64_t bytes) {
    return in_pieces(bytes, [&](int64_t at, int64_t count) {
        std::memcpy(transfer_, static_cast<const std::byte*>(host) + at, static_cast<size_t>(count));
        const Status status = copy_in(static_cast<std::byte*>(device) + at, transfer_, count, queue_);
        return status == Status::Ok ? wait(queue_) : status;
    });
}

// ---- results

void* Results::place_bytes(void* host, int64_t bytes) {
    if (host == nullptr || bytes == 0 || status_ != Status::Ok) return nullptr;
    Array array{host, {}, bytes};
    status_ = device_.take_place(array.place, bytes);
    if (status_ != Status::Ok) return nullptr;
    arrays_[count_++] = array;
    return array.place.device;
}

// Arrays that lie side by side come in one copy: each costs microseconds, however short.
Status Results::collect() {
    for (int i = 0; i < count_ && status_ == Status::Ok;) {
        const StagedPlace& first = arrays_[i].place;
        int64_t bytes = arrays_[i++].bytes;
        const auto adjoins = [&](const StagedPlace& next) {
            return next.device == first.device + rounded(bytes) &&
                   next.pinned == first.pinned + rounded(bytes);
        };
        while (i < count_ && adjoins(arrays_[i].place)) bytes = rounded(bytes) + arrays_[i++].bytes;
        status_ = copy_out(first.pinned, first.device, bytes, device_.queue());
    }
    if (status_ == Status::Ok) status_ = wait(device_.queue());
    for (int i = 0; i < count_ && status_ == Status::Ok; ++i)
        std::memcpy(arrays_[i].host, arrays_[i].place.pinned, static_cast<size_t>(arrays_[i].bytes));
    return status_;
}

}  // namespace attune::gpu
