// What a model is, in numbers: the normalised form of config.json or GGUF metadata, which TypeScript reads.
// Plain data; knows nothing of files or JSON.
#pragma once

#include <cstdint>
#include <string>

namespace attune {

constexpr int64_t kMostScoreHeads = 1024;

enum class Family { Llama, Gpt2 };

struct RopeScaling {
    bool llama3 = false;  // Llama 3's frequency-dependent scaling; false = none
    double factor = 1;
    double low_frequency_factor = 1;
    double high_frequency_factor = 4;
    double original_max_positions = 8192;
};

struct ModelConfig {
    Family family = Family::Llama;
    int64_t vocabulary = 0;
    int64_t width = 0;       // C
    int64_t layers = 0;      // L
    int64_t heads = 0;       // H
    int64_t kv_heads = 0;    // G
    int64_t head_width = 0;  // D
    int64_t mlp_width = 0;   // F
    int64_t max_positions = 0;
    float norm_epsilon = 1e-5f;
    double rope_base = 10000;
    RopeScaling rope_scaling;
    int64_t window = 0;  // sliding window, 0 = none
    bool qkv_bias = false;
    bool output_bias = false;  // of the attention's output map
    bool mlp_bias = false;
    bool qk_norm = false;
    bool tied = false;  // embedding and LM head are one matrix
    int64_t score_heads =
        0;  // scores of every state (labels of sequence classification) in place of the LM head
    // In a GGUF of the llama architecture the rows of q and k are permuted so that rotary pairs lie next to
    // each other.
    bool gguf_rope_pairs = false;

    int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_width; }
    // Throws Code::Model naming the first number that makes no sense.
    void check() const;
};

}  // namespace attune
