// Eight float lanes over AVX2 with FMA.
// Everything lives in an anonymous namespace: each ISA's object keeps its own copies. Include in one
// translation unit per ISA only; knows nothing of ops.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace attune {
namespace {

struct Mask {
    __m256 bits;  // all ones or all zeros per lane

    static Mask first(int64_t n) {
        const int count = n > 8 ? 8 : static_cast<int>(n);
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes))};
    }
    bool any() const { return word() != 0; }
    bool all() const { return word() == 0xff; }
    uint32_t word() const { return static_cast<uint32_t>(_mm256_movemask_ps(bits)); }  // lane i in bit i
    friend Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.bits, b.bits)}; }
    friend Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.bits, b.bits)}; }
    friend Mask operator~(Mask a) {
        return {_mm256_xor_ps(a.bits, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
    }
};

// 16 bf16 values: lane i holds the pair (2i, 2i+1).
struct Pairs {
    __m256i v;
};

struct Vec {
    static constexpr int64_t kLanes = 8;
    static constexpr bool kBf16Dot = false;
    static constexpr int kRegisters = 16;  // of kLanes floats each
    using Mask = attune::Mask;
    using Pairs = attune::Pairs;

    __m256 v;

    static Vec zero() { return {_mm256_setzero_ps()}; }
    static Vec set(float x) { return {_mm256_set1_ps(x)}; }
    static Vec broadcast(const float* p, int i) { return set(p[i]); }  // p[i] in every lane
    static Vec iota() { return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)}; }

    // ---- memory; n < kLanes loads n values and zeros, stores n values
    static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static Vec load(const float* p, int64_t n) {
        return {_mm256_maskload_ps(p, _mm256_castps_si256(Mask::first(n).bits))};
    }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    void store(float* p, int64_t n) const {
        _mm256_maskstore_ps(p, _mm256_castps_si256(Mask::first(n).bits), v);
    }
    static Vec load(const bf16_t* p) { return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
    static Vec load(const bf16_t* p, int64_t n) {
        if (n >= kLanes) return load(p);
        __m128i half = _mm_setzero_si128();
        if (n > 0) std::memcpy(&half, p, static_cast<size_t>(n) * 2);
        return widen(half);
    }
    void store(bf16_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow()); }
    void store(bf16_t* p, int64_t n) const {
        if (n >= kLanes) return store(p);
        const __m128i half = narrow();
        if (n > 0) std::memcpy(p, &half, static_cast<size_t>(n) * 2);
    }
    // 2 * kLanes values: even[i] = p[2i], odd[i] = p[2i+1]
    static void load_pairs(const bf16_t* p, Vec& even, Vec& odd) { split(load_pairs_raw(p), even, odd); }
    static void store_pairs(bf16_t* p, Vec even, Vec odd) {
        const __m256i low = _mm256_srli_epi32(even.rounded_bits(), 16);
        const __m256i high =
            _mm256_and_si256(odd.rounded_bits(), _mm256_set1_epi32(static_cast<int>(0xffff0000u)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(low, high));
    }

    // ---- bf16 pairs as they are
    static Pairs load_pairs_raw(const bf16_t* p) {
        return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
    }
    static Pairs broadcast_pair(const bf16_t* p) {  // p[0], p[1] in every lane
        int pair;
        std::memcpy(&pair, p, 4);
        return {_mm256_set1_epi32(pair)};
    }
    static void split(Pairs pairs, Vec& even, Vec& odd) {
        even.v = _mm256_castsi256_ps(_mm256_slli_epi32(pairs.v, 16));
        odd.v =
            _mm256_castsi256_ps(_mm256_and_si256(pairs.v, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
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
    friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
    static Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }  // a b + c
    // sum += a b, in sum's register: left to themselves compilers move the sums of a long loop about, and
    // some of them through memory (GEMM 9 % slower). As a register of its own: as a member of the sums it
    // would keep those in memory.
    static void accumulate(Vec& sum, Vec a, Vec b) {
        __m256 total = sum.v;
        asm("vfmadd231ps %2, %1, %0" : "+x"(total) : "x"(a.v), "xm"(b.v));
        sum.v = total;
    }
    static Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a b
    static Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }                  // b where one is NaN
    static Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
    static Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
    static Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
    static Vec round_to_int(Vec a) {  // nearest even
        return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }
    // x 2^n, n integer, of normal x with a normal result (others: any value); NaN where both are NaN
    static Vec ldexp(Vec x, Vec n) {
        const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n.v), 23);  // 0 of NaN
        return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.v), exponent))};
    }
    // x = mantissa 2^exponent with mantissa in [1, 2), for normal positive x
    static void split_exponent(Vec x, Vec& mantissa, Vec& exponent) {
        const __m256i bits = _mm256_castps_si256(x.v);
        exponent.v =
            _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127)));
        const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));
        mantissa.v = _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(0x3f800000)));
    }

    // ---- comparison (false where one is NaN, ne: true) and bits
    friend Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
    friend Mask operator<=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
    friend Mask operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
    friend Mask operator>=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
    friend Mask operator==(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
    friend Mask operator!=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
    static Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.bits)}; }
    friend Vec operator&(Vec a, Vec b) { return {_mm256_and_ps(a.v, b.v)}; }
    friend Vec operator|(Vec a, Vec b) { return {_mm256_or_ps(a.v, b.v)}; }
    friend Vec operator^(Vec a, Vec b) { return {_mm256_xor_ps(a.v, b.v)}; }

    // ---- over lanes: 4+4, 2+2, 1+1
    float reduce_add() const {
        const __m128 b = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
        return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
    }
    double reduce_add_double() const {
        const __m256d b = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                                        _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
        const __m128d c = _mm_add_pd(_mm256_castpd256_pd128(b), _mm256_extractf128_pd(b, 1));
        return _mm_cvtsd_f64(_mm_add_sd(c, _mm_unpackhi_pd(c, c)));
    }
    float reduce_max() const {
        const __m128 b = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
        return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
    }

  private:
    static Vec widen(__m128i half) {
        return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
    }
    // Bits rounded to nearest even at bit 16; the upper half is the bf16 value. NaN is kept (quiet).
    __m256i rounded_bits() const {
        const __m256i bits = _mm256_castps_si256(v);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
        const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        return _mm256_blendv_epi8(rounded, quiet, nan);
    }
    __m128i narrow() const {
        const __m256i words = _mm256_srli_epi32(rounded_bits(), 16);
        const __m256i packed = _mm256_packus_epi32(words, words);  // per 128-bit half
        return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
    }
};

}  // namespace
}  // namespace attune
