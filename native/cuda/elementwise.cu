// Ops whose elements or pairs of elements do not meet: rotary embedding, SwiGLU, GELU, copy, add. Bound by
// the bytes they move: each is read and written once, 16 bytes to an access where rows allow it.
#include <cfloat>
#include <cmath>

#include "cuda/matrix.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

__device__ inline float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

// s = sigmoid(x) and 1 - s, neither by a difference. Below -80 both stay finite.
struct SigmoidPair {
    float s, complement;
    __device__ explicit SigmoidPair(float x) {
        const float e = expf(-fmaxf(x, -80.0f));
        s = 1.0f / (1.0f + e);
        complement = e * s;
    }
};

constexpr float kGeluSlope = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

// gelu_tanh(x) = x sigmoid(z), z = 2 sqrt(2/pi) (x + 0.044715 x^3)
__device__ inline float gelu(float x) {
    return x * SigmoidPair(kGeluSlope * fmaf(kGeluCubic * x * x, x, x)).s;
}
__device__ inline float gelu_derivative(float x) {
    const float square = x * x;
    const SigmoidPair pair(kGeluSlope * fmaf(kGeluCubic * square, x, x));
    return fmaf(x * pair.s * pair.complement, fmaf(kGeluSlope * 3 * kGeluCubic, square, kGeluSlope), pair.s);
}

// ---- y = f(x) or f(y, x)

struct Same {
    static constexpr bool kReadsTarget = false;
    __device__ float operator()(float, float x) const { return x; }
};
struct Sum {
    static constexpr bool kReadsTarget = true;
    __device__ float operator()(float y, float x) const { return y + x; }
};
struct Gelu {
    static constexpr bool kReadsTarget = false;
    __device__ float operator()(float, float x) const { return gelu(x); }
};

template <class F, int kCount, class Y, class X>
__global__ void map_kernel(View<Y> y, View<const X> x, int64_t rows, int64_t chunks) {
    const int64_t index = thread_index();
    if (index >= rows * chunks) return;
    const int64_t row = index / chunks, col = index % chunks * kCount;
    float in[kCount], out[kCount] = {};
    load_numbers(in, x.row(row) + col);
    if constexpr (F::kReadsTarget) load_numbers(out, y.row(row) + col);
    for (int i = 0; i < kCount; ++i) out[i] = F{}(out[i], in[i]);
    store_numbers(y.row(row) + col, out);
}

template <class F>
Status map_rows(const char* name, Mat y, ConstMat x, Stream* stream) {
    if (!well_formed(x) || !has_shape(y, x.rows, x.cols)) return Status::Shape;
    return with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        return with_chunks(in_chunks(y) && in_chunks(x), [&](auto count) {
            constexpr int kCount = decltype(count)::value;
            const int64_t chunks = x.cols / kCount;
            return launch(name, map_kernel<F, kCount, Y, X>, {blocks_for(x.rows * chunks)}, kThreads, 0,
                          device_of(stream).queue(), view_of<Y>(y), view_of<X>(x), x.rows, chunks);
        });
    });
}

Status copy(Mat y, ConstMat x, Stream* stream) {
    return map_rows<Same>("copy", y, x, stream);
}

Status add(Mat y, ConstMat x, Stream* stream) {
    return map_rows<Sum>("add", y, x, stream);
}

Status gelu_forward(Mat y, ConstMat x, Stream* stream) {
    return map_rows<Gelu>("gelu_forward", y, x, stream);
}

// ---- dx = dy gelu'(x)

template <int kCount, class X>
__global__ void gelu_backward_kernel(View<float> dx, View<const float> dy, View<const X> x, int64_t rows,
                                     int64_t chunks) {
    const int64_t index = thread_index();
    if (index >= rows * chunks) return;
    const int64_t row = index / chunks, col = index % chunks * kCount;
    float upstream[kCount], in[kCount];
    load_numbers(upstream, dy.row(row) + col);
    load_numbers(in, x.row(row) + col);
    for (int i = 0; i < kCount; ++i) upstream[i] *= gelu_derivative(in[i]);
    store_numbers(dx.row(row) + col, upstream);
}

Status gelu_backward(Mat dx, ConstMat dy, ConstMat x, Stream* stream) {
    if (!well_formed(x) || !is_gradient(dx, x.rows, x.cols) || !is_gradient(dy, x.rows, x.cols))
        return Status::Shape;
    return with_element(x.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        return with_chunks(in_chunks(dx) && in_chunks(dy) && in_chunks(x), [&](auto count) {
            constexpr int kCount = decltype(count)::value;
            const int64_t chunks = x.cols / kCount;
            return launch("gelu_backward", gelu_backward_kernel<kCount, X>, {blocks_for(x.rows * chunks)},
                          kThreads, 0, device_of(stream).queue(), view_of<float>(dx),
                          view_of<float>(ConstMat(dy)), view_of<X>(x), x.rows, chunks);
        });
    });
}

// ---- h[R,F] = silu(gate) * up of gate_up[R,2F]

template <int kCount, class H, class X>
__global__ void swiglu_forward_kernel(View<H> h, View<const X> gate_up, int64_t rows, int64_t F) {
    const int64_t index = thread_index(), chunks = F / kCount;
    if (index >= rows * chunks) return;
    const int64_t row = index / chunks, f = index % chunks * kCount;
    float gate[kCount], up[kCount];
    load_numbers(gate, gate_up.row(row) + f);
    load_numbers(up, gate_up.row(row) + F + f);
    for (int i = 0; i < kCount; ++i) up[i] *= gate[i] * sigmoid(gate[i]);
    store_numbers(h.row(row) + f, up);
}

Status swiglu_forward(Mat h, ConstMat gate_up, Stream* stream) {
    if (!well_formed(h) || !has_shape(gate_up, h.rows, 2 * h.cols)) return Status::Shape;
    return with_elements(h.dtype, gate_up.dtype, [&](auto to, auto from) {
        using H = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        return with_chunks(in_chunks(h) && in_chunks(gate_up), [&](auto count) {
            constexpr int kCount = decltype(count)::value;
            return launch("swiglu_forward", swiglu_forward_kernel<kCount, H, X>,
                          {blocks_for(h.rows * (h.cols / kCount))}, kThreads, 0, device_of(stream).queue(),
                          view_of<H>(h), view_of<X>(gate_up), h.rows, h.cols);
        });
    });
}

// dgate = dh up s (1 + gate (1 - s));  dup = dh gate s   with s = sigmoid(gate)
template <int kCount, class X>
__global__ void swiglu_backward_kernel(View<float> dgate_up, View<const float> dh, View<const X> gate_up,
                                       int64_t rows, int64_t F) {
    const int64_t index = thread_index(), chunks = F / kCount;
    if (index >= rows * chunks) return;
    const int64_t row = index / chunks, f = index % chunks * kCount;
    float upstream[kCount], gate[kCount], up[kCount];
    load_numbers(upstream, dh.row(row) + f);
    load_numbers(gate, gate_up.row(row) + f);
    load_numbers(up, gate_up.row(row) + F + f);
    float dgate[kCount], dup[kCount];
    for (int i = 0; i < kCount; ++i) {
        const SigmoidPair pair(gate[i]);
        dgate[i] = upstream[i] * up[i] * pair.s * fmaf(gate[i], pair.complement, 1.0f);
        dup[i] = upstream[i] * gate[i] * pair.s;
    }
    store_numbers(dgate_up.row(row) + f, dgate);
    store_numbers(dgate_up.row(row) + F + f, dup);
}

Status swiglu_backward(Mat dgate_up, ConstMat dh, ConstMat gate_up, Stream* stream) {
    const int64_t R = dh.rows, F = dh.cols;
    if (!is_gradient(dh, R, F) || !is_gradient(dgate_up, R, 2 * F) || !has_shape(gate_up, R, 2 * F))
        return Status::Shape;
    return with_element(gate_up.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        return with_chunks(in_chunks(dgate_up) && in_chunks(dh) && in_chunks(gate_up), [&](auto count) {
            constexpr int kCount = decltype(count)::value;
            return launch("swiglu_backward", swiglu_backward_kernel<kCount, X>,
                          {blocks_for(R * (F / kCount))}, kThreads, 0, device_of(stream).queue(),
                          view_of<float>(dgate_up), view_of<float>(dh), view_of<X>(gate_up), R, F);
        });
    });
}

// ---- rope: pairs (i, i + D/2) of each head turned by the angle of the row's position

template <class T>
__global__ void rope_kernel(View<T> x, const int32_t* positions, const float* cosine, const float* sine,
                            int64_t rows, int64_t heads, int64_t half, float direction) {
    const int64_t index = thread_index();
    if (index >= rows * heads * half) return;
    const int64_t i = index % half, head = index / half % heads, row = index / (half * heads);
    const int64_t angle = positions[row] * half + i;
    T* at = x.row(row) + head * 2 * half + i;
    const float low = load_number(at), high = load_number(at + half);
    const float c = cosine[angle], s = sine[angle] * direction;
    store_number(at, fmaf(-high, s, low * c));
    store_number(at + half, fmaf(low, s, high * c));
}

Status rope(Mat x, const int32_t* positions, const float* cosine, const float* sine, int64_t heads, int64_t D,
            int32_t direction, Stream* stream) {
    if (!well_formed(x) || heads < 0 || D <= 0 || D % 2 != 0 || heads * D > x.cols ||
        (direction != 1 && direction != -1))
        return Status::Shape;
    if (x.rows == 0 || heads == 0) return Status::Ok;
    Device& device = device_of(stream);
    const int32_t* staged = device.stage(positions, x.rows);
    if (staged == nullptr) return Status::Memory;
    return with_element(x.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        return launch("rope", rope_kernel<T>, {blocks_for(x.rows * heads * D / 2)}, kThreads, 0,
                      device.queue(), view_of<T>(x), staged, cosine, sine, x.rows, heads, D / 2,
                      static_cast<float>(direction));
    });
}

// ---- elementary functions, for checks

__global__ void elementary_kernel(float* y, const float* x, int64_t n, Elementary f) {
    const int64_t i = thread_index();
    if (i >= n) return;
    const float value = f == Elementary::Exp    ? expf(x[i])
                        : f == Elementary::Log  ? logf(x[i])
                        : f == Elementary::Tanh ? tanhf(x[i])
                                                : sigmoid(x[i]);
    y[i] = value < FLT_MIN && value > -FLT_MIN ? 0.0f : value;
}

Status elementary(float* y, const float* x, int64_t n, Elementary f, Stream* stream) {
    if (n < 0) return Status::Shape;
    return launch("elementary", elementary_kernel, {blocks_for(n)}, kThreads, 0, device_of(stream).queue(), y,
                  x, n, f);
}

}  // namespace

void fill_elementwise(Ops& ops) {
    ops.elementary = elementary;
    ops.rope = rope;
    ops.swiglu_forward = swiglu_forward;
    ops.swiglu_backward = swiglu_backward;
    ops.gelu_forward = gelu_forward;
    ops.gelu_backward = gelu_backward;
    ops.copy = copy;
    ops.add = add;
}

}  // namespace attune::gpu
