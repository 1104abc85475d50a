// The CUDA runtime behind runtime.h. Linked statically: what is needed at run time is the driver alone.
#include "cuda/runtime.h"

#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda_runtime.h>

#include <cstring>
#include <utility>

#include "cuda/gpu_nvcc.h"

namespace attune::gpu {

namespace {

thread_local std::string error_text;

// What an error means to the engine. Others than of memory stay with the device: every call after it fails.
Status status_of(cudaError_t error, const char* call) {
    if (error == cudaSuccess) return Status::Ok;
    set_last_error(std::string(call) + ": " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) +
                   ")");
    return error == cudaErrorMemoryAllocation ? Status::Memory : Status::Backend;
}

cudaStream_t stream_of(RawQueue* queue) {
    return reinterpret_cast<cudaStream_t>(queue);
}

}  // namespace

#define CUDA_CHECK(call)                                                                         \
    do {                                                                                         \
        if (const Status status = status_of((call), #call); status != Status::Ok) return status; \
    } while (false)

int device_count() {
    int count = 0;
    if (status_of(cudaGetDeviceCount(&count), "cudaGetDeviceCount") != Status::Ok) {
        cudaGetLastError();  // or the next call would report it again
        return 0;
    }
    return count;
}

Status properties(Properties& out, int device) {
    cudaDeviceProp properties{};
    CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
    CUDA_CHECK(cudaSetDevice(device));
    size_t free = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &total));
    out.name = properties.name;
    out.major = properties.major;
    out.minor = properties.minor;
    out.multiprocessors = properties.multiProcessorCount;
    out.memory_bytes = static_cast<int64_t>(total);
    out.free_bytes = static_cast<int64_t>(free);
    out.shared_bytes = static_cast<int64_t>(properties.sharedMemPerBlockOptin);
    CUDA_CHECK(cudaDriverGetVersion(&out.driver_version));
    return Status::Ok;
}

Status use_device(int device) {
    CUDA_CHECK(cudaSetDevice(device));
    return Status::Ok;
}

Status make_queue(RawQueue** queue) {
    cudaStream_t stream = nullptr;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    *queue = reinterpret_cast<RawQueue*>(stream);
    return Status::Ok;
}

void end_queue(RawQueue* queue) {
    cudaStreamDestroy(stream_of(queue));
}

Status allocate(void** memory, int64_t bytes) {
    const Status status =
        status_of(cudaMalloc(memory, static_cast<size_t>(bytes == 0 ? 1 : bytes)), "cudaMalloc");
    if (status == Status::Memory) cudaGetLastError();  // this one does not stay
    return status;
}

void release(void* memory) {
    cudaFree(memory);
}

Status allocate_pinned(void** memory, int64_t bytes) {
    const Status status =
        status_of(cudaMallocHost(memory, static_cast<size_t>(bytes == 0 ? 1 : bytes)), "cudaMallocHost");
    if (status == Status::Memory) cudaGetLastError();
    return status;
}

void release_pinned(void* memory) {
    cudaFreeHost(memory);
}

Status copy_in(void* device, const void* pinned, int64_t bytes, RawQueue* queue) {
    CUDA_CHECK(cudaMemcpyAsync(device, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                               stream_of(queue)));
    return Status::Ok;
}

Status copy_out(void* pinned, const void* device, int64_t bytes, RawQueue* queue) {
    CUDA_CHECK(cudaMemcpyAsync(pinned, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost,
                               stream_of(queue)));
    return Status::Ok;
}

Status copy_within(void* target, const void* source, int64_t bytes, RawQueue* queue) {
    CUDA_CHECK(cudaMemcpyAsync(target, source, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                               stream_of(queue)));
    return Status::Ok;
}

Status clear(void* device, int64_t bytes, RawQueue* queue) {
    CUDA_CHECK(cudaMemsetAsync(device, 0, static_cast<size_t>(bytes), stream_of(queue)));
    return Status::Ok;
}

Status wait(RawQueue* queue) {
    CUDA_CHECK(cudaStreamSynchronize(stream_of(queue)));
    return Status::Ok;
}

Status make_event(void** event) {
    cudaEvent_t made = nullptr;
    CUDA_CHECK(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    *event = made;
    return Status::Ok;
}

void end_event(void* event) {
    cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

Status record(void* event, RawQueue* queue) {
    CUDA_CHECK(cudaEventRecord(static_cast<cudaEvent_t>(event), stream_of(queue)));
    return Status::Ok;
}

Status follow(RawQueue* queue, void* event) {
    CUDA_CHECK(cudaStreamWaitEvent(stream_of(queue), static_cast<cudaEvent_t>(event), 0));
    return Status::Ok;
}

// Other threads may allocate meanwhile: they have queues of their own.
Status begin_capture(RawQueue* queue) {
    CUDA_CHECK(cudaStreamBeginCapture(stream_of(queue), cudaStreamCaptureModeThreadLocal));
    return Status::Ok;
}

namespace {
// A graph of the same shape is changed, which costs far less than a new one.
Status instantiate(cudaGraphExec_t& program, cudaGraph_t graph) {
    if (program != nullptr) {
        cudaGraphExecUpdateResultInfo info{};
        if (cudaGraphExecUpdate(program, graph, &info) == cudaSuccess) return Status::Ok;
        cudaGetLastError();  // it has another shape, which is no failure
        cudaGraphExecDestroy(std::exchange(program, nullptr));
    }
    CUDA_CHECK(cudaGraphInstantiate(&program, graph, 0));
    return Status::Ok;
}
}  // namespace

Status end_capture(RawGraph** out, RawQueue* queue) {
    cudaGraph_t graph = nullptr;
    auto program = reinterpret_cast<cudaGraphExec_t>(*out);
    Status status = status_of(cudaStreamEndCapture(stream_of(queue), &graph), "cudaStreamEndCapture");
    if (status == Status::Ok) status = instantiate(program, graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (status != Status::Ok) {
        cudaGetLastError();  // or the next call would report it again
        if (program != nullptr) cudaGraphExecDestroy(std::exchange(program, nullptr));
    }
    *out = reinterpret_cast<RawGraph*>(program);
    return status;
}

Status launch_graph(RawGraph* graph, RawQueue* queue) {
    CUDA_CHECK(cudaGraphLaunch(reinterpret_cast<cudaGraphExec_t>(graph), stream_of(queue)));
    return Status::Ok;
}

void release_graph(RawGraph* graph) {
    if (graph != nullptr) cudaGraphExecDestroy(reinterpret_cast<cudaGraphExec_t>(graph));
}

const std::string& last_error() {
    return error_text;
}

void set_last_error(std::string text) {
    error_text = std::move(text);
}

Status launched(const char* kernel) {
    return status_of(cudaGetLastError(), kernel);
}

// ---- tensor maps: the one function of the driver itself, found at run time

namespace {
PFN_cuTensorMapEncodeTiled_v12000 find_encoder() {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                               cudaEnableDefault, &result);
    if (error != cudaSuccess || result != cudaDriverEntryPointSuccess) return nullptr;
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function);
}
}  // namespace

Status make_tensor_map(TensorMap& out, const ConstMat& matrix, int box_rows) {
    static const PFN_cuTensorMapEncodeTiled_v12000 encode = find_encoder();
    if (encode == nullptr) {
        set_last_error("the driver has no cuTensorMapEncodeTiled");
        return Status::Backend;
    }
    static_assert(sizeof(CUtensorMap) == sizeof(out.bytes));
    CUtensorMap map;
    const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(matrix.cols), static_cast<cuuint64_t>(matrix.rows)};
    const cuuint64_t stride[1] = {static_cast<cuuint64_t>(matrix.stride) * sizeof(bf16_t)};
    const cuuint32_t box[2] = {64, static_cast<cuuint32_t>(box_rows)}, steps[2] = {1, 1};
    const CUresult result =
        encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(matrix.data), sizes, stride, box,
               steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS) {
        set_last_error("cuTensorMapEncodeTiled: error " + std::to_string(static_cast<int>(result)));
        return Status::Backend;
    }
    std::memcpy(out.bytes, &map, sizeof(map));
    out.data = matrix.data;
    return Status::Ok;
}

}  // namespace attune::gpu
