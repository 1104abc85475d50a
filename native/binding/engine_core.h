// What an engine owns: an ops table and its device, a share of the process-wide thread pool, scratch memory
// and a command thread. Knows nothing of JavaScript values.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/backend.h"
#include "core/cuda_library.h"
#include "core/error.h"
#include "core/job_queue.h"
#include "core/scratch.h"
#include "core/shared_pool.h"

namespace attune::binding {

// A GPU that an engine has opened; nothing on the CPU.
class OpenDevice {
  public:
    OpenDevice() = default;
    // Throws Code::Backend.
    OpenDevice(const CudaLibrary& library, int32_t index) : library_(&library) {
        require(library.ok(), Code::Backend, "Expected a CUDA device but the backend is ", library.stage,
                ": ", library.reason, ".");
        char text[512] = "";
        device_ = library.table.open(index, text, sizeof(text));
        require(device_ != nullptr, Code::Backend, "Expected to open CUDA device ", index, " but: ", text,
                ".");
    }
    ~OpenDevice() {
        if (device_ != nullptr) library_->table.close(device_);
    }
    OpenDevice(const OpenDevice&) = delete;
    OpenDevice& operator=(const OpenDevice&) = delete;

    void* get() const { return device_; }
    int64_t reserved_bytes() const {
        return device_ == nullptr ? 0 : library_->table.reserved_bytes(device_);
    }
    // On a GPU. Throws Code::DeviceLost where it is lost.
    int64_t available_bytes() const {
        char text[512] = "";
        const int64_t bytes = library_->table.available_bytes(device_, text, sizeof(text));
        require(bytes >= 0, Code::DeviceLost, "Expected to ask the GPU for its free memory but: ", text, ".");
        return bytes;
    }
    // Why the command thread's last op failed; empty on the CPU.
    std::string last_error() const {
        char text[512] = "";
        if (device_ != nullptr) library_->table.last_error(text, sizeof(text));
        return text;
    }

  private:
    const CudaLibrary* library_ = nullptr;
    void* device_ = nullptr;
};

struct EngineCore {
    // isa empty = the best one. Throws Code::Backend, Code::Option.
    EngineCore(int threads, const std::string& isa) : ops(&cpu_ops(isa)), pool(shared_pool(threads)) {}
    // On a GPU. Throws Code::Backend.
    EngineCore(int threads, const CudaLibrary& library, int32_t index)
        : ops(library.table.ops), device(library, index), pool(shared_pool(threads)) {}

    const Ops* ops;
    OpenDevice device;
    std::shared_ptr<ThreadPool> pool;
    Scratch scratch;            // command thread only
    std::optional<Error> lost;  // likewise: how the device was lost, which every later job reports
    std::atomic<int64_t> scratch_bytes{0};
    JobQueue queue;  // last: its destructor joins the thread before the rest goes
};

}  // namespace attune::binding
