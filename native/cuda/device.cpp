// Host side of a device; every call of the runtime is in runtime.h.
#include "cuda/device.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "core/size_text.h"

namespace attune::gpu {

namespace {

constexpr int64_t kStagingBytes = int64_t{4} << 20;
constexpr int64_t kTransferBytes = int64_t{8} << 20;

// The runtime remembers a device per thread, and asking it costs more than this.
thread_local int current_device = -1;

Status enter_device(int index) {
    if (current_device == index) return Status::Ok;
    const Status status = use_device(index);
    current_device = status == Status::Ok ? index : -1;
    return status;
}

}  // namespace

// ---- staging

void Staging::drop() {
    device_.give_back_both(std::exchange(memory_, {}));
    for (const StagedPlace& place : retired_) device_.give_back_both(place);
    retired_.clear();
    size_ = used_ = 0;
}

Status Staging::grow(int64_t size) {
    for (const StagedPlace& place : retired_) device_.give_back_both(place);
    retired_.clear();
    if (size_ > 0) retired_.push_back(memory_);
    memory_ = {};
    size_ = 0;
    const Status status = device_.take_both(memory_, size);
    if (status == Status::Ok) size_ = size;
    return status;
}

Status Staging::take(StagedPlace& place, int64_t bytes) {
    constexpr int64_t kArrays = 16;
    const int64_t size = Arena::rounded(bytes);
    Status status = Status::Ok;
    if (used_ + size > size_) {
        status = wait(device_.queue());
        used_ = 0;
    }
    if (status == Status::Ok && kArrays * size > size_) {
        status = wait(device_.queue());
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
    std::unique_ptr<Device> device(new Device);
    device->index_ = index;
    if (device->open() == Status::Ok) return device.release();
    const Failure failure = last_failure();  // closing it may meet others
    device.reset();
    restore_failure(failure);
    return nullptr;
}

Status Device::open() {
    Status status = enter_device(index_);
    if (status == Status::Ok) status = gpu::properties(properties_, index_);
    if (status == Status::Ok) status = find_code();
    if (status == Status::Ok) status = Queue::open(queue_, *this);
    if (status == Status::Ok) status = allocate_pinned(&transfer_, kTransferBytes);
    if (status == Status::Ok) status = choose_gemm();
    // The library may have been built without sm_90a, or the driver may have taken other code: the code
    // itself says what it is. Not at the first op that asks: an op must not wait, nor find its work space
    // used.
    return status == Status::Ok && has_wgmma_ ? has_hopper_code(has_wgmma_, *this) : status;
}

Status Device::find_code() const {
    const Status status = gpu::find_code();
    if (status == Status::Ok) return status;
    const Failure failure = take_failure();
    set_failure(status, "%s, compute capability %d.%d: %s", properties_.name.c_str(), properties_.major,
                properties_.minor, failure.text);
    return status;
}

Status Device::choose_gemm() {
    const char* value = std::getenv("ATTUNE_CUDA_GEMM");
    const std::string_view wanted = value == nullptr || *value == 0 ? "auto" : value;
    if (wanted != "auto" && wanted != "mma" && wanted != "cublaslt") {
        set_failure(Status::Backend, "Expected ATTUNE_CUDA_GEMM of auto, mma or cublaslt but received \"%s\"",
                    value);
        return Status::Backend;
    }
    has_wgmma_ = properties_.major == 9 && properties_.minor == 0 && wanted != "mma";
    if (wanted != "cublaslt") return Status::Ok;
    cublaslt_.reset(CublasLt::open());
    return cublaslt_ == nullptr ? Status::Backend : Status::Ok;
}

// Also of a device that is lost: nothing here waits for it then.
Device::~Device() {
    drop_unused();
    delete transfers_;
    if (transfer_ != nullptr) release_pinned(transfer_);
    delete queue_;
}

// Reuse is in the queue's order, so that what still reads the old contents comes first.
Status Device::take(MemoryBlock& block, int64_t bytes) {
    if (const Status status = take_piece(block, bytes); status != Status::Ok) return status;
    if (const Status status = clear(block.data, block.bytes, queue_); status != Status::Ok) {
        give_back_piece(std::exchange(block, {}).data);
        return status;
    }
    const std::scoped_lock lock(mutex_);
    ++tensors_;
    return Status::Ok;
}

void Device::give_back(MemoryBlock block) {
    const std::scoped_lock lock(mutex_);
    arena_.give_back(block.data);
    --tensors_;
}

void Device::give_back_piece(void* data) {
    const std::scoped_lock lock(mutex_);
    arena_.give_back(data);
}

Status Device::take_both(StagedPlace& place, int64_t bytes) {
    void* pinned = nullptr;
    MemoryBlock block;
    Status status = take_piece(block, bytes);
    if (status != Status::Ok) return status;
    status = allocate_pinned(&pinned, bytes);
    if (status == Status::Ok)
        place = {static_cast<std::byte*>(pinned), static_cast<std::byte*>(block.data)};
    else
        give_back_piece(block.data);
    return status;
}

void Device::give_back_both(const StagedPlace& place) {
    if (place.device != nullptr) give_back_piece(place.device);
    if (place.pinned != nullptr) release_pinned(place.pinned);
}

void Device::release_tensor(MemoryBlock block) {
    give_back(block);
    // An op of another thread has need of work space and may leave tensors behind.
    const std::unique_lock turn(operation_, std::try_to_lock);
    if (!turn.owns_lock()) return;
    {
        const std::scoped_lock lock(mutex_);
        if (tensors_ > 0) return;
    }
    drop_unused();
}

void Device::give_back_pinned(MemoryBlock block) {
    const std::scoped_lock turn(operation_);
    const Failure earlier = last_failure();
    transfers()->finish();
    restore_failure(earlier);
    release_pinned(block.data);
}

void Device::trim() {
    const std::scoped_lock turn(operation_);
    drop_unused();
}

// Whatever fails here, nothing that is said of an earlier failure changes.
void Device::drop_unused() {
    const Failure earlier = last_failure();
    enter_device(index_);
    if (transfers_ != nullptr) transfers_->finish();
    if (queue_ != nullptr) {
        wait(queue_);
        queue_->drop_memory();
    }
    restore_failure(earlier);
    staging_.drop();
    const std::scoped_lock lock(mutex_);
    for (MemoryBlock& block : workspaces_)
        if (block.data != nullptr) arena_.give_back(std::exchange(block, {}).data);
    arena_.release_free_slabs();
}

Status Device::take_piece(MemoryBlock& block, int64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (arena_.take(block, bytes)) return Status::Ok;
    if (const Status status = grow_arena(bytes); status != Status::Ok) return status;
    return arena_.take(block, bytes) ? Status::Ok : Status::Memory;
}

Status Device::grow_arena(int64_t bytes) {
    Status status = arena_.grow(bytes);
    if (status != Status::Memory) return status;
    // What is kept for later may be what is missing.
    status = wait(queue_);
    if (status != Status::Ok) return status;
    arena_.release_free_slabs();
    status = arena_.grow(bytes);
    if (status == Status::Memory) say_refusal(bytes);
    return status;
}

void Device::say_refusal(int64_t bytes) {
    int64_t free = 0;
    const Failure failure = take_failure();
    if (free_memory(free) != Status::Ok) return;  // it says why
    const SizeText asked(bytes), memory(properties_.memory_bytes), left(free), own(arena_.free_bytes()),
        held(arena_.reserved_bytes());
    set_failure(Status::Memory,
                "%s: %s were asked for, of the GPU's %s %s are free, and %s of the %s that this engine holds",
                failure.text, asked.text, memory.text, left.text, own.text, held.text);
}

Status Device::reserve(int64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (arena_.largest_free() >= bytes) return Status::Ok;
    const Status status = grow_arena(bytes);
    if (status != Status::Memory) return status;
    // In one piece there is not so much: in several there may be.
    const int64_t missing = bytes - arena_.free_bytes();
    return missing <= 0 ? Status::Ok : grow_arena(missing);
}

int64_t Device::reserved_bytes() {
    const std::scoped_lock lock(mutex_);
    return arena_.reserved_bytes();
}

int64_t Device::available_bytes() {
    int64_t free = 0;
    if (enter_device(index_) != Status::Ok || free_memory(free) != Status::Ok) return -1;
    const std::scoped_lock lock(mutex_);
    return free + arena_.free_bytes();
}

void* Device::workspace_bytes(int slot, int64_t bytes) {
    if (workspaces_.size() <= static_cast<size_t>(slot)) workspaces_.resize(static_cast<size_t>(slot) + 1);
    MemoryBlock& block = workspaces_[static_cast<size_t>(slot)];
    if (block.bytes >= bytes && block.data != nullptr) return block.data;
    if (block.data != nullptr) give_back_piece(std::exchange(block, {}).data);
    return take_piece(block, bytes) == Status::Ok ? block.data : nullptr;
}

Status Device::take_place(StagedPlace& place, int64_t bytes) {
    place = queue_->place(bytes);
    return place.device != nullptr ? Status::Ok : staging_.take(place, bytes);
}

const void* Device::stage_bytes(const void* host, int64_t bytes, int slot) {
    StagedPlace place = bytes == 0 ? StagedPlace{} : queue_->place(bytes);
    if (place.device != nullptr) {
        std::memcpy(place.pinned, host, static_cast<size_t>(bytes));
        if (slot >= 0) queue_->remember(slot, place, bytes);
        return queue_->staged(place, bytes) == Status::Ok ? place.device : nullptr;
    }
    if (bytes == 0 || staging_.take(place, bytes) != Status::Ok) return nullptr;
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
            return next.device == first.device + Arena::rounded(bytes) &&
                   next.pinned == first.pinned + Arena::rounded(bytes);
        };
        while (i < count_ && adjoins(arrays_[i].place)) bytes = Arena::rounded(bytes) + arrays_[i++].bytes;
        status_ = copy_out(first.pinned, first.device, bytes, device_.queue());
    }
    if (status_ == Status::Ok) status_ = wait(device_.queue());
    for (int i = 0; i < count_ && status_ == Status::Ok; ++i)
        std::memcpy(arrays_[i].host, arrays_[i].place.pinned, static_cast<size_t>(arrays_[i].bytes));
    return status_;
}

// ---- operation

Operation::Operation(Device& device) : device_(device), turn_(device.operation_) {
    if (device.lost_.status != Status::Ok) {
        status_ = device.lost_.status;
        restore_failure(device.lost_);
        return;
    }
    take_failure();
    status_ = ended(enter_device(device.index_));
}

// Ops that got no memory cannot tell whether it is missing or a call before it failed.
Status Operation::ended(Status status) {
    const Failure& met = last_failure();
    if (met.status == Status::Lost) {
        device_.lost_ = met;
        return Status::Lost;
    }
    return status == Status::Memory && met.status == Status::Backend ? Status::Backend : status;
}

}  // namespace attune::gpu
