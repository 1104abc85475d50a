// One function lays the arena out; called without memory it only counts, so the plan and the allocation
// cannot differ.
#include "model/activations.h"

#include <algorithm>

namespace attune {

namespace {

struct Cursor {
    std::byte* base;
    size_t used = 0;

    void* take(size_t bytes) {
        void* at = base == nullptr ? nullptr : base + used;
        used += (bytes + 63) / 64 * 64;
        return at;
    }
    Mat matrix(DType dtype, int64_t rows, int64_t cols) {
        return {take(static_cast<size_t>(rows * cols * dtype_size(dtype))), dtype, rows, cols, cols};
    }
    float* floats(int64_t count) {
        return static_cast<float*>(take(static_cast<size_t>(count) * sizeof(float)));
    }
};

LayerActivations layer_memory(Cursor& cursor, const ModelConfig& c, DType dtype, int64_t rows,
                              int64_t up_width) {
    LayerActivations layer;
    if (c.qk_norm) {
        layer.qkv_before_norm = cursor.matrix(dtype, rows, c.qkv_width());
        layer.q_rstd = cursor.floats(rows * c.heads);
        layer.k_rstd = cursor.floats(rows * c.kv_heads);
    }
    layer.qkv = cursor.matrix(dtype, rows, c.qkv_width());
    layer.attention = cursor.matrix(dtype, rows, c.heads * c.head_width);
    layer.middle = cursor.matrix(dtype, rows, c.width);
    layer.up = cursor.matrix(dtype, rows, up_width);
    layer.lse = cursor.floats(rows * c.heads);
    layer.rstd1 = cursor.floats(rows);
    layer.rstd2 = cursor.floats(rows);
    if (c.family == Family::Gpt2) {
        layer.mean1 = cursor.floats(rows);
        layer.mean2 = cursor.floats(rows);
    }
    return layer;
}

}  // namespace

size_t Activations::lay_out(const ModelConfig& c, DType dtype, int64_t rows, bool keep, std::byte* base) {
    Cursor cursor{base};
    const int64_t up_width = c.family == Family::Gpt2 ? c.mlp_width : 2 * c.mlp_width;
    layers.assign(static_cast<size_t>(c.layers), {});
    const auto residual = [&] { return cursor.matrix(dtype, rows, c.width); };
    if (keep) {
        for (LayerActivations& layer : layers) {
            const Mat input = residual();
            layer = layer_memory(cursor, c, dtype, rows, up_width);
            layer.input = input;
        }
        output = residual();
    } else {
        // Two residual buffers take turns; everything else is shared by all layers.
        const Mat even = residual();
        const Mat odd = residual();
        const LayerActivations shared = layer_memory(cursor, c, dtype, rows, up_width);
        for (size_t i = 0; i < layers.size(); ++i) {
            layers[i] = shared;
            layers[i].input = i % 2 == 0 ? even : odd;
        }
        output = layers.size() % 2 == 0 ? even : odd;
    }
    normed = residual();
    hidden = cursor.matrix(dtype, rows, c.mlp_width);
    if (keep) {
        d_output = cursor.matrix(DType::F32, rows, c.width);
        d_normed = cursor.matrix(DType::F32, rows, c.width);
        d_wide = cursor.matrix(DType::F32, rows, std::max(up_width, c.qkv_width()));
        d_narrow = cursor.matrix(DType::F32, rows, std::max(c.mlp_width, c.heads * c.head_width));
        if (c.qk_norm) d_qkv = cursor.matrix(DType::F32, rows, c.qkv_width());
    }
    return cursor.used;
}

size_t Activations::bytes(const ModelConfig& config, DType dtype, int64_t rows, bool keep) {
    Activations counting;
    return counting.lay_out(config, dtype, rows, keep, nullptr);
}

void Activations::prepare(const ModelConfig& config, DType dtype, int64_t rows, bool keep, const Ops& ops,
                          Stream& stream) {
    const size_t needed = lay_out(config, dtype, rows, keep, nullptr);
    arena_.grow(ops, stream, needed);
    arena_bytes_ = std::max(arena_bytes_, needed);
    lay_out(config, dtype, rows, keep, arena_.data());
}

}  // namespace attune
