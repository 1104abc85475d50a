// Sixteen float lanes over AVX-512 (F, BW, DQ, VL), with the bf16 dot product where BF16 is compiled in.
// Everything lives in an anonymous namespace: each ISA's object keeps its own copies. Include in one
// translation unit per ISA only; knows nothing of ops.
#pragma once

// GCC 12 warns of the deliberately undefined registers inside its own intrinsics.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

#include "core/dtype.h"

namespace attune {
namespace {

struct Mask {
    __mmask16 bits;

    static Mask first(int64_t n) {
        return {static_cast<__mmask16>(n >= 16 ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1u)};
    }
    bool any() const { return bits != 0; }
    bool all() const { return bits == 0xffff; }
    uint32_t word() const { return bits; }  // lane i in bit i
    friend Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.bits & b.bits)}; }
    friend Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.bits | b.bits)}; }
    friend Mask operator~(Mask a) { return {static_cast<__mmask16>(~a.bits)}; }
};

// 32 bf16 values: lane i holds the pair (2i, 2i+1).
struct Pairs {
    __m512i v;
};

template <bool kDot>
struct BasicVec {
    static constexpr int64_t kLanes = 16;
    static constexpr bool kBf16Dot = kDot;
    static constexpr int kRegisters = 32;  // of kLanes floats each
    using Mask = attune::Mask;
    using Pairs = attune::Pairs;

    __m512 v;

    static BasicVec zero() { return {_mm512_setzero_ps()}; }
    static BasicVec set(float x) { return {_mm512_set1_ps(x)}; }
    static BasicVec broadcast(const float* p, int i) { return set(p[i]); }  // p[i] in every lane
    static BasicVec iota() { return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }

    // ---- memory; n < kLanes loads n values and zeros, stores n values
    static BasicVec load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static BasicVec load(const float* p, int64_t n) {
        return {_mm512_maskz_loadu_ps(Mask::first(n).bits, p)};
    }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    void store(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, Mask::first(n).bits, v); }
    static BasicVec load(const bf16_t* p) {
        return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static BasicVec load(const bf16_t* p, int64_t n) {
        return widen(_mm256_maskz_loadu_epi16(Mask::first(n).bits, p));
    }
    void store(bf16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow()); }
    void store(bf16_t* p, int64_t n) const { _mm256_mask_storeu_epi16(p, Mask::first(n).bits, narrow()); }
    // 2 * kLanes values: even[i] = p[2i], odd[i] = p[2i+1]
    static void load_pairs(const bf16_t* p, BasicVec& even, BasicVec& odd) {
        split(load_pairs_raw(p), even, odd);
    }
    static void store_pairs(bf16_t* p, BasicVec even, BasicVec odd) {
        const __m512i low = _mm512_srli_epi32(even.rounded_bits(), 16);
        const __m512i high =
            _mm512_and_si512(odd.rounded_bits(), _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
        _mm512_storeu_si512(p, _mm512_or_si512(low, high));
    }

    // ---- bf16 pairs as they are
    static Pairs load_pairs_raw(const bf16_t* p) { return {_mm512_loadu_si512(p)}; }
    static Pairs broadcast_pair(const bf16_t* p) {  // p[0], p[1] in every lane
        int pair;
        __builtin_memcpy(&pair, p, 4);
        return {_mm512_set1_epi32(pair)};
    }
    static void split(Pairs pairs, BasicVec& even, BasicVec& odd) {
        even.v = _mm512_castsi512_ps(_mm512_slli_epi32(pairs.v, 16));
        odd.v =
            _mm512_castsi512_ps(_mm512_and_si512(pairs.v, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
    }
    // sum[i] += a[2i] b[2i] + a[2i+1] b[2i+1]
    static void accumulate(BasicVec& sum, Pairs a, Pairs b) {
#ifdef __AVX512BF16__
        __m512 total = sum.v;
        asm("vdpbf16ps %2, %1, %0" : "+v"(total) : "v"(a.v), "vm"(b.v));
        sum.v = total;
#else
        BasicVec a_even, a_odd, b_even, b_odd;
        split(a, a_even, a_odd);
        split(b, b_even, b_odd);
        accumulate(sum, a_odd, b_odd);
        accumulate(sum, a_even, b_even);
#endif
    }

    // ---- arithmetic
    friend BasicVec operator+(BasicVec a, BasicVec b) {
        return {_mm512_add_ps(a.v, b.v)};
    }
    friend BasicVec operator-(BasicVec a, BasicVec b) {
        return {_mm512_sub_ps(a.v, b.v)};
    }
    friend BasicVec operator*(BasicVec a, BasicVec b) {
        return {_mm512_mul_ps(a.v, b.v)};
    }
    friend BasicVec operator/(BasicVec a, BasicVec b) {
        return {_mm512_div_ps(a.v, b.v)};
    }
    static BasicVec fma(BasicVec a, BasicVec b, BasicVec c) {
        return {_mm512_fmadd_ps(a.v, b.v, c.v)};
    }  // ab+c
    // sum += a b, in sum's register: left to themselves compilers move the sums of a long loop about, and
    // some of them through memory (GEMM 9 % slower). As a register of its own: as a member of the sums it
    // would keep those in memory.
    static void accumulate(BasicVec& sum, BasicVec a, BasicVec b) {
        __m512 total = sum.v;
        asm("vfmadd231ps %2, %1, %0" : "+v"(total) : "v"(a.v), "vm"(b.v));
        sum.v = total;
    }
    static BasicVec fnma(BasicVec a, BasicVec b, BasicVec c) {
        return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
    }  // c-ab
    static BasicVec max(BasicVec a, BasicVec b) {
        return {_mm512_max_ps(a.v, b.v)};
    }  // b where one is NaN
    static BasicVec min(BasicVec a, BasicVec b) {
        return {_mm512_min_ps(a.v, b.v)};
    }
    static BasicVec abs(BasicVec a) {
        return {_mm512_abs_ps(a.v)};
    }
    static BasicVec sqrt(BasicVec a) {
        return {_mm512_sqrt_ps(a.v)};
    }
    static BasicVec round_to_int(BasicVec a) {  // nearest even
        return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }
    static BasicVec ldexp(BasicVec x, BasicVec n) {
        return {_mm512_scalef_ps(x.v, n.v)};
    }  // x 2^n, n integer
    // x = mantissa 2^exponent with mantissa in [1, 2), for normal positive x
    static void split_exponent(BasicVec x, BasicVec& mantissa, BasicVec& exponent) {
        exponent.v = _mm512_getexp_ps(x.v);
        mantissa.v = _mm512_getmant_ps(x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
    }

    // ---- comparison (false where one is NaN, ne: true) and bits
    friend Mask operator<(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
    }
    friend Mask operator<=(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)};
    }
    friend Mask operator>(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
    }
    friend Mask operator>=(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)};
    }
    friend Mask operator==(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)};
    }
    friend Mask operator!=(BasicVec a, BasicVec b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)};
    }
    static BasicVec select(Mask m, BasicVec a, BasicVec b) {
        return {_mm512_mask_blend_ps(m.bits, b.v, a.v)};
    }
    friend BasicVec operator&(BasicVec a, BasicVec b) {
        return {_mm512_and_ps(a.v, b.v)};
    }
    friend BasicVec operator|(BasicVec a, BasicVec b) {
        return {_mm512_or_ps(a.v, b.v)};
    }
    friend BasicVec operator^(BasicVec a, BasicVec b) {
        return {_mm512_xor_ps(a.v, b.v)};
    }

    // ---- over lanes: 8+8, 4+4, 2+2, 1+1
    float reduce_add() const {
        const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
        return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
    }
    double reduce_add_double() const {
        const __m512d a = _mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(v)),
                                        _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
        const __m256d b = _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
        const __m128d c = _mm_add_pd(_mm256_castpd256_pd128(b), _mm256_extractf128_pd(b, 1));
        return _mm_cvtsd_f64(_mm_add_sd(c, _mm_unpackhi_pd(c, c)));
    }
    float reduce_max() const {
        const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
        return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
    }

  private:
    static BasicVec widen(__m256i half) {
        return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
    }
    // Bits rounded to nearest even at bit 16; the upper half is the bf16 value. NaN is kept (quiet).
    __m512i rounded_bits() const {
        const __m512i bits = _mm512_castps_si512(v);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
        return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), rounded, quiet);
    }
    __m256i narrow() const {
        return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_bits(), 16));
    }
};

}  // namespace
}  // namespace attune
