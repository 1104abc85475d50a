// What this machine can do at most: multiply-adds per second in registers for each instruction set, and bytes
// per second read from memory. Ratios of other benchmarks refer to these figures. Uses no op.
#include <cstdio>
#include <cstring>

#include "core/backend.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "tool/bench.h"
#include "tool/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace attune::tool {

namespace {

constexpr int64_t kRounds = 1 << 20;

struct Arithmetic {
    const char* isa;
    double flop_per_round;
    float (*run)();
};

#if defined(__x86_64__)

// Twelve (AVX2) or twenty-four independent sums: the chains are longer than any multiply-add latency.
__attribute__((target("avx2,fma"))) float run_avx2() {
    __m256 sum[12];
    for (int i = 0; i < 12; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int64_t round = 0; round < kRounds; ++round)
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
    __m256 total = sum[0];
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

const Arithmetic kArithmetic[] = {{"avx512bf16", 24.0 * 16 * 4, run_avx512bf16},
                                  {"avx512", 24.0 * 16 * 2, run_avx512},
                                  {"avx2", 12.0 * 8 * 2, run_avx2}};

#elif defined(__aarch64__)

// Twenty-four independent sums, for four multiply-adds at a time that take four cycles each.
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

const Arithmetic kArithmetic[] = {{"neon", 24.0 * 4 * 2, run_neon}};

#else

const Arithmetic kArithmetic[] = {{"none", 0, nullptr}};

#endif

bool runs_here(const char* isa) {
    for (const IsaInfo& info : list_isas())
        if (info.name == isa) return info.runnable;
    return false;
}

void time_arithmetic(const BenchContext& context) {
    for (const Arithmetic& arithmetic : kArithmetic) {
        if (!runs_here(arithmetic.isa)) continue;
        volatile float sink = 0;
        const Timing timing = measure([&] {
            context.stream->pool->parallel(context.threads, [&](int64_t, int) { sink = arithmetic.run(); });
        });
        const double flop = 1e-6 * arithmetic.flop_per_round * static_cast<double>(kRounds) * context.threads;
        std::printf(
            "{\"op\":\"peak_arithmetic\",\"isa\":\"%s\",\"threads\":%d,\"median_ms\":%.3f,\"min_ms\":%.3f,"
            "\"gflops_median\":%.1f,\"gflops\":%.1f}\n",
            arithmetic.isa, context.threads, timing.median_ms, timing.min_ms, flop / timing.median_ms,
            flop / timing.min_ms);
    }
}

// Sum of the 64-bit words of a block, read as four streams with prefetch.
uint64_t read_block(const uint64_t* block, int64_t words) {
    constexpr int64_t kLine = 8, kAhead = 128;
    const int64_t stream = words / 4;
    uint64_t sums[kLine] = {};
    for (int64_t i = 0; i < stream; i += kLine) {
        for (int64_t s = 0; s < 4; ++s) {
            const uint64_t* line = block + s * stream + i;
            __builtin_prefetch(line + kAhead);
            for (int64_t j = 0; j < kLine; ++j) sums[j] += line[j];
        }
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    return total;
}

void time_reading(const BenchContext& context) {
    constexpr int64_t kBlocks = 256, kWords = (1 << 20) / 8;  // 256 blocks of 1 MiB
    const AlignedBytes memory = allocate_aligned(static_cast<size_t>(kBlocks * kWords * 8));
    std::memset(memory.get(), 1, static_cast<size_t>(kBlocks * kWords * 8));
    const auto* words = reinterpret_cast<const uint64_t*>(memory.get());
    volatile uint64_t sink = 0;
    const Timing timing = measure([&] {
        context.stream->pool->parallel(
            kBlocks, [&](int64_t block, int) { sink = read_block(words + block * kWords, kWords); });
    });
    const double megabytes = 1e-6 * static_cast<double>(kBlocks * kWords * 8);
    std::printf(
        "{\"op\":\"peak_read\",\"threads\":%d,\"median_ms\":%.3f,\"min_ms\":%.3f,\"gbps_median\":%.1f,"
        "\"gbps\":%.1f}\n",
        context.threads, timing.median_ms, timing.min_ms, megabytes / timing.median_ms,
        megabytes / timing.min_ms);
}

void bench_peak(const BenchContext& context) {
    time_arithmetic(context);
    time_reading(context);
}

const RegisterBench peak("peak", bench_peak);

}  // namespace

}  // namespace attune::tool
