// Chains of independent sums, more of them than any multiply-add takes cycles. Another architecture adds its
// loops and its list of them; the scalar one is what the compiler makes of plain vectors without machine
// flags.
#include "bench/arithmetic.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace attune::bench {

namespace {

// Four lanes are what every architecture has; multiplied and added apart, as the scalar kernels are compiled.
typedef float Lanes __attribute__((vector_size(16)));

float run_scalar() {
    Lanes sum[12];
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sum[i] = Lanes{} + static_cast<float>(i);
    const Lanes a = Lanes{} + 0.999f, b = Lanes{} + 0.001f;
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) sum[i] = sum[i] * a + b;
    Lanes total = sum[0];
#pragma GCC unroll 12
    for (int i = 1; i < 12; ++i) total += sum[i];
    return total[0];
}
constexpr Arithmetic kScalar = {"scalar", DType::F32, 12.0 * 4 * 2, run_scalar};

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) float run_avx2() {
    __m256 sum[12];
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
    __m256 total = sum[0];
#pragma GCC unroll 12
    for (int i = 1; i < 12; ++i) total = _mm256_add_ps(total, sum[i]);
    return _mm256_cvtss_f32(total);
}

__attribute__((target("avx512f"))) float run_avx512() {
    __m512 sum[24];
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
    __m512 total = sum[0];
#pragma GCC unroll 24
    for (int i = 1; i < 24; ++i) total = _mm512_add_ps(total, sum[i]);
    return _mm512_cvtss_f32(total);
}

__attribute__((target("avx512f,avx512bf16"))) float run_avx512bf16() {
    __m512 sum[24];
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
    const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));  // pairs of 1
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
    __m512 total = sum[0];
#pragma GCC unroll 24
    for (int i = 1; i < 24; ++i) total = _mm512_add_ps(total, sum[i]);
    return _mm512_cvtss_f32(total);
}

constexpr Arithmetic kArithmetic[] = {{"avx512bf16", DType::BF16, 24.0 * 16 * 4, run_avx512bf16},
                                      {"avx512bf16", DType::F32, 24.0 * 16 * 2, run_avx512},
                                      {"avx512", DType::F32, 24.0 * 16 * 2, run_avx512},
                                      {"avx2", DType::F32, 12.0 * 8 * 2, run_avx2},
                                      kScalar};

#elif defined(__aarch64__)

float run_neon() {
    float32x4_t sum[24];
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) sum[i] = vdupq_n_f32(static_cast<float>(i));
    const float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.001f);
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) sum[i] = vfmaq_f32(sum[i], a, b);
    float32x4_t total = sum[0];
#pragma GCC unroll 24
    for (int i = 1; i < 24; ++i) total = vaddq_f32(total, sum[i]);
    return vaddvq_f32(total);
}

constexpr Arithmetic kArithmetic[] = {{"neon", DType::F32, 24.0 * 4 * 2, run_neon}, kScalar};

#else

constexpr Arithmetic kArithmetic[] = {kScalar};

#endif

}  // namespace

std::span<const Arithmetic> arithmetic() {
    return kArithmetic;
}

}  // namespace attune::bench
