// What the ops of every backend ask of their operands' shapes. Internal linkage: files of one instruction set
// must not share functions with those of another.
#pragma once

#include <cstdint>

#include "core/ops.h"

namespace attune {
namespace {

inline bool well_formed(const ConstMat& m) {
    return m.rows >= 0 && m.cols >= 0 && (m.stride >= m.cols || m.rows <= 1) &&
           (m.data != nullptr || m.rows == 0 || m.cols == 0);
}
inline bool has_shape(const ConstMat& m, int64_t rows, int64_t cols) {
    return well_formed(m) && m.rows == rows && m.cols == cols;
}
// A gradient of activations: always fp32.
inline bool is_gradient(const ConstMat& m, int64_t rows, int64_t cols) {
    return has_shape(m, rows, cols) && m.dtype == DType::F32;
}

// indices[count] are within [0, limit).
inline bool indices_in(const int32_t* indices, int64_t count, int64_t limit) {
    for (int64_t i = 0; i < count; ++i)
        if (indices[i] < 0 || indices[i] >= limit) return false;
    return true;
}

// [first, first + rows) are rows of an N x K parameter.
inline bool is_row_range(int64_t N, int64_t K, int64_t first, int64_t rows) {
    return N >= 0 && K >= 0 && first >= 0 && rows >= 0 && first + rows <= N;
}

// Position of a segment's first row: 0, or the length of its prefix.
constexpr int64_t segment_offset(const Segment* segments, int64_t index) {
    const int32_t prefix = segments[index].prefix;
    return prefix < 0 ? 0 : int64_t{segments[prefix].length};
}

// False unless the segments cover [0, rows) in order, prefixes are earlier, unchained segments, and H, G, D
// fit.
inline bool attention_dims_fit(const AttentionDims& dims, int64_t rows) {
    if (dims.H <= 0 || dims.G <= 0 || dims.D <= 0 || dims.H % dims.G != 0 || dims.window < 0) return false;
    if (!(dims.scale > 0)) return false;
    if (dims.segment_count < 0 || (dims.segment_count > 0 && dims.segments == nullptr)) return false;
    int64_t next = 0;
    for (int64_t i = 0; i < dims.segment_count; ++i) {
        const Segment& segment = dims.segments[i];
        if (segment.start != next || segment.length <= 0) return false;
        if (segment.prefix < -1 || segment.prefix >= i) return false;
        if (segment.prefix >= 0 && dims.segments[segment.prefix].prefix >= 0) return false;
        next += segment.length;
    }
    return next == rows;
}

}  // namespace
}  // namespace attune
