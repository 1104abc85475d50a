// Packs GEMM operands from row-major activations and from live weight panels (forms: gemm_kernel.h).
// Everything moves in 128-bit words of the compiler's vector extension, so it is the same on every ISA. Must
// not include a vec_*.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "core/ops.h"
#include "cpu/gemm_kernel.h"

namespace attune {
namespace {

// Four 32-bit words: floats, or bf16 pairs.
using Quad = uint32_t __attribute__((vector_size(16)));
inline constexpr int64_t kQuad = 4;

template <class T>
Quad load_quad(const T* p) {
    Quad quad;
    std::memcpy(&quad, p, sizeof(quad));
    return quad;
}
template <class T>
void store_quad(T* p, Quad quad) {
    std::memcpy(p, &quad, sizeof(quad));
}

// Floats p[0, n) = or += the quad's.
inline void store_floats(float* p, Quad quad, int64_t n, bool add) {
    using Floats = float __attribute__((vector_size(16)));
    if (n == kQuad) {
        Floats value = reinterpret_cast<Floats>(quad);
        if (add) value = reinterpret_cast<Floats>(load_quad(p)) + value;
        store_quad(p, reinterpret_cast<Quad>(value));
        return;
    }
    for (int64_t i = 0; i < n; ++i) {
        const float value = std::bit_cast<float>(quad[i]);
        p[i] = add ? p[i] + value : value;
    }
}

inline void transpose(Quad (&q)[4]) {
    const Quad a = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5);
    const Quad b = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7);
    const Quad c = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
    const Quad d = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
    q[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    q[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    q[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    q[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

// Eight bf16 values as floats.
inline void widen(Quad pairs, Quad& first, Quad& second) {
    const Quad low = pairs << 16;
    const Quad high = pairs & 0xffff0000u;
    first = __builtin_shufflevector(low, high, 0, 4, 1, 5);
    second = __builtin_shufflevector(low, high, 2, 6, 3, 7);
}

// Bits of floats rounded to nearest even at bit 16; the upper half is the bf16 value (as float_to_bf16).
inline Quad rounded(Quad bits) {
    const Quad nan = reinterpret_cast<Quad>((bits & 0x7fffffffu) > 0x7f800000u);
    const Quad even_up = bits + 0x7fffu + ((bits >> 16) & 1u);
    return (nan & (bits | 0x400000u)) | (~nan & even_up);
}

// Word w of a row: for To = float element w, for To = bf16_t elements 2w and 2w+1 (0 beyond n).
template <class To, class From>
Quad load_words(const From* p) {
    if constexpr (sizeof(To) == sizeof(From)) {
        return load_quad(p);
    } else if constexpr (sizeof(To) == 4) {  // four bf16 values to floats
        return Quad{p[0], p[1], p[2], p[3]} << 16;
    } else {  // eight floats to bf16 pairs
        const Quad a = rounded(load_quad(p)), b = rounded(load_quad(p + kQuad));
        const Quad low = __builtin_shufflevector(a, b, 0, 2, 4, 6);
        const Quad high = __builtin_shufflevector(a, b, 1, 3, 5, 7);
        return (low >> 16) | (high & 0xffff0000u);
    }
}

// [padded][kLanes], a micropanel or a panel, from row-major rows [count <= kLanes][depth]; l in [depth,
// padded) is zero, lanes of absent rows repeat the last row, and nothing is done with them. In bf16, padded
// is even and the form [padded/2][kLanes][2].
template <int64_t kLanes, class To, class From>
void pack_rows(To* out, const From* rows, int64_t stride, int64_t count, int64_t depth, int64_t padded) {
    constexpr int64_t kPerWord = 4 / static_cast<int64_t>(sizeof(To));  // l per word
    constexpr int64_t kPerQuad = kQuad * kPerWord;
    constexpr size_t kRest = kLanes % kQuad * 4;  // bytes of a last, partial quad of lanes
    const int64_t words = padded / kPerWord;
    for (int64_t lane = 0; lane < kLanes; lane += kQuad) {
        const From* source[kQuad];
        for (int64_t i = 0; i < kQuad; ++i) source[i] = rows + std::min(lane + i, count - 1) * stride;
        for (int64_t word = 0; word < words; word += kQuad) {
            const int64_t l = word * kPerWord;
            Quad quad[kQuad];
            if (depth - l >= kPerQuad) {
                for (int64_t i = 0; i < kQuad; ++i) quad[i] = load_words<To>(source[i] + l);
            } else {
                for (int64_t i = 0; i < kQuad; ++i) {
                    From tail[kPerQuad] = {};
                    for (int64_t j = 0; j < depth - l; ++j) tail[j] = source[i][l + j];
                    quad[i] = load_words<To>(tail);
                }
            }
            transpose(quad);
            const int64_t last = std::min(kQuad, words - word);
            for (int64_t j = 0; j < last; ++j) {
                To* target = out + ((word + j) * kLanes + lane) * kPerWord;
                if (lane + kQuad <= kLanes)
                    store_quad(target, quad[j]);
                else
                    std::memcpy(target, &quad[j], kRest);
            }
        }
    }
}

// Word i of a row of columns: a float, or the bf16 pair of this row and the next.
template <class To, class From>
uint32_t column_word(const From* row, const From* next, int64_t i) {
    if constexpr (sizeof(To) == 2 && sizeof(From) == 4)
        return float_to_bf16(row[i]) | static_cast<uint32_t>(float_to_bf16(next[i])) << 16;
    else if constexpr (sizeof(To) == 2)
        return row[i] | static_cast<uint32_t>(next[i]) << 16;
    else if constexpr (sizeof(From) == 2)
        return static_cast<uint32_t>(row[i]) << 16;
    else
        return std::bit_cast<uint32_t>(row[i]);
}

// The same micropanel from columns: out[l][i] = x[l][i], i < count <= kTileRows, l < rows; zero in l >= rows.
// To and From: float and float, float and bf16 (widened), or bf16 (pairs of l) and either.
template <class V, class To, class From>
void pack_columns(To* out, const From* x, int64_t stride, int64_t count, int64_t rows, int64_t padded) {
    constexpr int64_t kLanes = kTileRows<V>;
    constexpr int64_t kPairs = 4 / static_cast<int64_t>(sizeof(To));
    const From zeros[kLanes] = {};
    for (int64_t l = 0; l < padded; l += kPairs) {
        const From* row = l < rows ? x + l * stride : zeros;
        if (sizeof(To) == sizeof(From) && kPairs == 1 && count == kLanes) {
            std::memcpy(out + l * kLanes, row, sizeof(To) * kLanes);
            continue;
        }
        const From* next = l + 1 < rows ? x + (l + 1) * stride : zeros;
        uint32_t words[kLanes] = {};
        if (count == kLanes)  // a constant number, to be turned into vectors
            for (int64_t i = 0; i < kLanes; ++i) words[i] = column_word<To>(row, next, i);
        else
            for (int64_t i = 0; i < count; ++i) words[i] = column_word<To>(row, next, i);
        std::memcpy(out + l * kLanes, words, sizeof(words));
    }
}

// One panel [rows][32] from columns: out[l][j] = dy[l][j], j < count <= 32; zero elsewhere. In bf16 the form
// is [ceil(rows/2)][32][2].
template <class V, class To, class From>
void pack_panel(To* out, const From* dy, int64_t stride, int64_t count, int64_t rows) {
    constexpr int64_t kPairs = sizeof(To) == 2 ? 2 : 1;
    for (int64_t l = 0; l < rows; l += kPairs) {
        const From* row = dy + l * stride;
        for (int64_t column = 0; column < kPanel; column += V::kLanes) {
            const int64_t n = count - column;
            const auto load = [&](const From* p) {
                return n >= V::kLanes ? V::load(p + column) : n > 0 ? V::load(p + column, n) : V::zero();
            };
            To* target = out + (l * kPanel + column * kPairs);
            if constexpr (kPairs == 2)
                V::store_pairs(target, load(row), l + 1 < rows ? load(row + stride) : V::zero());
            else
                load(row).store(target);
        }
    }
}

alignas(64) inline constexpr uint32_t kZeroWords[kPanel] = {};

// Four words per row n (4 or 8 consecutive k, transposed already) to rows n, n+1, ... of a panel of the
// transpose.
template <class To, class From>
void store_transposed(To* out, Quad (&quad)[4], int64_t n, int64_t k) {
    for (int64_t j = 0; j < kQuad; ++j) {
        To* row = out + (n + j) * kPanel + k;
        if constexpr (sizeof(From) == 4) {
            store_quad(row, quad[j]);
        } else if constexpr (sizeof(To) == 4) {
            Quad first, second;
            widen(quad[j], first, second);
            store_quad(row, first);
            store_quad(row + kQuad, second);
        } else if (j % 2 == 0) {  // pairs along n: [n/2][32][2]
            const Quad low = (quad[j] & 0xffffu) | (quad[j + 1] << 16);
            const Quad high = (quad[j] >> 16) | (quad[j + 1] & 0xffff0000u);
            To* pairs = out + (n + j) * kPanel + k * 2;
            store_quad(pairs, __builtin_shufflevector(low, high, 0, 4, 1, 5));
            store_quad(pairs + 2 * kQuad, __builtin_shufflevector(low, high, 2, 6, 3, 7));
        }
    }
}

// 32 rows of a panel of W^T from live weights: out[n][j] = W[first + n][32 q + j] for n < 32 (first % 32 =
// 0). To and From: float and float, float and bf16 (widened), or bf16 and bf16 (pairs along n).
template <class To, class From>
void pack_transposed(To* out, const Weight& w, int64_t q, int64_t first) {
    constexpr int64_t kPerWord = 4 / static_cast<int64_t>(sizeof(From));  // k per word
    const int64_t word_rows = even(w.K) / kPerWord;
    const auto* panel = static_cast<const From*>(w.data) + first * even(w.K);
    for (int64_t word = 0; word < kPanel / kPerWord; word += kQuad) {
        const From* row[kQuad];
        for (int64_t i = 0; i < kQuad; ++i) {
            const int64_t index = q * (kPanel / kPerWord) + word + i;
            row[i] = index < word_rows ? panel + index * kPanel * kPerWord
                                       : reinterpret_cast<const From*>(kZeroWords);
        }
        for (int64_t n = 0; n < kPanel; n += kQuad) {
            Quad quad[kQuad];
            for (int64_t i = 0; i < kQuad; ++i) quad[i] = load_quad(row[i] + n * kPerWord);
            transpose(quad);
            store_transposed<To, From>(out, quad, n, word * kPerWord);
        }
    }
}

}  // namespace
}  // namespace attune
