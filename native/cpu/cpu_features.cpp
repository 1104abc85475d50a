// Reads CPUID and XGETBV. Must not be compiled with machine flags: it decides whether they may be used.
#include "cpu/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace attune {

#if defined(__x86_64__)

namespace {

struct Registers {
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
    Registers r;
    __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);  // zeros where the leaf does not exist
    return r;
}

bool bit(uint32_t word, int index) {
    return ((word >> index) & 1u) != 0;
}

// Register state that the operating system saves (XCR0). Only valid where OSXSAVE is set.
uint64_t saved_state() {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<uint64_t>(high) << 32) | low;
}

CpuFeatures read_features() {
    constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;  // SSE + AVX; and opmask + both ZMM halves
    CpuFeatures features;
    const Registers basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
    const bool osxsave = bit(basic.ecx, 27), avx = bit(basic.ecx, 28);
    if (!osxsave || !avx) return features;
    const uint64_t state = saved_state();
    const bool fma = bit(basic.ecx, 12), f16c = bit(basic.ecx, 29);
    features.avx2 = (state & kYmm) == kYmm && fma && f16c && bit(extended.ebx, 5);
    const bool f = bit(extended.ebx, 16), dq = bit(extended.ebx, 17);
    const bool bw = bit(extended.ebx, 30), vl = bit(extended.ebx, 31);
    features.avx512 = features.avx2 && (state & kZmm) == kZmm && f && dq && bw && vl;
    features.avx512bf16 = features.avx512 && extended.eax >= 1 && bit(more.eax, 5);
    return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
    static const CpuFeatures features = read_features();
    return features;
}

#else

const CpuFeatures& cpu_features() {
    static const CpuFeatures features;
    return features;
}

#endif

}  // namespace attune
