// Four float lanes in portable C++ (compiler vector extension): no intrinsics, no machine flags, no fused
// multiply-add. Everything lives in an anonymous namespace: each ISA's object keeps its own copies. Include
// in one translation unit per ISA only; knows nothing of ops.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace attune {
namespace {

using Floats = float __attribute__((vector_size(16)));
using Words = int32_t __attribute__((vector_size(16)));
using UnsignedWords = uint32_t __attribute__((vector_size(16)));

struct Mask {
    Words bits;  // all ones or all zeros per lane

    static Mask first(int64_t n) {
        const int32_t count = n > 4 ? 4 : static_cast<int32_t>(n);
        return {Words{0, 1, 2, 3} < Words{count, count, count, count}};
    }
    bool any() const { return word() != 0; }
    bool all() const { return word() == 0xf; }
    uint32_t word() const {  // lane i in bit i
        const Words one = bits & Words{1, 2, 4, 8};
        return static_cast<uint32_t>(one[0] | one[1] | one[2] | one[3]);
    }
    friend Mask operator&(Mask a, Mask b) { return {a.bits & b.bits}; }
    friend Mask operator|(Mask a, Mask b) { return {a.bits | b.bits}; }
    friend Mask operator~(Mask a) { return {~a.bits}; }
};

// 8 bf16 values: lane i holds the pair (2i, 2i+1).
struct Pairs {
    UnsignedWords v;
};

struct Vec {
    static constexpr int64_t kLanes = 4;
    static constexpr bool kBf16Dot = false;
    static constexpr int kRegisters = 16;  // of kLanes floats each
    using Mask = attune::Mask;
    using Pairs = attune::Pairs;

    Floats v;

    static Vec zero() { return {Floats{0, 0, 0, 0}}; }
    static Vec set(float x) { return {Floats{x, x, x, x}}; }
    static Vec broadcast(const float* p, int i) { return set(p[i]); }  // p[i] in every lane
    static Vec iota() { return {Floats{0, 1, 2, 3}}; }

    // ---- memory; n < kLanes loads n values and zeros, stores n values
    static Vec load(const float* p) {
        Vec result;
        std::memcpy(&result.v, p, sizeof(Floats));
        return result;
    }
    static Vec load(const float* p, int64_t n) {
        Vec result = zero();
        for (int64_t lane = 0; lane < kLanes && lane < n; ++lane) result.v[lane] = p[lane];
        return result;
    }
    void store(float* p) const { std::memcpy(p, &v, sizeof(Floats)); }
    void store(float* p, int64_t n) const {
        for (int64_t lane = 0; lane < kLanes && lane < n; ++lane) p[lane] = v[lane];
    }
    static Vec load(const bf16_t* p) {
        return {reinterpret_cast<Floats>(UnsignedWords{p[0], p[1], p[2], p[3]} << 16)};
    }
    static Vec load(const bf16_t* p, int64_t n) {
        Vec result = zero();
        for (int64_t lane = 0; lane < kLanes && lane < n; ++lane) result.v[lane] = bf16_to_float(p[lane]);
        return result;
    }
    void store(bf16_t* p) const { store(p, kLanes); }
    void store(bf16_t* p, int64_t n) const {
        const UnsignedWords words = rounded_bits() >> 16;
        for (int64_t lane = 0; lane < kLanes && lane < n; ++lane) p[lane] = static_cast<bf16_t>(words[lane]);
    }
    // 2 * kLanes values: even[i] = p[2i], odd[i] = p[2i+1]
    static void load_pairs(const bf16_t* p, Vec& even, Vec& odd) { split(load_pairs_raw(p), even, odd); }
    static void store_pairs(bf16_t* p, Vec even, Vec odd) {
        const UnsignedWords words = (even.rounded_bits() >> 16) | (odd.rounded_bits() & 0xffff0000u);
        std::memcpy(p, &words, sizeof(words));
    }

    // ---- bf16 pairs as they are
    static Pairs load_pairs_raw(const bf16_t* p) {
        Pairs result;
        std::memcpy(&result.v, p, sizeof(UnsignedWords));
        return result;
    }
    static Pairs broadcast_pair(const bf16_t* p) {  // p[0], p[1] in every lane
        uint32_t pair;
        std::memcpy(&pair, p, 4);
        return {UnsignedWords{pair, pair, pair, pair}};
    }
    static void split(Pairs pairs, Vec& even, Vec& odd) {
        even.v = reinterpret_cast<Floats>(pairs.v << 16);
        odd.v = reinterpret_cast<Floats>(pairs.v & 0xffff0000u);
    }
    // sum[i] += a[2i] b[2i] + a[2i+1] b[2i+1]
    static void accumulate(Vec& sum, Pairs a, Pairs b) {
        Vec a_even, a_odd, b_even, b_odd;
        split(a, a_even, a_odd);
        split(b, b_even, b_odd);
        accumulate(sum, a_odd, b_odd);
        accumulate(sum, a_even, b_even);
    }

    // ---- arithmetic; fma rounds twice here
    friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
    friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
    friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
    friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
    static Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }  // a b + c
    static void accumulate(Vec& sum, Vec a, Vec b) { sum = fma(a, b, sum); }
    static Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }  // c - a b
    static Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }    // b where one is NaN
    static Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
    static Vec abs(Vec a) { return {reinterpret_cast<Floats>(reinterpret_cast<Words>(a.v) & 0x7fffffff)}; }
    static Vec sqrt(Vec a) {
        return {Floats{std::sqrt(a.v[0]), std::sqrt(a.v[1]), std::sqrt(a.v[2]), std::sqrt(a.v[3])}};
    }
    // Nearest even: adding and taking away 2^23 leaves no fraction bits. Larger values are whole already.
    static Vec round_to_int(Vec a) {
        const Vec size = abs(a);
        const Vec shift = set(8388608.0f);
        const Vec sign = a & set(-0.0f);
        return select(size < shift, ((size + shift) - shift) | sign, a);
    }
    // x 2^n, n integer, of normal x with a normal result (others: any value); NaN where both are NaN
    static Vec ldexp(Vec x, Vec n) {
        const Floats whole = (n.v >= -250.0f) & (n.v <= 250.0f) ? n.v : Floats{};  // what an integer holds
        const auto exponent = reinterpret_cast<UnsignedWords>(__builtin_convertvector(whole, Words));
        return from_words(reinterpret_cast<Words>(reinterpret_cast<UnsignedWords>(x.v) + (exponent << 23)));
    }
    // x = mantissa 2^exponent with mantissa in [1, 2), for normal positive x
    static void split_exponent(Vec x, Vec& mantissa, Vec& exponent) {
        const Words bits = reinterpret_cast<Words>(x.v);
        exponent.v = __builtin_convertvector((bits >> 23) - 127, Floats);
        mantissa.v = reinterpret_cast<Floats>((bits & 0x7fffff) | 0x3f800000);
    }

    // ---- comparison (false where one is NaN, ne: true) and bits
    friend Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
    friend Mask operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
    friend Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
    friend Mask operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
    friend Mask operator==(Vec a, Vec b) { return {a.v == b.v}; }
    friend Mask operator!=(Vec a, Vec b) { return {a.v != b.v}; }
    static Vec select(Mask m, Vec a, Vec b) { return {m.bits ? a.v : b.v}; }
    friend Vec operator&(Vec a, Vec b) { return from_words(a.words() & b.words()); }
    friend Vec operator|(Vec a, Vec b) { return from_words(a.words() | b.words()); }
    friend Vec operator^(Vec a, Vec b) { return from_words(a.words() ^ b.words()); }

    // ---- over lanes: 2+2, 1+1
    float reduce_add() const { return (v[0] + v[2]) + (v[1] + v[3]); }
    double reduce_add_double() const {
        return (static_cast<double>(v[0]) + static_cast<double>(v[2])) +
               (static_cast<double>(v[1]) + static_cast<double>(v[3]));
    }
    float reduce_max() const {
        const float a = v[0] > v[2] ? v[0] : v[2];
        const float b = v[1] > v[3] ? v[1] : v[3];
        return a > b ? a : b;
    }

  private:
    Words words() const { return reinterpret_cast<Words>(v); }
    static Vec from_words(Words words) { return {reinterpret_cast<Floats>(words)}; }
    // Bits rounded to nearest even at bit 16; the upper half is the bf16 value. NaN is kept (quiet).
    UnsignedWords rounded_bits() const {
        const UnsignedWords bits = reinterpret_cast<UnsignedWords>(v);
        const UnsignedWords rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
        return (v != v) ? (bits | 0x400000u) : rounded;
    }
};

}  // namespace
}  // namespace attune
