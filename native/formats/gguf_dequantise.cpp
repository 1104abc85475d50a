// Decodes GGUF blocks with fixed-length inner loops that the compiler vectorises on every target.
// Reads blocks, writes floats, nothing else.
#include "formats/gguf_dequantise.h"

#include <algorithm>
#include <cstring>

#include "formats/half_float.h"

// A multiplication followed by an addition rounds twice here, as the gguf package does.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

namespace attune {

namespace {

float load_half(const uint8_t* x) noexcept {
    uint16_t half;
    std::memcpy(&half, x, sizeof half);
    return half_to_float(half);
}

// y[32] = q[32] * scale, q is the low nibbles of x[16], then the high ones, minus `zero`
inline void nibbles_scaled(float* __restrict y, const uint8_t* __restrict x, float scale, int zero) noexcept {
    for (int i = 0; i < 16; ++i) y[i] = static_cast<float>((x[i] & 15) - zero) * scale;
    for (int i = 0; i < 16; ++i) y[i + 16] = static_cast<float>((x[i] >> 4) - zero) * scale;
}

// Q5 blocks are unpacked to bytes this many at a time: reading a byte array back as vectors right after it
// was written in words would wait for those stores.
constexpr int64_t five_bit_batch = 16;

// Eight bytes of 0 or 16: bit i of `bits` decides byte i.
inline uint64_t spread_fifth_bits(uint8_t bits) noexcept {
    // Byte i keeps bit i only; adding 0x7f carries any bit into the top one, which then moves to bit 4.
    const uint64_t kept = (bits * uint64_t{0x0101010101010101}) & uint64_t{0x8040201008040201};
    return ((kept + uint64_t{0x7f7f7f7f7f7f7f7f}) >> 3) & uint64_t{0x1010101010101010};
}

// q[32] = low nibbles of x[16], then the high ones, each with its fifth bit out of bits[4]
inline void five_bit_values(uint8_t* q, const uint8_t* bits, const uint8_t* x) noexcept {
    for (int word = 0; word < 4; ++word) {
        uint64_t nibbles;
        std::memcpy(&nibbles, x + (word & 1) * 8, sizeof nibbles);
        nibbles = (nibbles >> (word / 2 * 4)) & uint64_t{0x0f0f0f0f0f0f0f0f};
        nibbles |= spread_fifth_bits(bits[word]);
        std::memcpy(q + word * 8, &nibbles, sizeof nibbles);
    }
}

// Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minima in 12 bytes.
struct ScalesAndMinima {
    uint8_t scale[8];
    uint8_t minimum[8];
};

inline ScalesAndMinima unpack_scales(const uint8_t* x) noexcept {
    ScalesAndMinima out;
    for (int i = 0; i < 4; ++i) {
        out.scale[i] = x[i] & 63;
        out.minimum[i] = x[i + 4] & 63;
        out.scale[i + 4] = static_cast<uint8_t>((x[i + 8] & 15) | ((x[i] >> 6) << 4));
        out.minimum[i + 4] = static_cast<uint8_t>((x[i + 8] >> 4) | ((x[i + 4] >> 6) << 4));
    }
    return out;
}

}  // namespace

// d: half, q: 16 bytes of two; value = (q - 8) * d
void dequantise_q4_0(float* y, const uint8_t* x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 32, x += 18)
        nibbles_scaled(y, x + 2, load_half(x), 8);
}

// d, m: halves, q: 16 bytes of two; value = q * d + m
void dequantise_q4_1(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 32, x += 20) {
        const float scale = load_half(x);
        const float minimum = load_half(x + 2);
        for (int i = 0; i < 16; ++i) y[i] = static_cast<float>(x[4 + i] & 15) * scale + minimum;
        for (int i = 0; i < 16; ++i) y[i + 16] = static_cast<float>(x[4 + i] >> 4) * scale + minimum;
    }
}

// d: half, fifth bits: 4 bytes, q: 16 bytes of two; value = (q - 16) * d
void dequantise_q5_0(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    uint8_t q[five_bit_batch * 32];
    while (blocks > 0) {
        const int64_t batch = std::min(blocks, five_bit_batch);
        for (int64_t b = 0; b < batch; ++b) five_bit_values(q + b * 32, x + b * 22 + 2, x + b * 22 + 6);
        for (int64_t b = 0; b < batch; ++b, y += 32, x += 22) {
            const float scale = load_half(x);
            for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(q[b * 32 + i] - 16) * scale;
        }
        blocks -= batch;
    }
}

// d, m: halves, fifth bits: 4 bytes, q: 16 bytes of two; value = q * d + m
void dequantise_q5_1(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    uint8_t q[five_bit_batch * 32];
    while (blocks > 0) {
        const int64_t batch = std::min(blocks, five_bit_batch);
        for (int64_t b = 0; b < batch; ++b) five_bit_values(q + b * 32, x + b * 24 + 4, x + b * 24 + 8);
        for (int64_t b = 0; b < batch; ++b, y += 32, x += 24) {
            const float scale = load_half(x);
            const float minimum = load_half(x + 2);
            for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(q[b * 32 + i]) * scale + minimum;
        }
        blocks -= batch;
    }
}

// d: half, q: 32 signed bytes; value = q * d
void dequantise_q8_0(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 32, x += 34) {
        const float scale = load_half(x);
        for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(static_cast<int8_t>(x[2 + i])) * scale;
    }
}

// d, dmin: halves, 12 bytes of scales and minima, q: 128 bytes; 64 values share 32 bytes (low nibbles, then
// high); value = q * (d * scale) - dmin * minimum
void dequantise_q4_k(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 256, x += 144) {
        const float d = load_half(x);
        const float d_minimum = load_half(x + 2);
        const ScalesAndMinima six_bits = unpack_scales(x + 4);
        for (int part = 0; part < 8; ++part) {
            const float scale = d * static_cast<float>(six_bits.scale[part]);
            const float minimum = d_minimum * static_cast<float>(six_bits.minimum[part]);
            const uint8_t* q = x + 16 + (part / 2) * 32;
            const int shift = (part & 1) * 4;
            float* out = y + part * 32;
            for (int i = 0; i < 32; ++i) out[i] = static_cast<float>((q[i] >> shift) & 15) * scale - minimum;
        }
    }
}

// As Q4_K with 32 bytes of fifth bits before q: bit `part` of byte i belongs to value i of that part.
void dequantise_q5_k(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 256, x += 176) {
        const float d = load_half(x);
        const float d_minimum = load_half(x + 2);
        const ScalesAndMinima six_bits = unpack_scales(x + 4);
        const uint8_t* fifth = x + 16;
        for (int part = 0; part < 8; ++part) {
            const float scale = d * static_cast<float>(six_bits.scale[part]);
            const float minimum = d_minimum * static_cast<float>(six_bits.minimum[part]);
            const uint8_t* q = x + 48 + (part / 2) * 32;
            const int shift = (part & 1) * 4;
            float* out = y + part * 32;
            for (int i = 0; i < 32; ++i) {
                const int value = ((q[i] >> shift) & 15) | (((fifth[i] >> part) & 1) << 4);
                out[i] = static_cast<float>(value) * scale - minimum;
            }
        }
    }
}

// low: 128 bytes, high: 64 bytes, 16 signed scales, d: half. Half h of the block (128 values) uses low[64 h
// ..] and high[32 h ..]: its quarter k takes the low (k < 2) or high nibbles of 32 bytes and bits 2k of the
// high bytes; value = (q - 32) * (d * scale), a scale for every 16 values
void dequantise_q6_k(float* __restrict y, const uint8_t* __restrict x, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block, y += 256, x += 210) {
        const float d = load_half(x + 208);
        for (int part = 0; part < 16; ++part) {
            const int half = part / 8;
            const int quarter = (part / 2) & 3;
            const int first = (part & 1) * 16;
            const uint8_t* low = x + half * 64 + (quarter & 1) * 32 + first;
            const uint8_t* high = x + 128 + half * 32 + first;
            const int low_shift = (quarter / 2) * 4;
            const int high_shift = quarter * 2;
            const float scale = d * static_cast<float>(static_cast<int8_t>(x[192 + part]));
            float* out = y + part * 16;
            for (int i = 0; i < 16; ++i) {
                const int value = ((low[i] >> low_shift) & 15) | (((high[i] >> high_shift) & 3) << 4);
                out[i] = static_cast<float>(value - 32) * scale;
            }
        }
    }
}

}  // namespace attune
