// Parameters to and from row-major fp32, and fp32 to the compute dtype in the same layout.
// Whole quads of rows are transposed in registers; must not include a vec_*.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ops.h"
#include "cpu/gemm_pack.h"
#include "cpu/rows_io.h"

namespace attune {
namespace {

inline constexpr int64_t kConvertBlock = 32768;  // elements per task of a flat buffer

template <class V, class To, class From>
void convert_flat(To* target, const From* source, int64_t n, Stream* stream) {
    parallel_blocks(stream, n, kConvertBlock, [&](int64_t first, int64_t count) {
        over_columns<V>(count, [&](int64_t c, auto lanes) {
            store<V>(target + first + c, load<V>(source + first + c, lanes), lanes);
        });
    });
}

// One panel and the rows of it that a call covers.
template <class T>
struct PanelPart {
    T* panel;  // [K'][32] or [K'/2][32][2]
    int64_t K;
    int64_t first;  // rows [first, last) of 32
    int64_t last;

    static constexpr int64_t kPerWord = 4 / static_cast<int64_t>(sizeof(T));  // k per word
    static constexpr int64_t kPerQuad = kQuad * kPerWord;
    T& at(int64_t n, int64_t k) const { return panel[(k / kPerWord * kPanel + n) * kPerWord + k % kPerWord]; }
    bool whole(int64_t n) const { return n >= first && n + kQuad <= last; }  // rows [n, n + 4)
};

template <class T>
void import_quad(const PanelPart<T>& part, const float* source, int64_t n) {
    const int64_t words = even(part.K) / part.kPerWord;
    for (int64_t word = 0; word < words; word += kQuad) {
        const int64_t k = word * part.kPerWord;
        const int64_t rest = std::min(part.kPerQuad, part.K - k);
        Quad quad[kQuad];
        for (int64_t i = 0; i < kQuad; ++i) {
            const float* row = source + (n - part.first + i) * part.K + k;
            if (rest == part.kPerQuad) {
                quad[i] = load_words<T>(row);
            } else {
                float tail[PanelPart<T>::kPerQuad] = {};
                for (int64_t j = 0; j < rest; ++j) tail[j] = row[j];
                quad[i] = load_words<T>(tail);
            }
        }
        transpose(quad);
        for (int64_t j = 0; j < std::min(kQuad, words - word); ++j)
            store_quad(part.panel + ((word + j) * kPanel + n) * part.kPerWord, quad[j]);
    }
}

// source: rows [first, last) of the panel, row-major. `pad`: rows from last on belong to no parameter and
// become zero.
template <class T>
void import_panel(const PanelPart<T>& part, const float* source, bool pad) {
    for (int64_t n = 0; n < kPanel; n += kQuad) {
        if (part.whole(n)) {
            import_quad(part, source, n);
            continue;
        }
        for (int64_t row = n; row < n + kQuad; ++row) {
            const bool inside = row >= part.first && row < part.last;
            if (!inside && !(pad && row >= part.last)) continue;
            for (int64_t k = 0; k < even(part.K); ++k) {
                const float value = inside && k < part.K ? source[(row - part.first) * part.K + k] : 0.0f;
                if constexpr (sizeof(T) == 2)
                    part.at(row, k) = float_to_bf16(value);
                else
                    part.at(row, k) = value;
            }
        }
    }
}

template <class T>
void export_quad(const PanelPart<const T>& part, float* target, int64_t n) {
    for (int64_t k = 0; k < part.K; k += part.kPerQuad) {
        const int64_t rest = std::min(part.kPerQuad, part.K - k);
        const int64_t words = divide_up(rest, part.kPerWord);
        Quad quad[kQuad] = {};
        for (int64_t i = 0; i < words; ++i)
            quad[i] = load_quad(part.panel + ((k / part.kPerWord + i) * kPanel + n) * part.kPerWord);
        transpose(quad);
        for (int64_t j = 0; j < kQuad; ++j) {
            float* row = target + (n - part.first + j) * part.K + k;
            Quad values[2] = {quad[j], quad[j]};
            if constexpr (sizeof(T) == 2) widen(quad[j], values[0], values[1]);
            std::memcpy(row, values, static_cast<size_t>(rest) * 4);
        }
    }
}

template <class T>
void export_panel(const PanelPart<const T>& part, float* target) {
    for (int64_t n = 0; n < kPanel; n += kQuad) {
        if (part.whole(n)) {
            export_quad<T>(part, target, n);
            continue;
        }
        for (int64_t row = std::max(n, part.first); row < std::min(n + kQuad, part.last); ++row)
            for (int64_t k = 0; k < part.K; ++k) {
                float& out = target[(row - part.first) * part.K + k];
                if constexpr (sizeof(T) == 2)
                    out = bf16_to_float(part.at(row, k));
                else
                    out = part.at(row, k);
            }
    }
}

// body(part, offset of its first row among the call's rows), a panel to a task
template <class T, class Body>
void over_panels(T* data, int64_t K, int64_t first, int64_t rows, Stream* stream, Body&& body) {
    const int64_t begin = first / kPanel, end = divide_up(first + rows, kPanel);
    stream->pool->parallel(end - begin, [&](int64_t task, int) {
        const int64_t start = (begin + task) * kPanel;  // first row of the panel
        const int64_t low = std::max(first, start), high = std::min(first + rows, start + kPanel);
        body(PanelPart<T>{data + start * even(K), K, low - start, high - start}, low - first);
    });
}

template <class V>
Status weight_import(void* weight, DType dtype, Layout layout, int64_t N, int64_t K, int64_t first,
                     int64_t rows, const float* source, Stream* stream) {
    if (!is_row_range(N, K, first, rows)) return Status::Shape;
    if (rows == 0 || K == 0) return Status::Ok;
    with_element(dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        auto* data = static_cast<T*>(weight);
        if (layout == Layout::Rows) return convert_flat<V>(data + first * K, source, rows * K, stream);
        over_panels(data, K, first, rows, stream, [&](const PanelPart<T>& part, int64_t offset) {
            import_panel(part, source + offset * K, first + rows == N);
        });
    });
    return Status::Ok;
}

template <class V>
Status weight_export(float* target, Weight weight, int64_t first, int64_t rows, Stream* stream) {
    if (!is_row_range(weight.N, weight.K, first, rows)) return Status::Shape;
    if (rows == 0 || weight.K == 0) return Status::Ok;
    with_element(weight.dtype, [&](auto element) {
        using T = typename decltype(element)::Type;
        const auto* data = static_cast<const T*>(weight.data);
        const int64_t K = weight.K;
        if (weight.layout == Layout::Rows) return convert_flat<V>(target, data + first * K, rows * K, stream);
        over_panels(data, K, first, rows, stream, [&](const PanelPart<const T>& part, int64_t offset) {
            export_panel<T>(part, target + offset * K);
        });
    });
    return Status::Ok;
}

template <class V>
Status weight_convert(void* target, DType dtype, const float* source, Layout layout, int64_t N, int64_t K,
                      Stream* stream) {
    if (N < 0 || K < 0) return Status::Shape;
    const int64_t elements = layout_elements(layout, N, K);
    if (dtype == DType::F32) {
        convert_flat<V>(static_cast<float*>(target), source, elements, stream);
    } else if (layout == Layout::Rows) {
        convert_flat<V>(static_cast<bf16_t*>(target), source, elements, stream);
    } else {  // rows k and k + 1 of 32 become one row of pairs
        parallel_blocks(stream, elements, kConvertBlock, [&](int64_t begin, int64_t count) {
            auto* out = static_cast<bf16_t*>(target);
            for (int64_t i = begin; i < begin + count; i += 2 * kPanel)
                for (int64_t n = 0; n < kPanel; n += V::kLanes)
                    V::store_pairs(out + i + 2 * n, V::load(source + i + n),
                                   V::load(source + i + kPanel + n));
        });
    }
    return Status::Ok;
}

}  // namespace
}  // namespace attune
