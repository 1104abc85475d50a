// The tensors of the llama family and of GPT-2, with their Hugging Face and GGUF names.
#include "model/spec.h"

#include <utility>

#include "core/error.h"

namespace attune {

namespace {

constexpr int64_t kAlign = 64;  // elements; keeps every tensor on a cache line in both dtypes

// One part that covers the whole tensor.
std::vector<TensorPart> whole(std::string name, std::string gguf, int64_t rows, bool transposed = false) {
    return {{std::move(name), std::move(gguf), 0, rows, transposed, 0}};
}

std::vector<TensorPart> qkv_parts(const ModelConfig& c, const std::string& hf, const std::string& gguf,
                                  const char* leaf) {
    const int64_t q = c.heads * c.head_width;
    const int64_t kv = c.kv_heads * c.head_width;
    const int64_t q_heads = c.gguf_rope_pairs ? c.heads : 0;
    const int64_t k_heads = c.gguf_rope_pairs ? c.kv_heads : 0;
    return {{hf + "self_attn.q_proj." + leaf, gguf + "attn_q." + leaf, 0, q, false, q_heads},
            {hf + "self_attn.k_proj." + leaf, gguf + "attn_k." + leaf, q, kv, false, k_heads},
            {hf + "self_attn.v_proj." + leaf, gguf + "attn_v." + leaf, q + kv, kv, false, 0}};
}

void llama_layer(ModelSpec& b, const ModelConfig& c, int64_t layer) {
    const std::string number = std::to_string(layer);
    const std::string at = "layers." + number + ".";
    const std::string hf = "model.layers." + number + ".";
    const std::string gguf = "blk." + number + ".";
    const int64_t heads_width = c.heads * c.head_width;
    b.place_vector(at + "norm1.weight", c.width,
                   whole(hf + "input_layernorm.weight", gguf + "attn_norm.weight", c.width));
    b.place_matrix(at + "qkv", c.qkv_width(), c.width, qkv_parts(c, hf, gguf, "weight"));
    if (c.qkv_bias) b.place_vector(at + "qkv.bias", c.qkv_width(), qkv_parts(c, hf, gguf, "bias"));
    if (c.qk_norm) {
        b.place_vector(at + "q_norm", c.head_width,
                       whole(hf + "self_attn.q_norm.weight", gguf + "attn_q_norm.weight", c.head_width));
        b.place_vector(at + "k_norm", c.head_width,
                       whole(hf + "self_attn.k_norm.weight", gguf + "attn_k_norm.weight", c.head_width));
    }
    b.place_matrix(at + "output", c.width, heads_width,
                   whole(hf + "self_attn.o_proj.weight", gguf + "attn_output.weight", c.width));
    if (c.output_bias)
        b.place_vector(at + "output.bias", c.width,
                       whole(hf + "self_attn.o_proj.bias", gguf + "attn_output.bias", c.width));
    b.place_vector(at + "norm2.weight", c.width,
                   whole(hf + "post_attention_layernorm.weight", gguf + "ffn_norm.weight", c.width));
    const auto gate_up = [&](const char* leaf) -> std::vector<TensorPart> {
        return {{hf + "mlp.gate_proj." + leaf, gguf + "ffn_gate." + leaf, 0, c.mlp_width, false, 0},
                {hf + "mlp.up_proj." + leaf, gguf + "ffn_up." + leaf, c.mlp_width, c.mlp_width, false, 0}};
    };
    b.place_matrix(at + "up", 2 * c.mlp_width, c.width, gate_up("weight"));
    if (c.mlp_bias) b.place_vector(at + "up.bias", 2 * c.mlp_width, gate_up("bias"));
    b.place_matrix(at + "down", c.width, c.mlp_width,
                   whole(hf + "mlp.down_proj.weight", gguf + "ffn_down.weight", c.width));
    if (c.mlp_bias)
        b.place_vector(at + "down.bias", c.width,
                       whole(hf + "mlp.down_proj.bias", gguf + "ffn_down.bias", c.width));
}

void gpt2_layer(ModelSpec& b, const ModelConfig& c, int64_t layer) {
    const std::string number = std::to_string(layer);
    const std::string at = "layers." + number + ".";
    const std::string hf = "transformer.h." + number + ".";
    const std::string gguf = "blk." + number + ".";
    const auto norm = [&](const char* ours, const char* theirs, const char* in_gguf) {
        for (const char* leaf : {"weight", "bias"})
            b.place_vector(at + ours + "." + leaf, c.width,
                           whole(hf + theirs + "." + leaf, gguf + in_gguf + "." + leaf, c.width));
    };
    const auto linear = [&](const char* ours, const char* theirs, const char* in_gguf, int64_t N, int64_t K) {
        b.place_matrix(at + ours, N, K, whole(hf + theirs + ".weight", gguf + in_gguf + ".weight", N, true));
        b.place_vector(at + ours + ".bias", N, whole(hf + theirs + ".bias", gguf + in_gguf + ".bias", N));
    };
    norm("norm1", "ln_1", "attn_norm");
    linear("qkv", "attn.c_attn", "attn_qkv", 3 * c.width, c.width);
    linear("output", "attn.c_proj", "attn_output", c.width, c.width);
    norm("norm2", "ln_2", "ffn_norm");
    linear("up", "mlp.c_fc", "ffn_up", c.mlp_width, c.width);
    linear("down", "mlp.c_proj", "ffn_down", c.width, c.mlp_width);
}

void embeddings(ModelSpec& b, const ModelConfig& c, const char* name) {
    // A tied matrix is the head too, so it lies in panels; an untied one is only looked up, row by row.
    b.place_matrix("embedding", c.vocabulary, c.width, whole(name, "token_embd.weight", c.vocabulary),
                   c.tied && c.score_heads == 0 ? Layout::Panels : Layout::Rows);
}

void heads(ModelSpec& b, const ModelConfig& c) {
    if (c.score_heads > 0)
        b.place_matrix("score", c.score_heads, c.width,
                       whole("score.weight", "cls.output.weight", c.score_heads));
    else if (!c.tied)
        b.place_matrix("head", c.vocabulary, c.width, whole("lm_head.weight", "output.weight", c.vocabulary));
}

}  // namespace

void ModelConfig::check() const {
    const auto positive = [](int64_t value, const char* name) {
        require(value > 0 && value <= (int64_t{1} << 31), Code::Model, name,
                ": expected a positive number but the model says ", value, ".");
    };
    positive(vocabulary, "vocabulary size");
    positive(width, "hidden size");
    positive(layers, "number of layers");
    positive(heads, "number of attention heads");
    positive(kv_heads, "number of key/value heads");
    positive(head_width, "head width");
    positive(mlp_width, "MLP width");
    positive(max_positions, "number of positions");
    require(layers <= 4096 && heads <= 4096 && head_width <= 4096, Code::Model,
            "Expected at most 4096 layers, heads and head width but the model says ", layers, ", ", heads,
            ", ", head_width, ".");
    require(heads % kv_heads == 0, Code::Model, "Expected the ", heads,
            " attention heads to be a multiple of the ", kv_heads, " key/value heads.");
    require(family == Family::Gpt2 || head_width % 2 == 0, Code::Model,
            "Expected an even head width for rotary positions but got ", head_width, ".");
    require(family != Family::Gpt2 || (heads * head_width == width && kv_heads == heads), Code::Model,
            "Expected GPT-2 heads to fill the hidden size ", width, " but got ", heads, " heads of ",
            head_width, ".");
    require(norm_epsilon > 0 && norm_epsilon < 1, Code::Model, "Expected a norm epsilon in (0, 1) but got ",
            norm_epsilon, ".");
    require(rope_base > 0, Code::Model, "Expected a rotary base above 0 but got ", rope_base, ".");
    require(score_heads >= 0 && score_heads <= kMostScoreHeads, Code::Model, "Expected at most ",
            kMostScoreHeads, " scores (labels) but the model says ", score_heads, ".");
    require(window >= 0, Code::Model, "Expected a sliding window >= 0 but got ", window, ".");
}

void ModelSpec::place(TensorSpec tensor) {
    int64_t& total = tensor.vector ? vector_elements : matrix_elements;
    tensor.offset = total;
    total += (tensor.elements + kAlign - 1) / kAlign * kAlign;
    for (const TensorPart& part : tensor.parts) parameters += part.rows * tensor.K;
    index.emplace(tensor.name, tensors.size());
    tensor.index = tensors.size();
    tensors.push_back(std::move(tensor));
}

void ModelSpec::place_matrix(std::string name, int64_t N, int64_t K, std::vector<TensorPart> parts,
                             Layout layout) {
    place({std::move(name), N, K, layout, false, 0, layout_elements(layout, N, K), std::move(parts)});
}

void ModelSpec::place_vector(std::string name, int64_t N, std::vector<TensorPart> parts) {
    place({std::move(name), N, 1, Layout::Rows, true, 0, N, std::move(parts)});
}

const TensorSpec& ModelSpec::at(const std::string& name) const {
    const auto found = index.find(name);
    require(found != index.end(), Code::Internal, "no tensor named ", name);
    return tensors[found->second];
}

ModelSpec model_spec(const ModelConfig& config) {
    config.check();
    ModelSpec b;
    const bool gpt2 = config.family == Family::Gpt2;
    embeddings(b, config, gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight");
    if (gpt2)
        b.place_matrix("positions", config.max_positions, config.width,
                       whole("transformer.wpe.weight", "position_embd.weight", config.max_positions),
                       Layout::Rows);
    b.layers = config.layers;
    b.layer_offset = b.matrix_elements;
    for (int64_t layer = 0; layer < config.layers; ++layer)
        gpt2 ? gpt2_layer(b, config, layer) : llama_layer(b, config, layer);
    b.layer_elements = (b.matrix_elements - b.layer_offset) / config.layers;
    const std::string norm = gpt2 ? "transformer.ln_f" : "model.norm";
    b.place_vector("norm.weight", config.width, whole(norm + ".weight", "output_norm.weight", config.width));
    if (gpt2)
        b.place_vector("norm.bias", config.width, whole(norm + ".bias", "output_norm.bias", config.width));
    heads(b, config);
    return b;
}

}  // namespace attune
