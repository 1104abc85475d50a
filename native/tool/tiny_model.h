// A small model of random weights, through a file as every model comes, and batches for it: what a whole step
// can be run on in a moment. Fixed seeds; must not know checks or cases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/ops.h"
#include "loss/loss_options.h"
#include "session/session.h"

namespace attune::tool {

// score_heads > 0: a reward model.
ModelConfig tiny_config(attune::Family family = attune::Family::Llama, int64_t score_heads = 0);

// A folder of its own below the system's temporary one, removed with all that is in it.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// The folder must live until the model has made its first step: bf16 reads its fp32 values then.
std::unique_ptr<Session> load_tiny(const Ops& ops, Stream& stream, DType dtype, const ModelConfig& config,
                                   const TemporaryFolder& folder, WeightPlace place = WeightPlace::Device);
// An adapter on every linear layer, on the model's base; with as many score heads of its own.
std::unique_ptr<Session> add_tiny_adapter(Session& model, Stream& stream, int64_t score_heads = 0);

// `documents` groups of `branches` completions of one prompt each; every token of a completion is a target,
// or (scored) the last one alone. Lengths lie up to `spread` below those given.
struct BatchShape {
    int64_t documents;
    int64_t prompt;
    int64_t branches;
    int64_t completion;
    int64_t spread = 0;
    bool scored = false;
};
PackedBatch tiny_batch(const ModelConfig& config, const BatchShape& shape, uint64_t seed);

// Losses of such a batch, with random references where they need some.
LossOptions nll_of(const PackedBatch& batch);
LossOptions dpo_of(const PackedBatch& batch);          // two branches
LossOptions listwise_of(const PackedBatch& batch);     // with ties among three and more branches
LossOptions policy_of(const PackedBatch& batch);       // with a KL penalty and an entropy bonus
LossOptions scores_of(const PackedBatch& batch);       // two branches, scored
LossOptions rank_scores_of(const PackedBatch& batch);  // as listwise_of(), scored
LossOptions values_of(const PackedBatch& batch);       // of a model with one score head

}  // namespace attune::tool
