// One GPU as an engine uses it: a queue of work, memory, and what passes between host and device. One op at a
// time (Operation); what may be called beside it says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "core/ops.h"
#include "cuda/arena.h"
#include "cuda/cublaslt.h"
#include "cuda/fault.h"
#include "cuda/queue.h"
#include "cuda/runtime.h"
#include "cuda/transfer.h"

namespace attune::gpu {

class Device;

// Memory on both sides through which small arrays pass, one behind the other; at its end the queue is waited
// for and it begins again. It holds sixteen arrays of the largest size that was asked for, so that the eight
// of one op never overlap.
class Staging {
  public:
    explicit Staging(Device& device) : device_(device) {}
    ~Staging() { drop(); }
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // A status where there is no memory.
    Status take(StagedPlace& place, int64_t bytes);
    // Gives all of it back; the queue must be empty.
    void drop();

  private:
    Status grow(int64_t size);

    Device& device_;
    StagedPlace memory_;
    std::vector<StagedPlace> retired_;  // an op may still be about to use them
    int64_t size_ = 0;
    int64_t used_ = 0;
};

class Device final : public PlaceSource {
  public:
    // Null where it cannot be opened: last_failure() says why.
    static Device* open(int index);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    Queue* queue() const { return queue_; }
    const Properties& properties() const { return properties_; }
    // Hopper's own instructions (compute capability 9.0), unless ATTUNE_CUDA_GEMM=mma asks for what every GPU
    // has.
    bool has_wgmma() const { return has_wgmma_; }
    // NVIDIA's library for gradients, where ATTUNE_CUDA_GEMM=cublaslt asks for it; otherwise null.
    CublasLt* cublaslt() const { return cublaslt_.get(); }
    // Made at the first call; null where that fails.
    Transfers* transfers() {
        if (transfers_ == nullptr) transfers_ = Transfers::open(queue_);
        return transfers_;
    }

    // Blocks of zeros for tensors, out of the arena.
    Status take(MemoryBlock& block, int64_t bytes);
    void give_back(MemoryBlock block);
    // From any thread: give_back(), and all memory goes back to the device once no tensor is left.
    void release_tensor(MemoryBlock block);
    // From any thread, between ops: memory that transfers() read, once they do no more.
    void give_back_pinned(MemoryBlock block);
    // Memory of the arena and as much of the host, pinned.
    Status take_both(StagedPlace& place, int64_t bytes) override;
    void give_back_both(const StagedPlace& place) override;
    // Another slab, unless a free piece is as large.
    Status reserve(int64_t bytes);
    // From any thread, between ops: work spaces, staging, steps' memory and free slabs go back to the device.
    void trim();
    // Of all slabs, in use or not.
    int64_t reserved_bytes();
    // What take() could still give: free on the device, and kept for the next use. Negative: it cannot be
    // asked.
    int64_t available_bytes();

    // Work space of an op, by number, until its next use. Null where there is no memory.
    template <class T>
    T* workspace(int slot, int64_t count) {
        return static_cast<T*>(workspace_bytes(slot, count * static_cast<int64_t>(sizeof(T))));
    }

    // A copy of host[count] on the device, made in the queue's order; null when count is 0 or there is no
    // memory.
    template <class T>
    const T* stage(const T* host, int64_t count) {
        return static_cast<const T*>(stage_bytes(host, count * static_cast<int64_t>(sizeof(T))));
    }

    // As stage(). Within a step one array may stand for several calls of the same slot that stage the same.
    template <class T>
    const T* stage_again(int slot, const T* host, int64_t count) {
        return static_cast<const T*>(stage_again_bytes(slot, host, count * static_cast<int64_t>(sizeof(T))));
    }

    Status begin_step(uint64_t key) { return queue_->begin_step(key); }
    const StepCounts& step_counts() const { return queue_->counts(); }

    // Copies of any size, complete on return.
    Status read(void* host, const void* device, int64_t bytes);
    Status write(void* device, const void* host, int64_t bytes);

  private:
    Device() = default;
    Status open();
    Status find_code() const;
    Status choose_gemm();
    // A piece of the arena, which grows where it must.
    Status take_piece(MemoryBlock& block, int64_t bytes);
    Status grow_arena(int64_t bytes);
    void say_refusal(int64_t bytes);
    void drop_unused();
    void give_back_piece(void* data);
    void* workspace_bytes(int slot, int64_t bytes);
    const void* stage_bytes(const void* host, int64_t bytes, int slot = -1);
    const void* stage_again_bytes(int slot, const void* host, int64_t bytes);
    // Null pointers and a status where there is no memory.
    Status take_place(StagedPlace& place, int64_t bytes);
    friend class Operation;
    friend class Results;
    friend class Staging;

    int index_ = 0;
    Properties properties_;
    bool has_wgmma_ = false;
    std::unique_ptr<CublasLt> cublaslt_;
    Queue* queue_ = nullptr;
    Staging staging_{*this};
    void* transfer_ = nullptr;  // pinned, for large copies
    Transfers* transfers_ = nullptr;
    std::vector<MemoryBlock> workspaces_;

    std::mutex operation_;  // held while an op runs
    Failure lost_;          // what every later op reports; under operation_

    std::mutex mutex_;  // of what follows
    Arena arena_;
    int64_t tensors_ = 0;  // blocks of take() that are out
};

// An op's turn on a device: alone on it, which is the calling thread's device meanwhile. A device that is
// lost stays so.
class Operation {
  public:
    explicit Operation(Device& device);
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    // Other than Ok: the op must not begin.
    Status status() const { return status_; }
    // What the op's status means, together with what it met underneath.
    Status ended(Status status);

  private:
    Device& device_;
    std::unique_lock<std::mutex> turn_;
    Status status_ = Status::Ok;
};

// Where kernels put what the host waits for: device memory for each array, fetched together.
class Results {
  public:
    explicit Results(Device& device) : device_(device) {}

    // Device memory for host[count]; null when host is null. After a failure collect() reports it.
    template <class T>
    T* place(T* host, int64_t count) {
        return static_cast<T*>(place_bytes(host, count * static_cast<int64_t>(sizeof(T))));
    }
    // There was memory for everything so far.
    bool placed() const { return status_ == Status::Ok; }
    // Waits for the queue, and fills the host's arrays.
    Status collect();

  private:
    void* place_bytes(void* host, int64_t bytes);

    struct Array {
        void* host;
        StagedPlace place;
        int64_t bytes;
    };
    static constexpr int kMost = 8;
    Device& device_;
    Array arrays_[kMost];
    int count_ = 0;
    Status status_ = Status::Ok;
};

inline Device& device_of(Stream* stream) {
    return *static_cast<Device*>(stream->device);
}

// Whether the code that runs on the device is Hopper's own (gemm.cu).
Status has_hopper_code(bool& has, Device& device);

}  // namespace attune::gpu
