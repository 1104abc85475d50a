// A low-rank adapter (LoRA, Hu et al. 2021, arXiv 2106.09685) of a model's linear maps: W becomes W + scale B
// A. Knows names, places and memory; the mathematics are ops, the passes are the trunk's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/gradients.h"
#include "model/spec.h"
#include "model/trunk.h"
#include "model/weights.h"

namespace attune {

// PEFT's name of an adapter's own score heads.
constexpr const char* kScoreName = "base_model.model.score.weight";

struct AdapterConfig {
    int64_t rank = 16;
    double alpha = 32;
    bool rs_lora = false;              // scale alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732)
    std::vector<std::string> modules;  // full names, a choice of linear_modules()
    int64_t score_heads = 0;           // heads of its own, in place of the base's; 0 = none

    double scale() const;
};

// Names of the linear layers as PEFT spells them ("model.layers.0.self_attn.q_proj"), in the model's order.
std::vector<std::string> linear_modules(const ModelConfig& config, const ModelSpec& base);

// A and B of every module under PEFT's names; the factors of parts of one map lie together. Throws
// Code::Option.
ModelSpec adapter_spec(const ModelConfig& config, const ModelSpec& base, const AdapterConfig& adapter);

class Adapter {
  public:
    // All values are zero.
    Adapter(const ModelConfig& config, const ModelSpec& base, const AdapterConfig& adapter, const Ops& ops,
            Stream& stream);
    Adapter(const Adapter&) = delete;
    Adapter& operator=(const Adapter&) = delete;

    const AdapterConfig& config() const { return config_; }
    const ModelSpec& spec() const { return spec_; }
    Weights& weights() { return weights_; }
    const Weights& weights() const { return weights_; }
    // [K,C] of its own; null without.
    const TensorSpec* score_head() const { return score_; }

    // A uniform within 1 / sqrt(K) (Kaiming with a = sqrt(5), as PEFT), B zero. Philox(seed; init).
    void initialise(uint64_t seed, const Ops& ops, Stream& stream);
    // B = 0: the adapter changes nothing.
    bool changes_nothing(const Ops& ops, Stream& stream) const;

    // Memory of h for `rows` trunk rows: of every map when backward will follow, else of one.
    void prepare(int64_t rows, bool keep, const Ops& ops, Stream& stream);
    int64_t planned_bytes(int64_t rows, bool keep) const;
    int64_t allocated_bytes() const { return arena_ ? static_cast<int64_t>(arena_bytes_) : 0; }

    // The term of that map, or null where it has none.
    const LowRank* term(size_t layer, LinearMap map) const;
    // [rows, parts*rank]: x A^T of the last forward pass.
    Mat h(size_t layer, LinearMap map) const;
    // [rows, parts*rank]: work space of a backward pass.
    Mat dh(size_t layer, LinearMap map) const;
    // Where the term's gradients lie.
    WeightGrad a_gradient(size_t layer, LinearMap map, Stream& stream) const;
    WeightGrad b_gradient(size_t layer, LinearMap map, Stream& stream) const;
    // The trained set's gradients; null while it is not trained.
    void bind_gradients(Gradients* gradients) { gradients_ = gradients; }

  private:
    struct Map {
        const TensorSpec* a = nullptr;
        const TensorSpec* b = nullptr;
        std::vector<LowRankPart> parts;
        LowRank term;
        Mat h;
    };
    const Map& at(size_t layer, LinearMap map) const { return maps_[layer * 4 + static_cast<size_t>(map)]; }

    AdapterConfig config_;
    ModelSpec spec_;
    Weights weights_;
    const TensorSpec* score_ = nullptr;
    std::vector<Map> maps_;  // [layers][4]
    int64_t widest_ = 0;     // columns of the widest h
    Gradients* gradients_ = nullptr;
    TensorMemory arena_;
    size_t arena_bytes_ = 0;
    Mat dh_;  // [rows, widest]
};

}  // namespace attune
