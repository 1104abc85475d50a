// Memory of a forward and backward pass: one arena, laid out before the pass from the number of rows alone.
// Selective recompute: kept are each layer's input, q/k/v, attention output, middle residual and MLP
// pre-activation; norms and the MLP activation are computed again in backward.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/config.h"

namespace attune {

struct LayerActivations {
    Mat input;               // x [T,C]
    Mat qkv_before_norm;     // [T,(H+2G)D], only with q/k norm
    Mat qkv;                 // [T,(H+2G)D], rotated
    Mat attention;           // [T,H*D]
    Mat middle;              // [T,C], x + attention block
    Mat up;                  // [T,2F] (llama: gate | up) or [T,F] (gpt2: before GELU)
    float* lse = nullptr;    // [H,T]
    float* rstd1 = nullptr;  // [T]
    float* mean1 = nullptr;  // [T], LayerNorm only
    float* rstd2 = nullptr;
    float* mean2 = nullptr;
    float* q_rstd = nullptr;  // [T*H], q/k norm only
    float* k_rstd = nullptr;  // [T*G]
};

struct Activations {
    // keep: for a backward pass; else every layer reuses the same memory.
    static size_t bytes(const ModelConfig& config, DType dtype, int64_t rows, bool keep);
    // Lays out views for exactly `rows` rows, growing the arena when needed.
    void prepare(const ModelConfig& config, DType dtype, int64_t rows, bool keep, const Ops& ops,
                 Stream& stream);

    std::vector<LayerActivations> layers;
    Mat output;    // [T,C] after the last layer
    Mat normed;    // [T,C] scratch: norm output
    Mat hidden;    // [T,F] scratch: MLP activation
    Mat d_output;  // [T,C] fp32: gradient of the residual stream
    Mat d_normed;  // [T,C] fp32
    Mat d_wide;    // [T,max(2F or F, (H+2G)D)] fp32
    Mat d_narrow;  // [T,max(F, H*D)] fp32
    Mat d_qkv;     // [T,(H+2G)D] fp32, only with q/k norm (gradient before the norm)

    // Nothing where growing failed.
    size_t allocated_bytes() const { return arena_ ? arena_bytes_ : 0; }

  private:
    size_t lay_out(const ModelConfig& config, DType dtype, int64_t rows, bool keep, std::byte* base);
    TensorMemory arena_;
    size_t arena_bytes_ = 0;
};

}  // namespace attune
