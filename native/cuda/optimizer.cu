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

// kCount elements to a thread; compute (null: none) = the new parameters.
template <int kCount>
__global__ void adamw_kernel(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient,
                             int64_t n, AdamWFactors f) {
    const int64_t at = thread_index() * kCount;
    if (at >= n) return;
    float values[kCount], first[kCount], second[kCount], g[kCount];
    load_numbers(values, parameter + at);
    load_numbers(first, m + at);
    load_numbers(second, v + at);
    load_numbers(g, gradient + at);
    for (int i = 0; i < kCount; ++i) {
        const float scaled = g[i] * f.gradient_scale;
        first[i] = fmaf(f.beta1, first[i], f.rest1 * scaled);
        second[i] = fmaf(f.beta2, second[i], f.rest2 * scaled * scaled);
        values[i] = fmaf(-f.step, first[i] / fmaf(sqrtf(second[i]), f.root, f.epsilon), values[i] * f.decay);
    }
    store_numbers(m + at, first);
    store_numbers(v + at, second);
    store_numbers(parameter + at, values);
    if (compute != nullptr) store_numbers(compute + at, values);
}

bool aligned(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

Status adamw(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t n,
             Layout layout, AdamW settings, Stream* stream) {
    if (n < 0 || (compute != nullptr && layout == Layout::Panels && n % (2 * kPanel) != 0))
        return Status::Shape;
    const AdamWFactors factors(settings);
    const bool wide =
        aligned(parameter) && aligned(m) && aligned(v) && aligned(gradient) && aligned(compute) && n % 4 == 0;
    const auto run = [&](auto count) {
        constexpr int kCount = decltype(count)::value;
        return launch("adamw", adamw_kernel<kCount>, {blocks_for((n + kCount - 1) / kCount)}, kThreads, 0,
                      device_of(stream).queue(), parameter, compute, m, v, gradient, n, factors);
    };
    return wide ? run(Count<4>{}) : run(Count<1>{});
}

// ---- reductions: a partial result per block, then one block over those

struct SumOfSquares {
    using Type = double;
    static constexpr double kNone = 0;
    __device__ static double of(const float* x, int64_t i) {
        return static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    __device__ double operator()(double a, double b) const { return a + b; }
};

struct FirstNotFinite {
    using Type = int64_t;
    static constexpr int64_t kNone = INT64_MAX;
    __device__ static int64_t of(const float* x, int64_t i) { return x[i] - x[i] == 0.0f ? kNone : i; }
    __device__ int64_t operator()(int64_t a, int64_t b) const { return a < b ? a : b; }
};

template <class Reduction>
__global__ void partial_kernel(typename Reduction::Type* partial, const float* x, int64_t n) {
    using Type = typename Reduction::Type;
    const int64_t first = int64_t{blockIdx.x} * kFlatBlock;
    const int64_t last = first + kFlatBlock < n ? first + kFlatBlock : n;
    Type own = Reduction::kNone;
    for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x)
        own = Reduction{}(own, Reduction::of(x, i));
    own = block_combine(own, shared_memory<Type>(), Reduction{});
    if (threadIdx.x == 0) partial[blockIdx.x] = own;
}

template <class Reduction>
__global__ void total_kernel(typename Reduction::Type* total, const typename Reduction::Type* partial,
                             int64_t count) {
    using Type = typename Reduction::Type;
    Type own = Reduction::kNone;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) own = Reduction{}(own, partial[i]);
    own = block_combine(own, shared_memory<Type>(), Reduction{});
    if (threadIdx.x == 0) *total = own;
}

// *total (host) = of all elements
template <class Reduction>
Status reduce(const char* name, typename Reduction::Type* total, const float* x, int64_t n, Stream* stream) {
    using Type = typename Reduction::Type;
    if (n < 0) return Status::Shape;
    *total = Reduction::kNone;
    const int64_t blocks = (n + kFlatBlock - 1) / kFlatBlock;
    if (blocks == 0) return Status::Ok;
    Device& device = device_of(stream);
    Results results(device);
    auto* partial = device.workspace<Type>(kPartialSlot, blocks);
    Type* result = results.place(total, 1);
    if (partial == nullptr || result == nullptr) return Status::Memory;
    constexpr size_t kSlots = kThreads / kWarp * sizeof(Type);  // bytes of block_combine's
    Status status = launch(name, partial_kernel<Reduction>, {static_cast<unsigned>(blocks)}, kThreads, kSlots,
                           device.queue(), partial, x, n);
    if (status == Status::Ok)
        status = launch(name, total_kernel<Reduction>, {1}, kThreads, kSlots, device.queue(), result, partial,
                        blocks);
    return status == Status::Ok ? results.collect() : status;
}

Status sum_squares(double* sum, const float* x, int64_t n, Stream* stream) {
    return reduce<SumOfSquares>("sum_squares", sum, x, n, stream);
}

Status find_not_finite(int64_t* index, const float* x, int64_t n, Stream* stream) {
    const Status status = reduce<FirstNotFinite>("find_not_finite", index, x, n, stream);
    if (*index == FirstNotFinite::kNone) *index = -1;
    return status;
}

__global__ void fill_kernel(float* x, float value, int64_t n) {
    const int64_t i = thread_index();
    if (i < n) x[i] = value;
}

Status fill(float* x, float value, int64_t n, Stream* stream) {
    if (n < 0) return Status::Shape;
    Queue* queue = device_of(stream).queue();
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
