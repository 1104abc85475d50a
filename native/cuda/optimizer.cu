// AdamW, sums of squares and scans over flat fp32 buffers. AdamW moves 28 bytes per element (30 with a bf16
// copy); all are bound by memory.
#include <cmath>
#include <cstdint>

#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int64_t kFlatBlock = 16384;  // elements of a partial result
constexpr int kPartialSlot = 0;

// ---- AdamW: decay, moments, step

struct AdamWFactors {
    float decay, beta1, beta2, rest1, rest2, step, root, epsilon, gradient_scale;

    explicit AdamWFactors(const AdamW& s) {
        const auto wide = [](float x) { return static_cast<double>(x); };
        decay = static_cast<float>(1 - wide(s.learning_rate) * wide(s.weight_decay));
        beta1 = s.beta1;
        beta2 = s.beta2;
        rest1 = static_cast<float>(1 - wide(s.beta1));
        rest2 = static_cast<float>(1 - wide(s.beta2));
        step = static_cast<float>(wide(s.learning_rate) / wide(s.correction1));
        root = static_cast<float>(1 / std::sqrt(wide(s.correction2)));
        epsilon = s.epsilon;
        gradient_scale = s.gradient_scale;
    }
};

struct AdamWBuffers {
    float* parameter;
    float* m;
    float* v;
    const float* gradient;
};

// Updates kCount elements from `at` on; values[kCount] = the new parameters.
template <int kCount>
__device__ inline void adamw_chunk(float (&values)[kCount], const AdamWBuffers& b, int64_t at,
                                   const AdamWFactors& f) {
    float m[kCount], v[kCount], g[kCount];
    load_numbers(values, b.parameter + at);
    load_numbers(m, b.m + at);
    load_numbers(v, b.v + at);
    load_numbers(g, b.gradient + at);
    for (int i = 0; i < kCount; ++i) {
        const float scaled = g[i] * f.gradient_scale;
        m[i] = fmaf(f.beta1, m[i], f.rest1 * scaled);
        v[i] = fmaf(f.beta2, v[i], f.rest2 * scaled * scaled);
        values[i] = fmaf(-f.step, m[i] / fmaf(sqrtf(v[i]), f.root, f.epsilon), values[i] * f.decay);
    }
    store_numbers(b.m + at, m);
    store_numbers(b.v + at, v);
    store_numbers(b.parameter + at, values);
}

template <int kCount>
__global__ void adamw_kernel(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient,
                             int64_t n, AdamWFactors factors) {
    const int64_t at = thread_index() * kCount;
    if (at >= n) return;
    float values[kCount];
    adamw_chunk(values, {parameter, m, v, gradient}, at, factors);
    if (compute != nullptr) store_numbers(compute + at, values);
}

// Two rows of 32 in panels: the bf16 copy interleaves them. kCount columns of both to a thread.
template <int kCount>
__global__ void adamw_pairs_kernel(float* parameter, bf16_t* compute, float* m, float* v,
                                   const float* gradient, int64_t n, AdamWFactors factors) {
    constexpr int64_t kPerPair = kPanel / kCount;  // threads of two rows
    const int64_t index = thread_index();
    const int64_t at = index / kPerPair * 2 * kPanel + index % kPerPair * kCount;
    if (at >= n) return;
    float low[kCount], high[kCount], both[2 * kCount];
    adamw_chunk(low, {parameter, m, v, gradient}, at, factors);
    adamw_chunk(high, {parameter, m, v, gradient}, at + kPanel, factors);
    for (int i = 0; i < kCount; ++i) {
        both[2 * i] = low[i];
        both[2 * i + 1] = high[i];
    }
    store_numbers(compute + index / kPerPair * 2 * kPanel + index % kPerPair * 2 * kCount, both);
}

bool aligned(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

Status adamw(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t n,
             Layout layout, AdamW settings, Stream* stream) {
    const bool interleaved = compute != nullptr && layout == Layout::Panels;
    if (n < 0 || (interleaved && n % (2 * kPanel) != 0)) return Status::Shape;
    const AdamWFactors factors(settings);
    const bool wide =
        aligned(parameter) && aligned(m) && aligned(v) && aligned(gradient) && aligned(compute) && n % 4 == 0;
    void* queue = device_of(stream).queue();
    const auto run = [&](auto count) {
        constexpr int kCount = decltype(count)::value;
        const int64_t threads = (n + kCount - 1) / kCount / (interleaved ? 2 : 1);
        return launch("adamw", interleaved ? adamw_pairs_kernel<kCount> : adamw_kernel<kCount>,
                      {blocks_for(threads)}, kThreads, 0, queue, parameter, compute, m, v, gradient, n,
                      factors);
    };
    return wide ? run(Count<4>{}) : run(Count<1>{});
}

// ---- reductions: a partial result per block, then one block over those

__global__ void sum_squares_kernel(double* partial, const float* x, int64_t n) {
    const int64_t first = int64_t{blockIdx.x} * kFlatBlock;
    const int64_t last = first + kFlatBlock < n ? first + kFlatBlock : n;
    double sum = 0;
    for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x)
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    sum = block_sum(sum, shared_memory<double>());
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void add_partials_kernel(double* sum, const double* partial, int64_t count) {
    double own = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) own += partial[i];
    own = block_sum(own, shared_memory<double>());
    if (threadIdx.x == 0) *sum = own;
}

constexpr size_t kSlots = kThreads / kWarp * sizeof(double);  // bytes of block_combine's

Status sum_squares(double* sum, const float* x, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    *sum = 0;
    const int64_t blocks = (n + kFlatBlock - 1) / kFlatBlock;
    if (blocks == 0) return Status::Ok;
    Device& device = device_of(stream);
    Results results(device);
    auto* partial = device.workspace<double>(kPartialSlot, blocks);
    double* result = results.place(sum, 1);
    if (partial == nullptr || result == nullptr) return Status::Memory;
    Status status = launch("sum_squares", sum_squares_kernel, {static_cast<unsigned>(blocks)}, kThreads,
                           kSlots, device.queue(), partial, x, n);
    if (status == Status::Ok)
        status = launch("sum_squares", add_partials_kernel, {1}, kThreads, kSlots, device.queue(), result,
                        partial, blocks);
    return status == Status::Ok ? results.collect() : status;
}

constexpr int64_t kNowhere = INT64_MAX;

struct Least {
    __device__ int64_t operator()(int64_t a, int64_t b) const { return a < b ? a : b; }
};

__global__ void not_finite_kernel(int64_t* partial, const float* x, int64_t n) {
    const int64_t first = int64_t{blockIdx.x} * kFlatBlock;
    const int64_t last = first + kFlatBlock < n ? first + kFlatBlock : n;
    int64_t found = kNowhere;
    for (int64_t i = first + threadIdx.x; i < last && found == kNowhere; i += blockDim.x)
        if (!(x[i] - x[i] == 0.0f)) found = i;
    found = block_combine(found, shared_memory<int64_t>(), Least{});
    if (threadIdx.x == 0) partial[blockIdx.x] = found;
}

__global__ void least_partial_kernel(int64_t* index, const int64_t* partial, int64_t count) {
    int64_t own = kNowhere;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) own = Least{}(own, partial[i]);
    own = block_combine(own, shared_memory<int64_t>(), Least{});
    if (threadIdx.x == 0) *index = own == kNowhere ? -1 : own;
}

Status find_not_finite(int64_t* index, const float* x, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    *index = -1;
    const int64_t blocks = (n + kFlatBlock - 1) / kFlatBlock;
    if (blocks == 0) return Status::Ok;
    Device& device = device_of(stream);
    Results results(device);
    auto* partial = device.workspace<int64_t>(kPartialSlot, blocks);
    int64_t* result = results.place(index, 1);
    if (partial == nullptr || result == nullptr) return Status::Memory;
    Status status = launch("find_not_finite", not_finite_kernel, {static_cast<unsigned>(blocks)}, kThreads,
                           kSlots, device.queue(), partial, x, n);
    if (status == Status::Ok)
        status = launch("find_not_finite", least_partial_kernel, {1}, kThreads, kSlots, device.queue(),
                        result, partial, blocks);
    return status == Status::Ok ? results.collect() : status;
}

__global__ void fill_kernel(float* x, float value, int64_t n) {
    const int64_t i = thread_index();
    if (i < n) x[i] = value;
}

Status fill(float* x, float value, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    void* queue = device_of(stream).queue();
    if (value == 0 && n > 0) return clear(x, n * 4, queue);
    return launch("fill", fill_kernel, {blocks_for(n)}, kThreads, 0, queue, x, value, n);
}

}  // namespace

void fill_optimizer(Ops& ops) {
    ops.adamw = adamw;
    ops.sum_squares = sum_squares;
    ops.fill = fill;
    ops.find_not_finite = find_not_finite;
}

}  // namespace attune::gpu
