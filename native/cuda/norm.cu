// RMSNorm and LayerNorm over rows, forward and backward. Bytes: forward reads x and writes y; backward reads
// dy and x and writes dx; what is read twice comes from cache. A warp takes a vector of up to kWarpWidth
// columns, a block a wider one.
#include <cmath>
#include <cstdint>

#include "cuda/column_sums.h"
#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

constexpr int64_t kWarpWidth = 512;
constexpr int kPartialSlot = 0;
constexpr int64_t kMostPartials = 256;
constexpr size_t kSlots = kThreads / kWarp * sizeof(float);

// ---- who works on a vector: threads `lane` of `lanes`, and their sum

struct ByWarp {
    static constexpr int kVectors = kThreads / kWarp;  // of a block
    __device__ static int vector() { return static_cast<int>(threadIdx.x) / kWarp; }
    __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
    static constexpr int kLanes = kWarp;
    __device__ static float sum(float value, float*) { return warp_sum(value); }
};
struct ByBlock {
    static constexpr int kVectors = 1;
    __device__ static int vector() { return 0; }
    __device__ static int lane() { return static_cast<int>(threadIdx.x); }
    static constexpr int kLanes = kThreads;
    __device__ static float sum(float value, float* slots) { return block_sum(value, slots); }
};

// body(ByWarp{}) or body(ByBlock{})
template <class Body>
Status with_workers(int64_t C, const Body& body) {
    return C <= kWarpWidth ? body(ByWarp{}) : body(ByBlock{});
}

// Vector v of width C is columns [v % groups * C, + C) of row v / groups.
template <class T>
__device__ inline T* vector_at(const View<T>& m, int64_t v, int64_t groups, int64_t C) {
    return m.row(v / groups) + v % groups * C;
}

// Sum of term(c) over a vector's columns, the same for all its threads.
template <class By, class Term>
__device__ inline float over_vector(int64_t C, float* slots, const Term& term) {
    float sum = 0;
    for (int64_t c = By::lane(); c < C; c += By::kLanes) sum += term(c);
    return By::sum(sum, slots);
}

// ---- forward

// y = x * rstd * w, or (kCentred) (x - mean) * rstd * w + b
template <class By, bool kCentred, class Y, class X>
__global__ void norm_forward_kernel(View<Y> y, float* mean, float* rstd, View<const X> x, const float* w,
                                    const float* b, int64_t vectors, int64_t groups, int64_t C,
                                    float epsilon) {
    auto* slots = shared_memory<float>();
    const int64_t v = int64_t{blockIdx.x} * By::kVectors + By::vector();
    if (By::kVectors > 1 && v >= vectors) return;
    const X* in = vector_at(x, v, groups, C);
    Y* out = vector_at(y, v, groups, C);
    const auto width = static_cast<float>(C);
    float centre = 0;
    if constexpr (kCentred)
        centre = over_vector<By>(C, slots, [&](int64_t c) { return load_number(in + c); }) / width;
    const float squares = over_vector<By>(C, slots, [&](int64_t c) {
        const float value = load_number(in + c) - centre;
        return value * value;
    });
    const float scale = 1.0f / sqrtf(squares / width + epsilon);
    if (By::lane() == 0) {
        rstd[v] = scale;
        if constexpr (kCentred) mean[v] = centre;
    }
    for (int64_t c = By::lane(); c < C; c += By::kLanes) {
        const float value = (load_number(in + c) - centre) * scale * w[c];
        store_number(out + c, kCentred ? value + b[c] : value);
    }
}

template <bool kCentred>
Status norm_forward(Mat y, float* mean, float* rstd, ConstMat x, const float* w, const float* b,
                    int64_t groups, float epsilon, Stream* stream) {
    const int64_t C = x.cols / groups, vectors = x.rows * groups;
    return with_workers(C, [&](auto workers) {
        using By = decltype(workers);
        return with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
            using Y = typename decltype(to)::Type;
            using X = typename decltype(from)::Type;
            const auto blocks = static_cast<unsigned>((vectors + By::kVectors - 1) / By::kVectors);
            return launch("norm_forward", norm_forward_kernel<By, kCentred, Y, X>, {blocks}, kThreads, kSlots,
                          device_of(stream).queue(), view_of<Y>(y), mean, rstd, view_of<X>(x), w, b, vectors,
                          groups, C, epsilon);
        });
    });
}

bool is_grouped(const ConstMat& x, int64_t groups) {
    return well_formed(x) && groups > 0 && x.cols % groups == 0 && x.cols > 0;
}

Status rmsnorm_forward(Mat y, float* rstd, ConstMat x, const float* w, int64_t groups, float epsilon,
                       Stream* stream) {
    if (!is_grouped(x, groups) || !has_shape(y, x.rows, x.cols)) return Status::Shape;
    return norm_forward<false>(y, nullptr, rstd, x, w, nullptr, groups, epsilon, stream);
}

Status layernorm_forward(Mat y, float* mean, float* rstd, ConstMat x, const float* w, const float* b,
                         float epsilon, Stream* stream) {
    if (!is_grouped(x, 1) || !has_shape(y, x.rows, x.cols)) return Status::Shape;
    return norm_forward<true>(y, mean, rstd, x, w, b, 1, epsilon, stream);
}

// ---- backward. With n = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - n mean(g n)), RMSNorm
// without the means of x and g; dw += sum of dy n, db += sum of dy.

struct NormGradients {
    float* dw;  // partial sums [blocks][C]; null: not wanted
    float* db;  // kCentred only
};

// A block takes `share` vectors, one after the other or a warp each; its threads keep the sums of the columns
// that are theirs in shared memory.
template <class By, bool kCentred, class X>
__global__ void norm_backward_kernel(View<float> dx, float* dw, float* db, View<const float> dy,
                                     View<const X> x, const float* mean, const float* rstd, const float* w,
                                     int64_t vectors, int64_t share, int64_t groups, int64_t C,
                                     bool accumulate) {
    auto* slots = shared_memory<float>();
    // [By::kVectors][C] of dw, then of db
    float* own_dw = slots + kThreads / kWarp + By::vector() * C;
    float* own_db = own_dw + By::kVectors * C;
    for (int64_t c = By::lane(); c < C; c += By::kLanes) own_dw[c] = own_db[c] = 0;
    const int64_t first = int64_t{blockIdx.x} * share;
    const int64_t last = first + share < vectors ? first + share : vectors;
    const float width = static_cast<float>(C);
    for (int64_t v = first + By::vector(); v < last; v += By::kVectors) {
        const X* in = vector_at(x, v, groups, C);
        const float* upstream = vector_at(dy, v, groups, C);
        float* out = vector_at(dx, v, groups, C);
        const float scale = rstd[v], centre = kCentred ? mean[v] : 0.0f;
        float mean_g = 0;
        if constexpr (kCentred)
            mean_g = over_vector<By>(C, slots, [&](int64_t c) { return upstream[c] * w[c]; }) / width;
        const float mean_gn =
            over_vector<By>(
                C, slots,
                [&](int64_t c) { return upstream[c] * w[c] * (load_number(in + c) - centre) * scale; }) /
            width;
        for (int64_t c = By::lane(); c < C; c += By::kLanes) {
            const float n = (load_number(in + c) - centre) * scale, up = upstream[c];
            const float gradient = scale * (up * w[c] - mean_g - n * mean_gn);
            own_dw[c] += up * n;
            own_db[c] += up;
            out[c] = accumulate ? out[c] + gradient : gradient;
        }
    }
    __syncthreads();
    for (int64_t c = threadIdx.x; c < C; c += blockDim.x) {
        float sum_dw = 0, sum_db = 0;
        for (int i = 0; i < By::kVectors; ++i) {
            sum_dw += slots[kThreads / kWarp + i * C + c];
            sum_db += slots[kThreads / kWarp + (By::kVectors + i) * C + c];
        }
        dw[blockIdx.x * C + c] = sum_dw;
        if (kCentred) db[blockIdx.x * C + c] = sum_db;
    }
}

template <bool kCentred>
Status norm_backward(Mat dx, float* dw, float* db, ConstMat dy, ConstMat x, const float* mean,
                     const float* rstd, const float* w, int64_t groups, bool accumulate, Stream* stream) {
    const int64_t C = x.cols / groups, vectors = x.rows * groups;
    if (vectors == 0) return Status::Ok;
    Device& device = device_of(stream);
    const int64_t share = (vectors + kMostPartials - 1) / kMostPartials;
    const int64_t blocks = (vectors + share - 1) / share;
    auto* partial = device.workspace<float>(kPartialSlot, 2 * blocks * C);
    if (partial == nullptr) return Status::Memory;
    Status status = with_workers(C, [&](auto workers) {
        using By = decltype(workers);
        return with_element(x.dtype, [&](auto from) {
            using X = typename decltype(from)::Type;
            const size_t shared = kSlots + static_cast<size_t>(2 * By::kVectors * C) * sizeof(float);
            return launch("norm_backward", norm_backward_kernel<By, kCentred, X>,
                          {static_cast<unsigned>(blocks)}, kThreads, shared, device.queue(),
                          view_of<float>(dx), partial, partial + blocks * C, view_of<float>(dy),
                          view_of<X>(x), mean, rstd, w, vectors, share, groups, C, accumulate);
        });
    });
    const auto add = [&](float* target, const float* sums) {
        if (target != nullptr && status == Status::Ok)
            status = add_column_sums("norm_backward", target, sums, blocks, C, device.queue());
    };
    add(dw, partial);
    if (kCentred) add(db, partial + blocks * C);
    return status;
}

Status rmsnorm_backward(Mat dx, float* dw, ConstMat dy, ConstMat x, const float* rstd, const float* w,
                        int64_t groups, int32_t accumulate, Stream* stream) {
    if (!is_grouped(x, groups) || !is_gradient(dx, x.rows, x.cols) || !is_gradient(dy, x.rows, x.cols))
        return Status::Shape;
    return norm_backward<false>(dx, dw, nullptr, dy, x, nullptr, rstd, w, groups, accumulate != 0, stream);
}

Status layernorm_backward(Mat dx, float* dw, float* db, ConstMat dy, ConstMat x, const float* mean,
                          const float* rstd, const float* w, int32_t accumulate, Stream* stream) {
    if (!is_grouped(x, 1) || !is_gradient(dx, x.rows, x.cols) || !is_gradient(dy, x.rows, x.cols))
        return Status::Shape;
    return norm_backward<true>(dx, dw, db, dy, x, mean, rstd, w, 1, accumulate != 0, stream);
}

}  // namespace

void fill_norm(Ops& ops) {
    ops.rmsnorm_forward = rmsnorm_forward;
    ops.rmsnorm_backward = rmsnorm_backward;
    ops.layernorm_forward = layernorm_forward;
    ops.layernorm_backward = layernorm_backward;
}

}  // namespace attune::gpu
