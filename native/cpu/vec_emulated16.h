// Sixteen float lanes as pairs of AVX2 registers, the bf16 dot product in software: lets a machine without
// AVX-512 run the 16-lane bodies in tests. Test builds only; nothing here is meant to be fast. Everything
// lives in an anonymous namespace: each ISA's object keeps its own copies; knows nothing of ops.
#pragma once

#include "cpu/vec_avx2.h"

namespace attune {
namespace {

struct Mask16 {
    Mask low, high;

    static Mask16 first(int64_t n) { return {Mask::first(n), Mask::first(n - 8)}; }
    bool any() const { return low.any() || high.any(); }
    bool all() const { return low.all() && high.all(); }
    uint32_t word() const { return low.word() | high.word() << 8; }  // lane i in bit i
    friend Mask16 operator&(Mask16 a, Mask16 b) { return {a.low & b.low, a.high & b.high}; }
    friend Mask16 operator|(Mask16 a, Mask16 b) { return {a.low | b.low, a.high | b.high}; }
    friend Mask16 operator~(Mask16 a) { return {~a.low, ~a.high}; }
};

// 32 bf16 values: lane i holds the pair (2i, 2i+1).
struct Pairs16 {
    Pairs low, high;
};

template <bool kDot>
struct EmulatedVec {
    static constexpr int64_t kLanes = 16;
    static constexpr bool kBf16Dot = kDot;
    static constexpr int kRegisters = 32;  // the code paths of the real thing
    using Mask = Mask16;
    using Pairs = Pairs16;

    Vec low, high;

    static EmulatedVec zero() { return {Vec::zero(), Vec::zero()}; }
    static EmulatedVec set(float x) { return {Vec::set(x), Vec::set(x)}; }
    static EmulatedVec broadcast(const float* p, int i) { return set(p[i]); }  // p[i] in every lane
    static EmulatedVec iota() { return {Vec::iota(), Vec::iota() + Vec::set(8.0f)}; }

    // ---- memory; n < kLanes loads n values and zeros, stores n values
    static EmulatedVec load(const float* p) { return {Vec::load(p), Vec::load(p + 8)}; }
    static EmulatedVec load(const float* p, int64_t n) { return load_first(p, n); }
    void store(float* p) const { low.store(p), high.store(p + 8); }
    void store(float* p, int64_t n) const { store_first(p, n); }
    static EmulatedVec load(const bf16_t* p) { return {Vec::load(p), Vec::load(p + 8)}; }
    static EmulatedVec load(const bf16_t* p, int64_t n) { return load_first(p, n); }
    void store(bf16_t* p) const { low.store(p), high.store(p + 8); }
    void store(bf16_t* p, int64_t n) const { store_first(p, n); }
    // 2 * kLanes values: even[i] = p[2i], odd[i] = p[2i+1]
    static void load_pairs(const bf16_t* p, EmulatedVec& even, EmulatedVec& odd) {
        Vec::load_pairs(p, even.low, odd.low);
        Vec::load_pairs(p + 16, even.high, odd.high);
    }
    static void store_pairs(bf16_t* p, EmulatedVec even, EmulatedVec odd) {
        Vec::store_pairs(p, even.low, odd.low);
        Vec::store_pairs(p + 16, even.high, odd.high);
    }

    // ---- bf16 pairs as they are
    static Pairs load_pairs_raw(const bf16_t* p) {
        return {Vec::load_pairs_raw(p), Vec::load_pairs_raw(p + 16)};
    }
    static Pairs broadcast_pair(const bf16_t* p) { return {Vec::broadcast_pair(p), Vec::broadcast_pair(p)}; }
    static void split(Pairs pairs, EmulatedVec& even, EmulatedVec& odd) {
        Vec::split(pairs.low, even.low, odd.low);
        Vec::split(pairs.high, even.high, odd.high);
    }
    // sum[i] += a[2i] b[2i] + a[2i+1] b[2i+1]
    static void accumulate(EmulatedVec& sum, Pairs a, Pairs b) {
        Vec::accumulate(sum.low, a.low, b.low);
        Vec::accumulate(sum.high, a.high, b.high);
    }

    // ---- arithmetic
    friend EmulatedVec operator+(EmulatedVec a, EmulatedVec b) { return {a.low + b.low, a.high + b.high}; }
    friend EmulatedVec operator-(EmulatedVec a, EmulatedVec b) { return {a.low - b.low, a.high - b.high}; }
    friend EmulatedVec operator*(EmulatedVec a, EmulatedVec b) { return {a.low * b.low, a.high * b.high}; }
    friend EmulatedVec operator/(EmulatedVec a, EmulatedVec b) { return {a.low / b.low, a.high / b.high}; }
    static EmulatedVec fma(EmulatedVec a, EmulatedVec b, EmulatedVec c) {  // a b + c
        return {Vec::fma(a.low, b.low, c.low), Vec::fma(a.high, b.high, c.high)};
    }
    static void accumulate(EmulatedVec& sum, EmulatedVec a, EmulatedVec b) {  // sum += a b
        Vec::accumulate(sum.low, a.low, b.low);
        Vec::accumulate(sum.high, a.high, b.high);
    }
    static EmulatedVec fnma(EmulatedVec a, EmulatedVec b, EmulatedVec c) {  // c - a b
        return {Vec::fnma(a.low, b.low, c.low), Vec::fnma(a.high, b.high, c.high)};
    }
    static EmulatedVec max(EmulatedVec a, EmulatedVec b) {  // b where one is NaN
        return {Vec::max(a.low, b.low), Vec::max(a.high, b.high)};
    }
    static EmulatedVec min(EmulatedVec a, EmulatedVec b) {
        return {Vec::min(a.low, b.low), Vec::min(a.high, b.high)};
    }
    static EmulatedVec abs(EmulatedVec a) { return {Vec::abs(a.low), Vec::abs(a.high)}; }
    static EmulatedVec sqrt(EmulatedVec a) { return {Vec::sqrt(a.low), Vec::sqrt(a.high)}; }
    static EmulatedVec round_to_int(EmulatedVec a) {  // nearest even
        return {Vec::round_to_int(a.low), Vec::round_to_int(a.high)};
    }
    static EmulatedVec ldexp(EmulatedVec x, EmulatedVec n) {  // x 2^n
        return {Vec::ldexp(x.low, n.low), Vec::ldexp(x.high, n.high)};
    }
    // x = mantissa 2^exponent with mantissa in [1, 2), for normal positive x
    static void split_exponent(EmulatedVec x, EmulatedVec& mantissa, EmulatedVec& exponent) {
        Vec::split_exponent(x.low, mantissa.low, exponent.low);
        Vec::split_exponent(x.high, mantissa.high, exponent.high);
    }

    // ---- comparison (false where one is NaN, ne: true) and bits
    friend Mask operator<(EmulatedVec a, EmulatedVec b) { return {a.low < b.low, a.high < b.high}; }
    friend Mask operator<=(EmulatedVec a, EmulatedVec b) { return {a.low <= b.low, a.high <= b.high}; }
    friend Mask operator>(EmulatedVec a, EmulatedVec b) { return {a.low > b.low, a.high > b.high}; }
    friend Mask operator>=(EmulatedVec a, EmulatedVec b) { return {a.low >= b.low, a.high >= b.high}; }
    friend Mask operator==(EmulatedVec a, EmulatedVec b) { return {a.low == b.low, a.high == b.high}; }
    friend Mask operator!=(EmulatedVec a, EmulatedVec b) { return {a.low != b.low, a.high != b.high}; }
    static EmulatedVec select(Mask m, EmulatedVec a, EmulatedVec b) {
        return {Vec::select(m.low, a.low, b.low), Vec::select(m.high, a.high, b.high)};
    }
    friend EmulatedVec operator&(EmulatedVec a, EmulatedVec b) { return {a.low & b.low, a.high & b.high}; }
    friend EmulatedVec operator|(EmulatedVec a, EmulatedVec b) { return {a.low | b.low, a.high | b.high}; }
    friend EmulatedVec operator^(EmulatedVec a, EmulatedVec b) { return {a.low ^ b.low, a.high ^ b.high}; }

    // ---- over lanes: 8+8, 4+4, 2+2, 1+1
    float reduce_add() const { return (low + high).reduce_add(); }
    double reduce_add_double() const { return low.reduce_add_double() + high.reduce_add_double(); }
    float reduce_max() const { return Vec::max(low, high).reduce_max(); }

  private:
    template <class T>
    static EmulatedVec load_first(const T* p, int64_t n) {
        if (n >= kLanes) return load(p);
        return {Vec::load(p, n), n > 8 ? Vec::load(p + 8, n - 8) : Vec::zero()};
    }
    template <class T>
    void store_first(T* p, int64_t n) const {
        low.store(p, n);
        if (n > 8) high.store(p + 8, n - 8);
    }
};

}  // namespace
}  // namespace attune
