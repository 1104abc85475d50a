// One stretch of addresses is the device's memory; it may be touched while a queue runs alone.
#include "cuda/simt/runtime_simt.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "cuda/runtime.h"
#include "cuda/simt/tensor_map.h"
#include "cuda/simt/work_queue.h"

namespace attune {

using Work = std::vector<std::function<void()>>;

struct gpu::RawQueue {
    simt::WorkQueue work;
    bool capturing = false;
    Work captured;
};

struct gpu::RawGraph {
    Work work;
};

namespace {

constexpr int64_t kDeviceBytes = int64_t{4} << 30;
constexpr int64_t kUnit = 512;

// First fit over the free stretches, by address.
struct DeviceMemory {
    std::byte* base;
    std::map<int64_t, int64_t> free{{0, kDeviceBytes}};  // offset -> bytes
    std::map<int64_t, int64_t> used;
    std::mutex mutex;
    std::mutex running;  // queues of several engines take turns: the first to end locks the memory again

    DeviceMemory() {
        void* memory =
            mmap(nullptr, kDeviceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("simt: no memory for the device");
        base = static_cast<std::byte*>(memory);
    }
    void* take(int64_t bytes) {
        const std::scoped_lock lock(mutex);
        const int64_t size = (bytes + kUnit - 1) / kUnit * kUnit;
        for (const auto& [offset, length] : free) {
            if (length < size) continue;
            const int64_t at = offset, rest = length - size;
            free.erase(at);
            if (rest > 0) free[at + size] = rest;
            used[at] = size;
            return base + at;
        }
        return nullptr;
    }
    void give_back(void* memory) {
        const std::scoped_lock lock(mutex);
        const int64_t at = static_cast<std::byte*>(memory) - base;
        int64_t size = used.at(at), offset = at;
        used.erase(at);
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
    void protect(int access) { mprotect(base, kDeviceBytes, access); }
};

DeviceMemory& memory() {
    static DeviceMemory all;
    return all;
}

thread_local std::string error_text;
bool graphs_refused = false;

}  // namespace

namespace simt {

void enqueue(gpu::RawQueue* queue, std::function<void()> work) {
    if (queue->capturing)
        queue->captured.push_back(std::move(work));
    else
        queue->work.add(std::move(work));
}

void refuse_graphs(bool refuse) {
    graphs_refused = refuse;
}

bool on_device(const void* pointer) {
    const auto* at = static_cast<const std::byte*>(pointer);
    return at >= memory().base && at < memory().base + kDeviceBytes;
}

void refuse_host_pointer(const char* kernel, const void*) {
    throw std::logic_error(std::string("simt: ") + kernel + " was given a pointer of the host");
}

}  // namespace simt

namespace gpu {

int device_count() {
    return 1;
}

Status properties(Properties& out, int) {
    out = {"simt", 9, 0, 4, kDeviceBytes, kDeviceBytes, int64_t{227} << 10, 13000};
    return Status::Ok;
}

Status use_device(int) {
    return Status::Ok;
}

namespace {
void refuse_capturing(const RawQueue* queue, const char* what) {
    if (queue->capturing) throw std::logic_error(std::string("simt: a queue that is written down ") + what);
}
}  // namespace

Status make_queue(RawQueue** queue) {
    *queue = new RawQueue;
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
    *out = memory().take(bytes == 0 ? 1 : bytes);
    if (*out != nullptr) return Status::Ok;
    set_last_error("out of memory");
    return Status::Memory;
}

void release(void* pointer) {
    if (pointer != nullptr) memory().give_back(pointer);
}

Status allocate_pinned(void** out, int64_t bytes) {
    *out = ::operator new(static_cast<size_t>(bytes == 0 ? 1 : bytes));
    return Status::Ok;
}

void release_pinned(void* pointer) {
    ::operator delete(pointer);
}

namespace {
Status copy_later(void* target, const void* source, int64_t bytes, RawQueue* queue) {
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
    simt::enqueue(queue, [=] { std::memset(device, 0, static_cast<size_t>(bytes)); });
    return Status::Ok;
}

// One engine's thread at a time: the memory is open to all of them meanwhile.
Status wait(RawQueue* queue) {
    refuse_capturing(queue, "was waited for");
    const std::scoped_lock turn(memory().running);
    memory().protect(PROT_READ | PROT_WRITE);
    queue->work.run();
    memory().protect(PROT_NONE);
    return Status::Ok;
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
        set_last_error("out of memory for a graph");
        return Status::Memory;
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
        set_last_error("a matrix that TMA cannot read");
        return Status::Backend;
    }
    const simt::MatrixBox box{static_cast<const bf16_t*>(matrix.data), matrix.rows, matrix.cols,
                              matrix.stride, box_rows};
    out = {};
    std::memcpy(out.bytes, &box, sizeof(box));
    out.data = matrix.data;
    return Status::Ok;
}

const std::string& last_error() {
    return error_text;
}

void set_last_error(std::string text) {
    error_text = std::move(text);
}

}  // namespace gpu

}  // namespace attune
