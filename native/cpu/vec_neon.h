// Four float lanes over NEON (Advanced SIMD), which every AArch64 processor has.
// Everything lives in an anonymous namespace: each ISA's object keeps its own copies. Include in one
// translation unit per ISA only; knows nothing of ops.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace attune {
namespace {

struct Mask {
    uint32x4_t bits;  // all ones or all zeros per lane

    static Mask first(int64_t n) {
        const int32_t count = n > 4 ? 4 : static_cast<int32_t>(n);
        return {vcltq_s32(int32x4_t{0, 1, 2, 3}, vdupq_n_s32(count))};
    }
    bool any() const { return vmaxvq_u32(bits) != 0; }
    bool all() const { return vminvq_u32(bits) != 0; }
    uint32_t word() const { return vaddvq_u32(vandq_u32(bits, uint32x4_t{1, 2, 4, 8})); }  // lane i in bit i
    friend Mask operator&(Mask a, Mask b) { return {vandq_u32(a.bits, b.bits)}; }
    friend Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.bits, b.bits)}; }
    friend Mask operator~(Mask a) { return {vmvnq_u32(a.bits)}; }
};

// 8 bf16 values: lane i holds the pair (2i, 2i+1).
struct Pairs {
    uint32x4_t v;
};

struct Vec {
    static constexpr int64_t kLanes = 4;
    static constexpr bool kBf16Dot = false;
    static constexpr int kRegisters = 32;  // of kLanes floats each
    using Mask = attune::Mask;
    using Pairs = attune::Pairs;

    float32x4_t v;

    static Vec zero() { return set(0.0f); }
    static Vec set(float x) { return {vdupq_n_f32(x)}; }
    // p[i] in every lane. Reads the whole four that hold it: with a constant i several of one four share a
    // load, and a multiply-add takes its lane as it is.
    static Vec broadcast(const float* p, int i) { return set(vld1q_f32(p + i / 4 * 4)[i % 4]); }
    static Vec iota() { return {float32x4_t{0, 1, 2, 3}}; }

    // ---- memory; n < kLanes loads n values and zeros, stores n values
    static Vec load(const float* p) { return {vld1q_f32(p)}; }
    static Vec load(const float* p, int64_t n) {
        if (n >= kLanes) return load(p);
        Vec result = zero();
        if (n > 0) result.v = vld1q_lane_f32(p, result.v, 0);
        if (n > 1) result.v = vld1q_lane_f32(p + 1, result.v, 1);
        if (n > 2) result.v = vld1q_lane_f32(p + 2, result.v, 2);
        return result;
    }
    void store(float* p) const { vst1q_f32(p, v); }
    void store(float* p, int64_t n) const {
        if (n >= kLanes) return store(p);
        if (n > 0) vst1q_lane_f32(p, v, 0);
        if (n > 1) vst1q_lane_f32(p + 1, v, 1);
        if (n > 2) vst1q_lane_f32(p + 2, v, 2);
    }
    static Vec load(const bf16_t* p) { return widen(vld1_u16(p)); }
    static Vec load(const bf16_t* p, int64_t n) {
        if (n >= kLanes) return load(p);
        uint16x4_t half = vdup_n_u16(0);
        if (n > 0) half = vld1_lane_u16(p, half, 0);
        if (n > 1) half = vld1_lane_u16(p + 1, half, 1);
        if (n > 2) half = vld1_lane_u16(p + 2, half, 2);
        return widen(half);
    }
    void store(bf16_t* p) const { vst1_u16(p, narrow()); }
    void store(bf16_t* p, int64_t n) const {
        if (n >= kLanes) return store(p);
        const uint16x4_t half = narrow();
        if (n > 0) vst1_lane_u16(p, half, 0);
        if (n > 1) vst1_lane_u16(p + 1, half, 1);
        if (n > 2) vst1_lane_u16(p + 2, half, 2);
    }
    // 2 * kLanes values: even[i] = p[2i], odd[i] = p[2i+1]
    static void load_pairs(const bf16_t* p, Vec& even, Vec& odd) { split(load_pairs_raw(p), even, odd); }
    static void store_pairs(bf16_t* p, Vec even, Vec odd) {
        // The upper half of odd stays, the upper half of even comes below it.
        const uint32x4_t words = vsriq_n_u32(odd.rounded_bits(), even.rounded_bits(), 16);
        vst1q_u16(p, vreinterpretq_u16_u32(words));
    }

    // ---- bf16 pairs as they are
    static Pairs load_pairs_raw(const bf16_t* p) { return {vreinterpretq_u32_u16(vld1q_u16(p))}; }
    static Pairs broadcast_pair(const bf16_t* p) {  // p[0], p[1] in every lane
        uint32_t pair;
        std::memcpy(&pair, p, 4);
        return {vdupq_n_u32(pair)};
    }
    static void split(Pairs pairs, Vec& even, Vec& odd) {
        even = from_words(vshlq_n_u32(pairs.v, 16));
        odd = from_words(vandq_u32(pairs.v, vdupq_n_u32(0xffff0000u)));
    }
    // sum[i] += a[2i] b[2i] + a[2i+1] b[2i+1]
    static void accumulate(Vec& sum, Pairs a, Pairs b) {
        Vec a_even, a_odd, b_even, b_odd;
        split(a, a_even, a_odd);
        split(b, b_even, b_odd);
        accumulate(sum, a_odd, b_odd);
        accumulate(sum, a_even, b_even);
    }

    // ---- arithmetic
    friend Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
    static Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }  // a b + c
    static void accumulate(Vec& sum, Vec a, Vec b) { sum = fma(a, b, sum); }
    static Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }  // c - a b
    // b where one is NaN, which neither FMAX (NaN) nor FMAXNM (the number) gives
    static Vec max(Vec a, Vec b) { return select(a > b, a, b); }
    static Vec min(Vec a, Vec b) { return select(a < b, a, b); }
    static Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
    static Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
    static Vec round_to_int(Vec a) { return {vrndnq_f32(a.v)}; }  // nearest even
    // x 2^n, n integer, of normal x with a normal result (others: any value); NaN where both are NaN
    static Vec ldexp(Vec x, Vec n) {
        const int32x4_t exponent = vshlq_n_s32(vcvtnq_s32_f32(n.v), 23);  // 0 of NaN
        return from_words(vaddq_u32(x.words(), vreinterpretq_u32_s32(exponent)));
    }
    // x = mantissa 2^exponent with mantissa in [1, 2), for normal positive x
    static void split_exponent(Vec x, Vec& mantissa, Vec& exponent) {
        const uint32x4_t bits = x.words();
        const int32x4_t biased = vreinterpretq_s32_u32(vshrq_n_u32(bits, 23));
        exponent.v = vcvtq_f32_s32(vsubq_s32(biased, vdupq_n_s32(127)));
        mantissa = from_words(vorrq_u32(vandq_u32(bits, vdupq_n_u32(0x7fffff)), vdupq_n_u32(0x3f800000)));
    }

    // ---- comparison (false where one is NaN, ne: true) and bits
    friend Mask operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
    friend Mask operator<=(Vec a, Vec b) { return {vcleq_f32(a.v, b.v)}; }
    friend Mask operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
    friend Mask operator>=(Vec a, Vec b) { return {vcgeq_f32(a.v, b.v)}; }
    friend Mask operator==(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
    friend Mask operator!=(Vec a, Vec b) { return ~(a == b); }
    static Vec select(Mask m, Vec a, Vec b) { return {vbslq_f32(m.bits, a.v, b.v)}; }
    friend Vec operator&(Vec a, Vec b) { return from_words(vandq_u32(a.words(), b.words())); }
    friend Vec operator|(Vec a, Vec b) { return from_words(vorrq_u32(a.words(), b.words())); }
    friend Vec operator^(Vec a, Vec b) { return from_words(veorq_u32(a.words(), b.words())); }

    // ---- over lanes: 2+2, 1+1
    float reduce_add() const { return vpadds_f32(vadd_f32(vget_low_f32(v), vget_high_f32(v))); }
    double reduce_add_double() const {
        return vpaddd_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)));
    }
    float reduce_max() const {
        const Vec pairs = max(*this, {vextq_f32(v, v, 2)});
        return max(pairs, {vextq_f32(pairs.v, pairs.v, 1)}).v[0];
    }

  private:
    uint32x4_t words() const { return vreinterpretq_u32_f32(v); }
    static Vec from_words(uint32x4_t words) { return {vreinterpretq_f32_u32(words)}; }
    static Vec widen(uint16x4_t half) { return from_words(vshlq_n_u32(vmovl_u16(half), 16)); }
    // Bits rounded to nearest even at bit 16; the upper half is the bf16 value. NaN is kept (quiet).
    uint32x4_t rounded_bits() const {
        const uint32x4_t bits = words();
        const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
        const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
        return vbslq_u32(vceqq_f32(v, v), rounded, vorrq_u32(bits, vdupq_n_u32(0x400000)));
    }
    uint16x4_t narrow() const { return vshrn_n_u32(rounded_bits(), 16); }
};

}  // namespace
}  // namespace attune
