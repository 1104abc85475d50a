// Lists and picks the CPU's ops tables by what the processor supports. Must not be compiled with machine
// flags and must not read the environment: the caller passes the wanted name on.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "cpu/cpu_features.h"
#include "cpu/cpu_tables.h"

namespace attune {

namespace {

struct Entry {
    const char* name;
    bool native;
    bool CpuFeatures::*needs;  // null = nothing
    const char* needs_text;
    Ops (*make)();  // null = not compiled into this library
};

using Make = Ops (*)();
#if defined(__x86_64__)
constexpr Make kAvx512Bf16 = avx512bf16_ops, kAvx512 = avx512_ops, kAvx2 = avx2_ops;
#else
constexpr Make kAvx512Bf16 = nullptr, kAvx512 = nullptr, kAvx2 = nullptr;
#endif
#if defined(__aarch64__)
constexpr Make kNeon = neon_ops;
#else
constexpr Make kNeon = nullptr;
#endif
#if defined(__x86_64__) && defined(ATTUNE_EMULATED)
constexpr Make kEmulated16 = emulated16_ops, kEmulated16Bf16 = emulated16bf16_ops;
#else
constexpr Make kEmulated16 = nullptr, kEmulated16Bf16 = nullptr;
#endif

// Best first; emulated ones last.
const std::array<Entry, 7> kEntries{{
    {"avx512bf16", true, &CpuFeatures::avx512bf16, "AVX-512 F, BW, DQ, VL and BF16", kAvx512Bf16},
    {"avx512", true, &CpuFeatures::avx512, "AVX-512 F, BW, DQ and VL", kAvx512},
    {"avx2", true, &CpuFeatures::avx2, "AVX2, FMA and F16C", kAvx2},
    {"neon", true, nullptr, "", kNeon},
    {"scalar", true, nullptr, "", scalar_ops},
    {"emulated16", false, &CpuFeatures::avx2, "AVX2, FMA and F16C", kEmulated16},
    {"emulated16bf16", false, &CpuFeatures::avx2, "AVX2, FMA and F16C", kEmulated16Bf16},
}};

bool supported(const Entry& entry) {
    return entry.needs == nullptr || cpu_features().*entry.needs;
}
bool runnable(const Entry& entry) {
    return entry.make != nullptr && supported(entry);
}

// Tables are made once, and only those that can run: making one executes code compiled for its ISA.
const Ops& table(size_t index) {
    static const std::array<Ops, kEntries.size()> tables = [] {
        std::array<Ops, kEntries.size()> made{};
        for (size_t i = 0; i < made.size(); ++i)
            if (runnable(kEntries[i])) made[i] = kEntries[i].make();
        return made;
    }();
    return tables[index];
}

std::string known_names() {
    std::string names;
    for (const Entry& entry : kEntries)
        if (entry.make != nullptr) names += (names.empty() ? "" : ", ") + std::string(entry.name);
    return names;
}

}  // namespace

std::vector<IsaInfo> list_isas() {
    std::vector<IsaInfo> list;
    for (const Entry& entry : kEntries)
        list.push_back({entry.name, entry.make != nullptr, entry.native, runnable(entry)});
    return list;
}

const Ops& cpu_ops(const std::string& wanted) {
    for (size_t i = 0; i < kEntries.size(); ++i) {
        const Entry& entry = kEntries[i];
        if (wanted.empty() ? !(entry.native && runnable(entry)) : wanted != entry.name) continue;
        require(entry.make != nullptr, Code::Backend, "The instruction set ", wanted,
                " is not compiled into this library. Expected one of: ", known_names(), ".");
        require(supported(entry), Code::Backend, "The instruction set ", wanted, " needs ", entry.needs_text,
                ", which this processor or operating system lacks. Leave the choice to attune, or use avx2 "
                "or scalar.");
        return table(i);
    }
    raise(Code::Option, "Unknown instruction set \"", wanted, "\". Expected one of: ", known_names(), ".");
}

}  // namespace attune
