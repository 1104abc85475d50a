// Whole passes of a small model, for counting their instructions: the head with its loss, training steps with
// their updates, a decode step.
#include <memory>
#include <vector>

#include "generate/generation.h"
#include "loss/loss.h"
#include "session/session.h"
#include "tool/case.h"
#include "tool/check_data.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

// Large enough that the layers, not what surrounds them, make up the count.
ModelConfig case_config() {
    ModelConfig config = tiny_config();
    config.vocabulary = 1024;
    config.width = 96;
    config.head_width = 24;
    config.mlp_width = 192;
    return config;
}

constexpr BatchShape kPairs{3, 24, 2, 16};

template <DType dtype>
void fused_head(const CaseContext& context) {
    const TemporaryFolder folder;
    const ModelConfig config = case_config();
    const std::unique_ptr<Session> session = load_tiny(context.ops, *context.stream, dtype, config, folder);
    const ModelView view = session->view();
    const PackedBatch batch = tiny_batch(config, kPairs, 1);
    const LossOptions options = nll_of(batch);
    const ModelSpec spec = model_spec(config);
    Gradients gradients(spec, context.ops, *context.stream);
    Random random(1);
    TestMatrix states(dtype, batch.rows(), config.width), d_states(DType::F32, batch.rows(), config.width);
    states.randomise(random);
    d_states.assign([](int64_t, int64_t) { return 0; });
    std::vector<double> losses(batch.groups.size());
    HeadLoss loss;
    loss.targets = [&](int64_t first, int64_t count, const TargetSpan& targets) {
        target_loss(losses.data(), targets, options, batch, first, count);
    };
    TargetStats stats;
    count_instructions([&] {
        view.head.gather(view.weights, states.view(), batch, HeadKind::Tokens, *context.stream);
        view.head.train(stats, view.weights, &gradients, batch, loss, *context.stream);
        view.head.scatter(d_states.mat(), view.weights, &gradients, *context.stream);
    });
}

void count_step(const CaseContext& context, Session& session, LossOptions (*loss_of)(const PackedBatch&)) {
    const PackedBatch batch = tiny_batch(session.config(), kPairs, 1);
    const LossOptions loss = loss_of(batch);
    StepResult result;
    count_instructions([&] {
        session.step(result, batch, loss, *context.stream);
        session.update({}, *context.stream);
    });
}

template <DType dtype>
void sft_step(const CaseContext& context) {
    const TemporaryFolder folder;
    const std::unique_ptr<Session> model =
        load_tiny(context.ops, *context.stream, dtype, case_config(), folder);
    count_step(context, *model, nll_of);
}

template <DType dtype>
void dpo_adapter_step(const CaseContext& context) {
    const TemporaryFolder folder;
    const std::unique_ptr<Session> model =
        load_tiny(context.ops, *context.stream, dtype, case_config(), folder);
    const std::unique_ptr<Session> adapter = add_tiny_adapter(*model, *context.stream);
    count_step(context, *adapter, dpo_of);
}

template <DType dtype>
void decode_step(const CaseContext& context) {
    const TemporaryFolder folder;
    const std::unique_ptr<Session> session =
        load_tiny(context.ops, *context.stream, dtype, case_config(), folder);
    const ModelView view = session->view();
    const GenerationModel model{view.ops,   view.config, view.dtype,   view.weights,
                                view.trunk, view.head,   view.adapter, session->weights_version()};
    GenerationOptions options;
    options.samples = 4;
    options.seed = 1;
    Generation generation(view.config, view.dtype, view.ops, {{5, 6, 7, 8, 9}, {10, 11}}, options);
    DecodedTokens decoded;
    generation.next(decoded, model, *context.stream);
    generation.next(decoded, model, *context.stream);
    count_instructions([&] { generation.next(decoded, model, *context.stream); });
}

const RegisterCase cases[] = {
    {"fused-head-fp32", fused_head<DType::F32>},
    {"fused-head-bf16", fused_head<DType::BF16>},
    {"sft-step-fp32", sft_step<DType::F32>},
    {"sft-step-bf16", sft_step<DType::BF16>},
    {"dpo-adapter-step-fp32", dpo_adapter_step<DType::F32>},
    {"dpo-adapter-step-bf16", dpo_adapter_step<DType::BF16>},
    {"decode-step-fp32", decode_step<DType::F32>},
    {"decode-step-bf16", decode_step<DType::BF16>},
};

}  // namespace

}  // namespace attune::tool
