// Ops whose elements or pairs of elements do not meet: rotary embedding, SwiGLU, GELU, copy, add. All are
// bound by the bytes they move. Included after a vec_*.h; must not include reference.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/ops.h"
#include "cpu/rows_io.h"
#include "cpu/vec_math.h"

namespace attune {
namespace {

// One head: pairs (i, i + half) turned by the angle whose cosine[half] and sine[half] are given
template <class V, class T>
void rotate(T* x, const float* cosine, const float* sine, int64_t half, V direction) {
    over_columns<V>(half, [&](int64_t i, auto lanes) {
        const V low = load<V>(x + i, lanes), high = load<V>(x + half + i, lanes);
        const V c = load<V>(cosine + i, lanes), s = load<V>(sine + i, lanes) * direction;
        store<V>(x + i, V::fnma(high, s, low * c), lanes);
        store<V>(x + half + i, V::fma(low, s, high * c), lanes);
    });
}

// x[R, heads*D ...] in place;  cosine, sine: [positions, D/2]
template <class V>
Status rope(Mat x, const int32_t* positions, const float* cosine, const float* sine, int64_t heads, int64_t D,
            int32_t direction, Stream* stream) {
    if (!well_formed(x) || heads < 0 || D <= 0 || D % 2 != 0 || heads * D > x.cols ||
        (direction != 1 && direction != -1))
        return Status::Shape;
    const V turn = V::set(static_cast<float>(direction));
    const int64_t half = D / 2;
    with_element(x.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        parallel_rows(stream, x.rows, heads * D, [&](int64_t row) {
            const int64_t angle = positions[row] * half;
            for (int64_t head = 0; head < heads; ++head)
                rotate<V>(row_of<T>(x, row) + head * D, cosine + angle, sine + angle, half, turn);
        });
    });
    return Status::Ok;
}

// h[R,F] = silu(gate) * up;  gate_up[R,2F] = [gate | up]
template <class V>
Status swiglu_forward(Mat h, ConstMat gate_up, Stream* stream) {
    const int64_t F = h.cols;
    if (!well_formed(h) || !has_shape(gate_up, h.rows, 2 * F)) return Status::Shape;
    with_elements(h.dtype, gate_up.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        parallel_rows(stream, h.rows, 2 * F, [&](int64_t row) {
            Y* out = row_of<Y>(h, row);
            const X* in = row_of<X>(gate_up, row);
            over_columns<V>(F, [&](int64_t f, auto lanes) {
                const V gate = load_ahead<V>(in + f, gate_up.stride, lanes);
                const V up = load_ahead<V>(in + F + f, gate_up.stride, lanes);
                store<V>(out + f, gate * vec_sigmoid(gate) * up, lanes);
            });
        });
    });
    return Status::Ok;
}

// s = sigmoid(x) and its complement 1 - s, neither by a difference. Below -80 both stay finite.
template <class V>
void sigmoid_pair(V x, V& s, V& complement) {
    const V one = V::set(1.0f);
    const V e = vec_exp(V::zero() - V::max(V::set(-80.0f), x));
    s = one / (one + e);
    complement = e * s;
}

// dgate = dh up s (1 + gate (1 - s));  dup = dh gate s   with s = sigmoid(gate)
template <class V, class X>
void swiglu_backward_row(float* dgate_up, const float* dh, const X* gate_up, int64_t F) {
    over_columns<V>(F, [&](int64_t f, auto lanes) {
        const V upstream = load_ahead<V>(dh + f, F, lanes);
        const V gate = load_ahead<V>(gate_up + f, 2 * F, lanes);
        const V up = load_ahead<V>(gate_up + F + f, 2 * F, lanes);
        V s, complement;
        sigmoid_pair(gate, s, complement);
        const V slope = s * V::fma(gate, complement, V::set(1.0f));
        store<V>(dgate_up + f, upstream * up * slope, lanes);
        store<V>(dgate_up + F + f, upstream * gate * s, lanes);
    });
}

// dgate_up[R,2F] fp32 =;  may be gate_up where that is fp32
template <class V>
Status swiglu_backward(Mat dgate_up, ConstMat dh, ConstMat gate_up, Stream* stream) {
    const int64_t R = dh.rows, F = dh.cols;
    if (!is_gradient(dh, R, F) || !is_gradient(dgate_up, R, 2 * F) || !has_shape(gate_up, R, 2 * F))
        return Status::Shape;
    with_element(gate_up.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        parallel_rows(stream, R, 2 * F, [&](int64_t row) {
            swiglu_backward_row<V>(row_of<float>(dgate_up, row), row_of<float>(dh, row),
                                   row_of<X>(gate_up, row), F);
        });
    });
    return Status::Ok;
}

// What is asked of memory besides the row itself.
enum class Reach { Row, NextRow };

// y[R,C] = value(x[R,C]) or value(y, x), vector by vector; y may be x
template <class V, Reach kReach = Reach::Row, class Value>
Status map_rows(Mat y, ConstMat x, Stream* stream, Value&& value) {
    if (!well_formed(x) || !has_shape(y, x.rows, x.cols)) return Status::Shape;
    with_elements(y.dtype, x.dtype, [&](auto to, auto from) {
        using Y = typename decltype(to)::Type;
        using X = typename decltype(from)::Type;
        parallel_rows(stream, x.rows, x.cols, [&](int64_t row) {
            Y* out = row_of<Y>(y, row);
            const X* in = row_of<X>(x, row);
            over_columns<V>(x.cols, [&](int64_t c, auto lanes) {
                V given;
                if constexpr (kReach == Reach::NextRow)
                    given = load_ahead<V>(in + c, x.stride, lanes);
                else
                    given = load<V>(in + c, lanes);
                if constexpr (std::is_invocable_v<Value, V, V>)
                    store<V>(out + c, value(load<V>(out + c, lanes), given), lanes);
                else
                    store<V>(out + c, value(given), lanes);
            });
        });
    });
    return Status::Ok;
}

// y =
template <class V>
Status gelu_forward(Mat y, ConstMat x, Stream* stream) {
    return map_rows<V, Reach::NextRow>(y, x, stream, [](V value) { return vec_gelu(value); });
}

// With z = 2 sqrt(2/pi) (x + 0.044715 x^3) and s = sigmoid(z), gelu = x s and its derivative is s + x s (1-s)
// z'
template <class V>
V gelu_derivative(V x) {
    const V square = x * x;
    const V z = V::set(1.5957691216f) * V::fma(V::set(0.044715f) * square, x, x);
    const V slope = V::fma(V::set(1.5957691216f * 3 * 0.044715f), square, V::set(1.5957691216f));
    V s, complement;
    sigmoid_pair(z, s, complement);
    return V::fma(x * s * complement, slope, s);
}

// dx[R,C] fp32 = dy gelu'(x);  dx may be dy
template <class V>
Status gelu_backward(Mat dx, ConstMat dy, ConstMat x, Stream* stream) {
    if (!well_formed(x) || !is_gradient(dx, x.rows, x.cols) || !is_gradient(dy, x.rows, x.cols))
        return Status::Shape;
    with_element(x.dtype, [&](auto from) {
        using X = typename decltype(from)::Type;
        parallel_rows(stream, x.rows, x.cols, [&](int64_t row) {
            float* out = row_of<float>(dx, row);
            const float* upstream = row_of<float>(dy, row);
            const X* in = row_of<X>(x, row);
            over_columns<V>(x.cols, [&](int64_t c, auto lanes) {
                const V slope = gelu_derivative(load_ahead<V>(in + c, x.stride, lanes));
                store<V>(out + c, load_ahead<V>(upstream + c, dy.stride, lanes) * slope, lanes);
            });
        });
    });
    return Status::Ok;
}

// y =
template <class V>
Status copy(Mat y, ConstMat x, Stream* stream) {
    return map_rows<V>(y, x, stream, [](V value) { return value; });
}

// y +=
template <class V>
Status add(Mat y, ConstMat x, Stream* stream) {
    return map_rows<V>(y, x, stream, [](V sum, V value) { return sum + value; });
}

template <class V>
V elementary_of(Elementary f, V x) {
    return f == Elementary::Exp    ? vec_exp(x)
           : f == Elementary::Log  ? vec_log(x)
           : f == Elementary::Tanh ? vec_tanh(x)
                                   : vec_sigmoid(x);
}

template <class V>
Status elementary(float* y, const float* x, int64_t n, Elementary f, Stream* stream) {
    if (n < 0) return Status::Shape;
    constexpr int64_t kBlock = 16384;
    parallel_blocks(stream, n, kBlock, [&](int64_t first, int64_t count) {
        over_columns<V>(count, [&](int64_t i, auto lanes) {
            store<V>(y + first + i, elementary_of(f, load<V>(x + first + i, lanes)), lanes);
        });
    });
    return Status::Ok;
}

template <class V>
void fill_elementwise(Ops& ops) {
    ops.elementary = elementary<V>;
    ops.rope = rope<V>;
    ops.swiglu_forward = swiglu_forward<V>;
    ops.swiglu_backward = swiglu_backward<V>;
    ops.gelu_forward = gelu_forward<V>;
    ops.gelu_backward = gelu_backward<V>;
    ops.copy = copy<V>;
    ops.add = add<V>;
}

}  // namespace
}  // namespace attune
