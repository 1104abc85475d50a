// Elementary functions over a Vec type: exp (1 ulp), log, tanh (2 ulp), sigmoid (2.5 ulp), gelu.
// Templates on the vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <limits>

namespace attune {

// e^x. 0 below -87.33 (where the result would leave the normal numbers), infinity above 88.72, NaN stays NaN.
// x = n ln2 + r with |r| <= ln2/2; e^r = 1 + r + r^2 p(r) (Cephes), then times 2^n. What that gives outside
// the range is replaced.
template <class V>
inline V vec_exp(V x) {
    const V low = V::set(-87.33654f);
    const V high = V::set(88.72283f);
    const V n = V::round_to_int(x * V::set(1.44269504f));
    V r = V::fnma(n, V::set(0.693359375f), x);
    r = V::fnma(n, V::set(-2.12194440e-4f), r);
    V p = V::set(1.9875691500e-4f);
    p = V::fma(p, r, V::set(1.3981999507e-3f));
    p = V::fma(p, r, V::set(8.3334519073e-3f));
    p = V::fma(p, r, V::set(4.1665795894e-2f));
    p = V::fma(p, r, V::set(1.6666665459e-1f));
    p = V::fma(p, r, V::set(5.0000001201e-1f));
    const V result = V::ldexp(V::set(1.0f) + V::fma(p, r * r, r), n);
    const V cut = V::select(x < low, V::zero(), result);
    return V::select(x > high, V::set(std::numeric_limits<float>::infinity()), cut);
}

// ln x. -infinity at 0, NaN below, infinity and NaN stay.
// x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = f - f^2/2 + f^3 p(f), f = m - 1 (Cephes).
template <class V>
inline V vec_log(V x) {
    const V smallest = V::set(1.17549435e-38f);
    const auto subnormal = x < smallest;
    V m, e;
    V::split_exponent(V::select(subnormal, x * V::set(8388608.0f), x), m, e);
    e = V::select(subnormal, e - V::set(23.0f), e);
    const auto upper = m > V::set(1.41421356f);
    m = V::select(upper, m * V::set(0.5f), m);
    e = V::select(upper, e + V::set(1.0f), e);
    const V f = m - V::set(1.0f);
    V p = V::set(7.0376836292e-2f);
    p = V::fma(p, f, V::set(-1.1514610310e-1f));
    p = V::fma(p, f, V::set(1.1676998740e-1f));
    p = V::fma(p, f, V::set(-1.2420140846e-1f));
    p = V::fma(p, f, V::set(1.4249322787e-1f));
    p = V::fma(p, f, V::set(-1.6668057665e-1f));
    p = V::fma(p, f, V::set(2.0000714765e-1f));
    p = V::fma(p, f, V::set(-2.4999993993e-1f));
    p = V::fma(p, f, V::set(3.3333331174e-1f));
    const V square = f * f;
    V tail = V::fma(e, V::set(-2.12194440e-4f), p * f * square);
    tail = V::fnma(V::set(0.5f), square, tail);
    V result = V::fma(e, V::set(0.693359375f), f + tail);
    const V infinity = V::set(std::numeric_limits<float>::infinity());
    result = V::select(x == V::zero(), V::zero() - infinity, result);
    result = V::select(x < V::zero(), V::set(std::numeric_limits<float>::quiet_NaN()), result);
    return V::select((x == infinity) | (x != x), x, result);
}

// Near 0 an odd polynomial (Cephes), elsewhere 1 - 2 / (e^2|x| + 1) with the sign of x.
template <class V>
inline V vec_tanh(V x) {
    const V sign = x & V::set(-0.0f);
    const V size = V::abs(x);
    const V square = x * x;
    V p = V::set(-5.70498872745e-3f);
    p = V::fma(p, square, V::set(2.06390887954e-2f));
    p = V::fma(p, square, V::set(-5.37397155531e-2f));
    p = V::fma(p, square, V::set(1.33314422036e-1f));
    p = V::fma(p, square, V::set(-3.33332819422e-1f));
    const V near = V::fma(p * square, x, x);
    const V one = V::set(1.0f);
    const V far = one - V::set(2.0f) / (vec_exp(size + size) + one);
    return V::select(size < V::set(0.625f), near, far | sign);
}

// With e = e^-|x|: 1 / (1 + e) for x >= 0, e / (1 + e) below, so that small results keep their relative
// accuracy.
template <class V>
inline V vec_sigmoid(V x) {
    const V one = V::set(1.0f);
    const V e = vec_exp(V::zero() - V::abs(x));
    return V::select(x < V::zero(), e, one) / (one + e);
}

// The tanh form of GELU: x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
template <class V>
inline V vec_gelu(V x) {
    const V inner = V::fma(V::set(0.044715f) * x * x, x, x);
    return x * vec_sigmoid(V::set(1.5957691216f) * inner);
}

}  // namespace attune
