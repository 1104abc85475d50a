// One GPU as an engine uses it: a queue of work, memory, and what passes between host and device. One
// command thread at a time, except for give_back().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/ops.h"
#include "cuda/cublaslt.h"
#include "cuda/queue.h"
#include "cuda/runtime.h"
#include "cuda/transfer.h"

namespace attune::gpu {

// Memory on both sides through which small arrays pass, one behind the other; at its end the queue is waited
// for and it begins again. It holds sixteen arrays of the largest size that was asked for, so that the eight
// of one op never overlap.
class Staging {
  public:
    explicit Staging(Queue* queue) : queue_(queue) {}
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // Null pointers and a status where there is no memory.
    Status take(StagedPlace& place, int64_t bytes);

  private:
    Status grow(int64_t size);

    Queue* queue_;
    StagedPlace memory_;
    std::vector<StagedPlace> retired_;  // an op may still be about to use them
    int64_t size_ = 0;
    int64_t used_ = 0;
};

class Device {
  public:
    // Null where it cannot be opened: last_error() says why.
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

    // Blocks of zeros for tensors, kept for the next one when they are given back.
    Status take(MemoryBlock& block, int64_t bytes);
    void give_back(MemoryBlock block);
    // Of all blocks, in use or not.
    int64_t reserved_bytes();
    // What take() could still give: free on the device, and kept for the next use.
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
    Status choose_gemm();
    void* workspace_bytes(int slot, int64_t bytes);
    const void* stage_bytes(const void* host, int64_t bytes, int slot = -1);
    const void* stage_again_bytes(int slot, const void* host, int64_t bytes);
    // Null pointers and a status where there is no memory.
    Status take_place(StagedPlace& place, int64_t bytes);
    friend class Results;

    int index_ = 0;
    Properties properties_;
    bool has_wgmma_ = false;
    std::unique_ptr<CublasLt> cublaslt_;
    Queue* queue_ = nullptr;
    Staging* staging_ = nullptr;
    void* transfer_ = nullptr;  // pinned, for large copies
    Transfers* transfers_ = nullptr;
    std::vector<MemoryBlock> workspaces_;
    std::mutex mutex_;
    std::multimap<int64_t, void*> spare_;  // size -> block
    int64_t reserved_ = 0;
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

}  // namespace attune::gpu
