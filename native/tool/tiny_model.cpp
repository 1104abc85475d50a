// Weights are normal with the deviation that trained models start with; vectors (norms) lie around one.
#include "tool/tiny_model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "formats/safetensors_writer.h"
#include "loss/loss_tables.h"
#include "model/adapter.h"
#include "model/spec.h"
#include "session/tensor_io.h"
#include "tool/check.h"

namespace attune::tool {

namespace {

void write_model(const std::string& path, const ModelSpec& spec) {
    std::vector<TensorDeclaration> declarations;
    for (const TensorSpec& tensor : spec.tensors)
        for (const TensorPart& part : tensor.parts)
            declarations.push_back({part.name, DType::F32, part_shape(tensor, part)});
    SafetensorsWriter writer(path, declarations);
    Random random(1);
    for (const TensorSpec& tensor : spec.tensors)
        for (const TensorPart& part : tensor.parts) {
            std::vector<float> values(static_cast<size_t>(part.rows * tensor.K));
            for (float& value : values)
                value = static_cast<float>((tensor.vector ? 1 : 0) + 0.05 * random.normal());
            writer.write(part.name, values.data(), static_cast<int64_t>(values.size()));
        }
    writer.finish();
}

std::vector<double> random_values(size_t count, double centre, double deviation, uint64_t seed) {
    Random random(seed);
    std::vector<double> values(count);
    for (double& value : values) value = centre + deviation * random.normal();
    return values;
}

// 1, 2, 2, 3, 4, 4 and so on.
RankingOptions tied_ranking(const PackedBatch& batch) {
    RankingOptions ranking;
    ranking.entry = &listwise_loss("plackett-luce", "average");
    for (const Group& group : batch.groups)
        for (int32_t i = 0; i < group.count; ++i)
            ranking.ranks.push_back(1 + i - i / 3 - (i % 3 == 2 ? 1 : 0));
    return ranking;
}

template <class Family>
LossOptions loss_of(double normaliser, Family family) {
    LossOptions options;
    options.normaliser = std::max(1.0, normaliser);
    options.family = std::move(family);
    return options;
}

double groups_of(const PackedBatch& batch) {
    return static_cast<double>(batch.groups.size());
}

double targets_of(const PackedBatch& batch) {
    return static_cast<double>(batch.targets.size());
}

}  // namespace

ModelConfig tiny_config(attune::Family family, int64_t score_heads) {
    ModelConfig config;
    config.family = family;
    config.vocabulary = 96;
    config.width = 32;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = family == attune::Family::Gpt2 ? 4 : 2;
    config.head_width = 8;
    config.mlp_width = 64;
    config.max_positions = 256;
    config.tied = score_heads == 0;
    config.score_heads = score_heads;
    return config;
}

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "attune-tool-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, Code::Output, "Expected to make a folder like ", name, ".");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<Session> load_tiny(const Ops& ops, Stream& stream, DType dtype, const ModelConfig& config,
                                   const TemporaryFolder& folder, WeightPlace place) {
    const std::string path = folder.path() + "/model.safetensors";
    write_model(path, model_spec(config));
    return Session::load(ops, stream, config, dtype, path, std::nullopt, {}, place);
}

std::unique_ptr<Session> add_tiny_adapter(Session& model, Stream& stream, int64_t score_heads) {
    RoleOptions options;
    options.adapter.rank = 4;
    options.adapter.alpha = 8;
    options.adapter.modules = linear_modules(model.config(), model_spec(model.config()));
    options.adapter.score_heads = score_heads;
    options.seed = 3;
    return model.add_role(options, stream);
}

namespace {

struct BatchMaker {
    const ModelConfig& config;
    const BatchShape& shape;
    Random random;
    PackedBatch batch;

    // A new segment behind the batch's last.
    void append(int64_t longest, int32_t prefix) {
        const auto length = static_cast<int32_t>(longest - random.below(shape.spread + 1));
        const int32_t first = prefix < 0 ? 0 : batch.segments[static_cast<size_t>(prefix)].length;
        batch.segments.push_back({static_cast<int32_t>(batch.rows()), length, prefix});
        for (int32_t i = 0; i < length; ++i) {
            batch.tokens.push_back(static_cast<int32_t>(random.below(config.vocabulary)));
            batch.positions.push_back(first + i);
        }
    }
    void append_completion(int32_t prompt);
};

void BatchMaker::append_completion(int32_t prompt) {
    append(shape.completion, prompt);
    const Segment& segment = batch.segments.back();
    const auto first = static_cast<int32_t>(batch.targets.size());
    const Segment& root = batch.segments[static_cast<size_t>(prompt)];
    const int32_t last_row = segment.start + segment.length - 1;
    if (shape.scored) {
        batch.targets.push_back({last_row, batch.tokens.back()});
    } else {
        // The prompt's last row predicts the first token.
        batch.targets.push_back(
            {root.start + root.length - 1, batch.tokens[static_cast<size_t>(segment.start)]});
        for (int32_t row = segment.start; row < last_row; ++row)
            batch.targets.push_back({row, batch.tokens[static_cast<size_t>(row) + 1]});
    }
    batch.completions.push_back({first, static_cast<int32_t>(batch.targets.size()) - first});
}

}  // namespace

PackedBatch tiny_batch(const ModelConfig& config, const BatchShape& shape, uint64_t seed) {
    BatchMaker maker{config, shape, Random(seed), {}};
    PackedBatch& batch = maker.batch;
    for (int64_t document = 0; document < shape.documents; ++document) {
        const auto prompt = static_cast<int32_t>(batch.segments.size());
        maker.append(shape.prompt, -1);
        batch.groups.push_back(
            {static_cast<int32_t>(batch.completions.size()), static_cast<int32_t>(shape.branches)});
        for (int64_t branch = 0; branch < shape.branches; ++branch) maker.append_completion(prompt);
    }
    return std::move(maker.batch);
}

LossOptions nll_of(const PackedBatch& batch) {
    return loss_of(targets_of(batch), NllOptions{});
}

LossOptions dpo_of(const PackedBatch& batch) {
    PairwiseOptions pairwise;
    pairwise.terms.push_back({&pairwise_loss("sigmoid"), 1});
    pairwise.reference = random_values(batch.completions.size(), -60, 4, 5);
    return loss_of(groups_of(batch), std::move(pairwise));
}

LossOptions listwise_of(const PackedBatch& batch) {
    ListwiseOptions listwise;
    listwise.ranking = tied_ranking(batch);
    listwise.reference = random_values(batch.completions.size(), -60, 4, 6);
    return loss_of(groups_of(batch), std::move(listwise));
}

LossOptions policy_of(const PackedBatch& batch) {
    PolicyOptions policy;
    policy.entry = &policy_loss("clip");
    policy.ratio = &policy_ratio("token");
    policy.clip.low = policy.clip.high = 0.2;
    policy.advantages = random_values(batch.targets.size(), 0, 1, 7);
    policy.old_logprobs = random_values(batch.targets.size(), -5.8, 0.1, 8);
    policy.reference_logprobs = random_values(batch.targets.size(), -5.8, 0.1, 9);
    policy.kl = &kl_penalty("k3");
    policy.kl_weight = 0.05;
    policy.entropy_weight = 0.01;
    return loss_of(targets_of(batch), std::move(policy));
}

LossOptions scores_of(const PackedBatch& batch) {
    ScoreOptions scores;
    scores.entry = &score_loss_form("bradley-terry");
    scores.centring = 0.01;
    return loss_of(groups_of(batch), std::move(scores));
}

LossOptions rank_scores_of(const PackedBatch& batch) {
    ScoreOptions scores;
    scores.entry = &score_loss_form("plackett-luce");
    scores.ranking = tied_ranking(batch);
    return loss_of(groups_of(batch), std::move(scores));
}

LossOptions values_of(const PackedBatch& batch) {
    ValueOptions values;
    values.returns = random_values(batch.targets.size(), 0, 1, 10);
    values.old_values = random_values(batch.targets.size(), 0, 1, 11);
    values.clip = 0.2;
    return loss_of(targets_of(batch), std::move(values));
}

}  // namespace attune::tool
