// The CUDA runtime behind runtime.h. Linked statically: what is needed at run time is the driver alone.
#include "cuda/runtime.h"

#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "cuda/fault.h"
#include "cuda/gpu_nvcc.h"

namespace attune::gpu {

namespace {

// The table of fault.h has cudart's numbers.
static_assert(fault_of(cudaErrorMemoryAllocation) == Fault::Memory);
static_assert(fault_of(cudaErrorInsufficientDriver) == Fault::Driver);
static_assert(fault_of(cudaErrorStubLibrary) == Fault::Driver);
static_assert(fault_of(cudaErrorCallRequiresNewerDriver) == Fault::Driver);
static_assert(fault_of(cudaErrorUnsupportedPtxVersion) == Fault::Driver);
static_assert(fault_of(cudaErrorSystemDriverMismatch) == Fault::Driver);
static_assert(fault_of(cudaErrorCompatNotSupportedOnDevice) == Fault::Driver);
static_assert(fault_of(cudaErrorInitializationError) == Fault::NoDevice);
static_assert(fault_of(cudaErrorNoDevice) == Fault::NoDevice);
static_assert(fault_of(cudaErrorInvalidDevice) == Fault::NoDevice);
static_assert(fault_of(cudaErrorInvalidDeviceFunction) == Fault::Architecture);
static_assert(fault_of(cudaErrorInvalidKernelImage) == Fault::Architecture);
static_assert(fault_of(cudaErrorNoKernelImageForDevice) == Fault::Architecture);
static_assert(fault_of(cudaErrorInvalidPtx) == Fault::Architecture);
static_assert(fault_of(cudaErrorJitCompilerNotFound) == Fault::Architecture);
static_assert(fault_of(cudaErrorJitCompilationDisabled) == Fault::Architecture);
static_assert(fault_of(cudaErrorDevicesUnavailable) == Fault::Unavailable);
static_assert(fault_of(cudaErrorDeviceAlreadyInUse) == Fault::Unavailable);
static_assert(fault_of(cudaErrorSystemNotReady) == Fault::Unavailable);
static_assert(fault_of(cudaErrorMpsConnectionFailed) == Fault::Unavailable);
static_assert(fault_of(cudaErrorMpsServerNotReady) == Fault::Unavailable);
static_assert(fault_of(cudaErrorMpsMaxClientsReached) == Fault::Unavailable);
static_assert(fault_of(cudaErrorECCUncorrectable) == Fault::Lost);
static_assert(fault_of(cudaErrorNvlinkUncorrectable) == Fault::Lost);
static_assert(fault_of(cudaErrorIllegalAddress) == Fault::Lost);
static_assert(fault_of(cudaErrorLaunchTimeout) == Fault::Lost);
static_assert(fault_of(cudaErrorContextIsDestroyed) == Fault::Lost);
static_assert(fault_of(cudaErrorAssert) == Fault::Lost);
static_assert(fault_of(cudaErrorHardwareStackError) == Fault::Lost);
static_assert(fault_of(cudaErrorIllegalInstruction) == Fault::Lost);
static_assert(fault_of(cudaErrorMisalignedAddress) == Fault::Lost);
static_assert(fault_of(cudaErrorInvalidAddressSpace) == Fault::Lost);
static_assert(fault_of(cudaErrorInvalidPc) == Fault::Lost);
static_assert(fault_of(cudaErrorLaunchFailure) == Fault::Lost);
static_assert(fault_of(cudaErrorMpsClientTerminated) == Fault::Lost);
static_assert(fault_of(cudaErrorExternalDevice) == Fault::Lost);
static_assert(fault_of(cudaErrorUnknown) == Fault::Lost);
static_assert(fault_of(cudaErrorInvalidValue) == Fault::Call);
static_assert(fault_of(cudaErrorLaunchOutOfResources) == Fault::Call);

Status checked(cudaError_t error, const char* call) {
    if (error == cudaSuccess) return Status::Ok;
    cudaGetLastError();  // or the next launch would report it again; what stays with the device stays
    return report(error, call, cudaGetErrorName(error), cudaGetErrorString(error), CUDART_VERSION);
}

cudaStream_t stream_of(RawQueue* queue) {
    return reinterpret_cast<cudaStream_t>(queue);
}

// Compiled for the same processors as every other kernel.
__global__ void probe_kernel() {}

}  // namespace

#define CUDA_CHECK(call)                                                                       \
    do {                                                                                       \
        if (const Status status = checked((call), #call); status != Status::Ok) return status; \
    } while (false)

int driver_version() {
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int runtime_version() {
    return CUDART_VERSION;
}

Status count_devices(int& count) {
    count = 0;
    CUDA_CHECK(cudaGetDeviceCount(&count));
    return Status::Ok;
}

Status properties(Properties& out, int device) {
    cudaDeviceProp properties{};
    CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
    out.name = properties.name;
    out.major = properties.major;
    out.minor = properties.minor;
    out.multiprocessors = properties.multiProcessorCount;
    out.memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
    out.shared_bytes = static_cast<int64_t>(properties.sharedMemPerBlockOptin);
    out.driver_version = driver_version();
    return Status::Ok;
}

Status use_device(int device) {
    CUDA_CHECK(cudaSetDevice(device));
    return Status::Ok;
}

Status find_code() {
    cudaFuncAttributes code{};
    CUDA_CHECK(cudaFuncGetAttributes(&code, probe_kernel));
    return Status::Ok;
}

Status free_memory(int64_t& bytes) {
    size_t free = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &total));
    bytes = static_cast<int64_t>(free);
    return Status::Ok;
}

Status make_queue(RawQueue** queue) {
    cudaStream_t stream = nullptr;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    *queue = reinterpret_cast<RawQueue*>(stream);
    return Status::Ok;
}

void end_queue(RawQueue* queue) {
    if (cudaStreamDestroy(stream_of(queue)) != cudaSuccess) cudaGetLastError();
}

Status allocate(void** memory, int64_t bytes) {
    CUDA_CHECK(cudaMalloc(memory, static_cast<size_t>(bytes == 0 ? 1 : bytes)));
    return Status::Ok;
}

// Of a device that is lost nothing can be given back: it goes with the process.
void release(void* memory) {
    if (cudaFree(memory) != cudaSuccess) cudaGetLastError();
}

Status allocate_pinned(void** memory, int64_t bytes) {
    CUDA_CHECK(cudaMallocHost(memory, static_cast<size_t>(bytes == 0 ? 1 : bytes)));
    return Status::Ok;
}

void release_pinned(void* memory) {
    if (cudaFreeHost(memory) != cudaSuccess) cudaGetLastError();
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
    if (cudaEventDestroy(static_cast<cudaEvent_t>(event)) != cudaSuccess) cudaGetLastError();
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
    Status status = checked(cudaStreamEndCapture(stream_of(queue), &graph), "cudaStreamEndCapture");
    if (status == Status::Ok) status = instantiate(program, graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (status != Status::Ok && program != nullptr) cudaGraphExecDestroy(std::exchange(program, nullptr));
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

Status launched(const char* kernel) {
    return checked(cudaGetLastError(), kernel);
}

Status allow_shared(const char* name, const void* kernel, size_t bytes) {
    static std::mutex mutex;
    static auto* allowed = new std::map<std::pair<const void*, int>, size_t>;  // by kernel and device
    int device = 0;
    CUDA_CHECK(cudaGetDevice(&device));
    const std::scoped_lock lock(mutex);
    size_t& most = (*allowed)[{kernel, device}];
    if (bytes <= most) return Status::Ok;
    const Status status = checked(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        name);
    if (status == Status::Ok) most = bytes;
    return status;
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
        set_failure(Status::Backend, "the driver has no cuTensorMapEncodeTiled");
        return Status::Backend;
    }
    static_assert(sizeof(CUtensorMap) == sizeof(out.bytes));
    CUtensorMap map{};  // compared byte by byte in steps
    const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(matrix.cols), static_cast<cuuint64_t>(matrix.rows)};
    const cuuint64_t stride[1] = {static_cast<cuuint64_t>(matrix.stride) * sizeof(bf16_t)};
    const cuuint32_t box[2] = {64, static_cast<cuuint32_t>(box_rows)}, steps[2] = {1, 1};
    const CUresult result =
        encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(matrix.data), sizes, stride, box,
               steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS) {
        set_failure(Status::Backend, "cuTensorMapEncodeTiled: error %d", static_cast<int>(result));
        return Status::Backend;
    }
    std::memcpy(out.bytes, &map, sizeof(map));
    out.data = matrix.data;
    return Status::Ok;
}

}  // namespace attune::gpu
