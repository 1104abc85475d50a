// Each device's memory is one stretch of addresses, which may be touched while a queue of it runs alone.
#include "cuda/simt/runtime_simt.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "cuda/fault.h"
#include "cuda/runtime.h"
#include "cuda/simt/machine_simt.h"
#include "cuda/simt/tensor_map.h"
#include "cuda/simt/work_queue.h"

namespace attune {

using Work = std::vector<std::function<void()>>;

struct gpu::RawQueue {
    int device = 0;
    simt::WorkQueue work{device};
    bool capturing = false;
    Work captured{};
};

struct gpu::RawGraph {
    Work work;
};

namespace {

using gpu::Fault;
using simt::Call;

constexpr int64_t kDeviceBytes = int64_t{4} << 30;
constexpr int64_t kUnit = 512;

// First fit over the free stretches, by address.
struct DeviceMemory {
    std::byte* base;
    std::map<int64_t, int64_t> free{{0, kDeviceBytes}};  // offset -> bytes
    std::map<int64_t, int64_t> used;
    int64_t used_bytes = 0;
    std::mutex mutex;

    DeviceMemory() {
        void* memory =
            mmap(nullptr, kDeviceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("simt: no memory for the device");
        base = static_cast<std::byte*>(memory);
    }
    bool holds(const void* pointer) const {
        const auto* at = static_cast<const std::byte*>(pointer);
        return at >= base && at < base + kDeviceBytes;
    }
    int64_t free_bytes() {
        const std::scoped_lock lock(mutex);
        return std::max(int64_t{0}, simt::machine_facts().memory_bytes - used_bytes);
    }
    void* take(int64_t bytes) {
        const int64_t size = (bytes + kUnit - 1) / kUnit * kUnit;
        if (size > free_bytes()) return nullptr;
        const std::scoped_lock lock(mutex);
        for (const auto& [offset, length] : free) {
            if (length < size) continue;
            const int64_t at = offset, rest = length - size;
            free.erase(at);
            if (rest > 0) free[at + size] = rest;
            used[at] = size;
            used_bytes += size;
            return base + at;
        }
        return nullptr;
    }
    void give_back(void* memory) {
        const std::scoped_lock lock(mutex);
        const int64_t at = static_cast<std::byte*>(memory) - base;
        int64_t size = used.at(at), offset = at;
        used.erase(at);
        used_bytes -= size;
        if (const auto next = free.find(at + size); next != free.end()) {
            size += next->second;
            free.erase(next);
        }
        if (auto before = free.lower_bound(at); before != free.begin()) {
            --before;
            if (before->first + before->second == at) {
                offset = before->first;
                size += before->second;
            }
        }
        free[offset] = size;
    }
};

// Never destroyed: engines may be closed after statics are. Memory is there once a device has some.
DeviceMemory& memory_of(int device) {
    static std::mutex mutex;
    static auto* all = new std::unique_ptr<DeviceMemory>[simt::kMostDevices];
    const std::scoped_lock lock(mutex);
    if (all[device] == nullptr) all[device] = std::make_unique<DeviceMemory>();
    return *all[device];
}

// The host may touch no memory of the device but meanwhile; queues of all engines take turns.
class Running {
  public:
    explicit Running(DeviceMemory& memory) : memory_(memory), turn_(simt::turn_of_queues()) {
        mprotect(memory_.base, kDeviceBytes, PROT_READ | PROT_WRITE);
    }
    ~Running() { mprotect(memory_.base, kDeviceBytes, PROT_NONE); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

  private:
    DeviceMemory& memory_;
    std::unique_lock<std::mutex> turn_;
};

thread_local int current = 0;
std::atomic<int64_t> misplaced{0};

Status failed(int error, const char* call) {
    const int toolkit = gpu::runtime_version();
    for (const gpu::KnownError& known : gpu::kKnownErrors)
        if (known.number == error) return gpu::report(error, call, known.name, "simulated", toolkit);
    return gpu::report(error, call, ("cudaError_t " + std::to_string(error)).c_str(), "simulated", toolkit);
}

Status asked(Call call, const char* name, int device = current) {
    return failed(simt::error_of(call, device), name);
}
bool graphs_refused = false;

}  // namespace

namespace simt {

void enqueue(gpu::RawQueue* queue, std::function<void()> work) {
    const int device = queue->device;
    std::function<void()> step = [device, work = std::move(work)] {
        if (lost_error(device) == 0) work();
    };
    if (queue->capturing)
        queue->captured.push_back(std::move(step));
    else
        queue->work.add(std::move(step));
}

void refuse_graphs(bool refuse) {
    graphs_refused = refuse;
}

Status enqueue_kernel(const char* kernel, gpu::RawQueue* queue, std::function<void()> work) {
    constexpr int kInvalidResourceHandle = 400;
    const int device = queue->device;
    if (current != device) return failed(kInvalidResourceHandle, kernel);
    const int error = error_of(Call::Launch, device);
    if (error != 0 && (gpu::fault_of(error) != Fault::Lost || lost_error(device) != 0))
        return failed(error, kernel);
    if (error != 0) work = [device, error] { lose_device(device, error); };
    enqueue(queue, [work = std::move(work)] {
        std::this_thread::sleep_for(std::chrono::milliseconds(machine_facts().slow));
        work();
    });
    return Status::Ok;
}

bool on_device(const void* pointer) {
    return memory_of(current).holds(pointer);
}

int64_t misplaced_releases() {
    return misplaced;
}

void refuse_host_pointer(const char* kernel, const void*) {
    throw std::logic_error(std::string("simt: ") + kernel + " was given a pointer that is not the device's");
}

}  // namespace simt

namespace gpu {

int driver_version() {
    return simt::machine_facts().driver;
}

int runtime_version() {
    return simt::machine_facts().toolkit;
}

Status count_devices(int& count) {
    simt::read_environment();
    count = 0;
    if (const Status status = asked(Call::Count, "cudaGetDeviceCount", 0); status != Status::Ok)
        return status;
    count = simt::machine_facts().devices;
    return Status::Ok;
}

Status properties(Properties& out, int device) {
    simt::read_environment();
    const simt::MachineFacts facts = simt::machine_facts();
    out = {"simt",      facts.capability / 10, facts.capability % 10,
           4,           facts.memory_bytes,    int64_t{227} << 10,
           facts.driver};
    return asked(Call::Properties, "cudaGetDeviceProperties", device);
}

std::string driver_version_text() {
    return {};
}

int64_t free_memory_of(int device) {
    simt::read_environment();
    const bool there = device >= 0 && device < simt::machine_facts().devices;
    return there && simt::error_of(Call::Free, device) == 0 ? memory_of(device).free_bytes() : -1;
}

Status use_device(int device) {
    constexpr int kInvalidDevice = 101;
    if (device < 0 || device >= simt::machine_facts().devices) return failed(kInvalidDevice, "cudaSetDevice");
    const Status status = asked(Call::Use, "cudaSetDevice", device);
    if (status == Status::Ok) current = device;
    return status;
}

Status find_code() {
    return asked(Call::Code, "cudaFuncGetAttributes");
}

Status free_memory(int64_t& bytes) {
    if (const Status status = asked(Call::Free, "cudaMemGetInfo"); status != Status::Ok) return status;
    bytes = memory_of(current).free_bytes();
    return Status::Ok;
}

namespace {
void refuse_capturing(const RawQueue* queue, const char* what) {
    if (queue->capturing) throw std::logic_error(std::string("simt: a queue that is written down ") + what);
}
}  // namespace

Status make_queue(RawQueue** queue) {
    if (const Status status = asked(Call::Queue, "cudaStreamCreate"); status != Status::Ok) return status;
    *queue = new RawQueue{.device = current};
    return Status::Ok;
}

void end_queue(RawQueue* queue) {
    delete queue;
}

Status make_event(void** event) {
    *event = new simt::Event;
    return Status::Ok;
}

void end_event(void* event) {
    delete static_cast<simt::Event*>(event);
}

Status record(void* event, RawQueue* queue) {
    refuse_capturing(queue, "recorded an event");
    queue->work.record(*static_cast<simt::Event*>(event));
    return Status::Ok;
}

Status follow(RawQueue* queue, void* event) {
    refuse_capturing(queue, "followed an event");
    queue->work.follow(*static_cast<simt::Event*>(event));
    return Status::Ok;
}

Status allocate(void** out, int64_t bytes) {
    if (const Status status = asked(Call::Allocate, "cudaMalloc"); status != Status::Ok) return status;
    *out = memory_of(current).take(bytes == 0 ? 1 : bytes);
    return *out != nullptr ? Status::Ok : failed(2, "cudaMalloc");
}

void release(void* pointer) {
    if (pointer == nullptr) return;
    if (!memory_of(current).holds(pointer)) ++misplaced;
    for (int device = 0; device < simt::kMostDevices; ++device)
        if (memory_of(device).holds(pointer)) memory_of(device).give_back(pointer);
}

Status allocate_pinned(void** out, int64_t bytes) {
    if (const Status status = asked(Call::Pinned, "cudaMallocHost"); status != Status::Ok) return status;
    *out = ::operator new(static_cast<size_t>(bytes == 0 ? 1 : bytes), std::nothrow);
    return *out != nullptr ? Status::Ok : failed(2, "cudaMallocHost");
}

void release_pinned(void* pointer) {
    ::operator delete(pointer);
}

namespace {
Status copy_later(void* target, const void* source, int64_t bytes, RawQueue* queue) {
    const Status status = asked(Call::Copy, "cudaMemcpyAsync", queue->device);
    if (status != Status::Ok) return status;
    simt::enqueue(queue, [=] { std::memcpy(target, source, static_cast<size_t>(bytes)); });
    return Status::Ok;
}
}  // namespace

Status copy_in(void* device, const void* pinned, int64_t bytes, RawQueue* queue) {
    simt::expect_device_pointer("copy_in", device);
    return copy_later(device, pinned, bytes, queue);
}

Status copy_out(void* pinned, const void* device, int64_t bytes, RawQueue* queue) {
    simt::expect_device_pointer("copy_out", device);
    return copy_later(pinned, device, bytes, queue);
}

Status copy_within(void* target, const void* source, int64_t bytes, RawQueue* queue) {
    simt::expect_device_pointer("copy_within", target);
    simt::expect_device_pointer("copy_within", source);
    return copy_later(target, source, bytes, queue);
}

Status clear(void* device, int64_t bytes, RawQueue* queue) {
    simt::expect_device_pointer("clear", device);
    const Status status = asked(Call::Copy, "cudaMemsetAsync", queue->device);
    if (status != Status::Ok) return status;
    simt::enqueue(queue, [=] { std::memset(device, 0, static_cast<size_t>(bytes)); });
    return Status::Ok;
}

// What is left of a lost device's queue does nothing.
Status wait(RawQueue* queue) {
    refuse_capturing(queue, "was waited for");
    const char* call = "cudaStreamSynchronize";
    const int device = queue->device;
    const Status status = asked(Call::Wait, call, device);
    if (status != Status::Ok && simt::lost_error(device) == 0) return status;
    try {
        const Running running(memory_of(device));
        queue->work.run();
    } catch (...) {
        return report_exception();  // a kernel's threads diverge
    }
    return failed(simt::lost_error(device), call);
}

Status begin_capture(RawQueue* queue) {
    queue->capturing = true;
    return Status::Ok;
}

Status end_capture(RawGraph** graph, RawQueue* queue) {
    queue->capturing = false;
    Work captured = std::exchange(queue->captured, {});
    if (graphs_refused) {
        release_graph(std::exchange(*graph, nullptr));
        return failed(2, "cudaStreamEndCapture");
    }
    if (*graph == nullptr) *graph = new RawGraph;
    (*graph)->work = std::move(captured);
    return Status::Ok;
}

// As a graph that runs later: what it is then given is what it was made with.
Status launch_graph(RawGraph* graph, RawQueue* queue) {
    for (const std::function<void()>& step : graph->work) simt::enqueue(queue, step);
    return Status::Ok;
}

void release_graph(RawGraph* graph) {
    delete graph;
}

Status make_tensor_map(TensorMap& out, const ConstMat& matrix, int box_rows) {
    const bool fits = reinterpret_cast<uintptr_t>(matrix.data) % 16 == 0 && matrix.stride % 8 == 0 &&
                      matrix.rows > 0 && matrix.cols > 0 && box_rows > 0 && box_rows <= 256;
    if (!fits || matrix.dtype != DType::BF16) {
        set_failure(Status::Backend, "a matrix that TMA cannot read");
        return Status::Backend;
    }
    const simt::MatrixBox box{static_cast<const bf16_t*>(matrix.data), matrix.rows, matrix.cols,
                              matrix.stride, box_rows};
    out = {};
    std::memcpy(out.bytes, &box, sizeof(box));
    out.data = matrix.data;
    return Status::Ok;
}

}  // namespace gpu

}  // namespace attune
