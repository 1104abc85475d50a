// Whole steps of tiny models on a device beside the CPU: losses, gradients, updated parameters, divergences,
// scores, saved states and sampled tokens. The model code is the same; what differs is where its tensors lie,
// which the host may not touch.
#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "generate/generation.h"
#include "tool/check.h"
#include "tool/check_data.h"
#include "tool/device_tables.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

// A model on the CPU and the same one on the device.
struct Pair {
    Pair(const ModelConfig& config, DType dtype, Checks& checks)
        : device(*device_table()),
          cpu(cpu_ops("scalar")),
          cpu_stream(checks.stream(1)),
          cpu_model(load_tiny(cpu, *cpu_stream, dtype, config, folder)),
          device_model(load_tiny(*device.ops, *device.stream, dtype, config, folder)) {}

    TemporaryFolder folder;
    const DeviceTable& device;
    const Ops& cpu;
    Stream* cpu_stream;
    std::unique_ptr<Session> cpu_model, device_model;
};

// Sums of products in another order, over two layers and back: 64 eps (fp32); bf16 rounds every activation.
double bar_for(DType dtype) {
    return dtype == DType::F32 ? 64 * kEpsilonF32 : 4 * kEpsilonBf16;
}

template <class Read>
void compare_tensors(Checks& checks, const std::string& name, Session& want, Session& got, double bar,
                     const Read& read) {
    for (const TensorView& tensor : want.tensors())
        checks.expect_close(name + " " + tensor.name, to_doubles(read(got, tensor.name, false)),
                            to_doubles(read(want, tensor.name, true)), bar);
}

struct Kind {
    const char* name;
    LossOptions (*loss)(const PackedBatch& batch);
    int64_t branches;
    int64_t score_heads = 0;
    bool scored = false;
    attune::Family family = attune::Family::Llama;
};

constexpr Kind kKinds[] = {
    {"nll", nll_of, 1},
    {"nll, gpt2", nll_of, 1, 0, false, attune::Family::Gpt2},
    {"dpo", dpo_of, 2},
    {"policy", policy_of, 3},
    {"reward pairs", scores_of, 2, 1, true},
    {"values", values_of, 2, 1},
};

void check_step(Checks& checks, const std::string& name, Pair& pair, Session& want, Session& got,
                const Kind& kind) {
    const BatchShape shape{3, 12, kind.branches, 9, 4, kind.scored};
    const PackedBatch batch = tiny_batch(want.config(), shape, 1);
    const LossOptions loss = kind.loss(batch);
    const double bar = bar_for(want.dtype());
    const auto stream = [&](bool cpu) -> Stream& { return cpu ? *pair.cpu_stream : *pair.device.stream; };
    StepResult a, b;
    want.step(a, batch, loss, stream(true));
    got.step(b, batch, loss, stream(false));
    checks.expect_close(name + " loss", {&b.loss, 1}, {&a.loss, 1}, bar);
    checks.expect_close(name + " group losses", b.group_losses, a.group_losses, bar);
    compare_tensors(checks, name + " gradient", want, got, 8 * bar,
                    [&](Session& session, const std::string& tensor, bool cpu) {
                        return session.gradient(tensor, stream(cpu));
                    });
    // Large beside the gradients: a step of their sign alone would turn with the last bit of the smallest.
    UpdateOptions options;
    options.epsilon = 0.1;
    options.learning_rate = 0.01;
    const UpdateResult first = want.update(options, stream(true)),
                       second = got.update(options, stream(false));
    checks.expect_close(name + " gradient norm", {&second.grad_norm, 1}, {&first.grad_norm, 1}, 4 * bar);
    compare_tensors(checks, name + " parameter", want, got, bar,
                    [&](Session& session, const std::string& tensor, bool cpu) {
                        return session.parameter(tensor, stream(cpu));
                    });
    want.evaluate(a, batch, loss, stream(true));
    got.evaluate(b, batch, loss, stream(false));
    checks.expect_close(name + " loss after the update", {&b.loss, 1}, {&a.loss, 1}, 2 * bar);
}

void check_steps(Checks& checks) {
    for (const DType dtype : {DType::F32, DType::BF16})
        for (const Kind& kind : kKinds) {
            Pair pair(tiny_config(kind.family, kind.score_heads), dtype, checks);
            const std::string name = std::string(kind.name) + " " + dtype_name(dtype);
            check_step(checks, name, pair, *pair.cpu_model, *pair.device_model, kind);
            if (kind.score_heads > 0) continue;
            const auto want = add_tiny_adapter(*pair.cpu_model, *pair.cpu_stream);
            const auto got = add_tiny_adapter(*pair.device_model, *pair.device.stream);
            check_step(checks, name + ", adapter", pair, *want, *got, kind);
        }
}

// Values that leave the device and come back are the same bits, and a step after it too.
void check_states(Checks& checks) {
    Pair pair(tiny_config(), DType::BF16, checks);
    Session& model = *pair.device_model;
    Stream& stream = *pair.device.stream;
    const PackedBatch batch = tiny_batch(model.config(), {3, 12, 2, 9, 4}, 1);
    const LossOptions loss = dpo_of(batch);
    StepResult result;
    model.step(result, batch, loss, stream);
    model.update({}, stream);
    const std::string file = pair.folder.path() + "/state.safetensors";
    model.save_state(file, {}, stream);
    const auto train_on = [&](Session& session) {
        session.step(result, batch, loss, stream);
        session.update({}, stream);
        std::vector<double> values{result.loss};
        for (const TensorView& tensor : session.tensors())
            append(values, session.parameter(tensor.name, stream));
        return values;
    };
    const std::vector<double> want = train_on(model);
    const auto other = load_tiny(*pair.device.ops, stream, DType::BF16, model.config(), pair.folder);
    other->load_state(file, {}, stream);
    checks.expect_same("a resumed step", train_on(*other), want);
    const auto frozen = model.snapshot(stream);
    const ForwardResult now = model.forward(batch, 1, stream), copy = frozen->forward(batch, 1, stream);
    checks.expect_same("a snapshot's log-probs", to_doubles(copy.logprobs), to_doubles(now.logprobs));
    const KlValues divergences = model.kl(batch, *frozen, stream);
    checks.expect_same("divergences from itself", to_doubles(divergences.kl),
                       std::vector<double>(divergences.kl.size()));
}

// What was sampled has the log-probs of the trainer's forward pass, bit for bit.
void check_sampling(Checks& checks, DType dtype, float temperature) {
    Pair pair(tiny_config(), dtype, checks);
    Stream& stream = *pair.device.stream;
    const ModelView view = pair.device_model->view();
    const std::vector<std::vector<int32_t>> prompts{{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10, 11}};
    GenerationOptions options;
    options.max_new_tokens = 12;
    options.samples = 2;
    options.sampling.temperature = temperature;
    Generation generation(view.config, dtype, view.ops, prompts, options);
    std::vector<std::vector<int32_t>> tokens(prompts.size() * 2);
    std::vector<std::vector<float>> logprobs(tokens.size());
    DecodedTokens decoded;
    for (;;) {
        generation.next(decoded,
                        {view.ops, view.config, dtype, view.weights, view.trunk, view.head, view.adapter, 0},
                        stream);
        if (decoded.sequences.empty()) break;
        for (size_t i = 0; i < decoded.sequences.size(); ++i) {
            const auto sequence = static_cast<size_t>(decoded.sequences[i]);
            tokens[sequence].push_back(decoded.tokens[i]);
            logprobs[sequence].push_back(decoded.model_logprobs[i]);
        }
    }
    // Prompts once, their samples as branches.
    PackedBatch batch;
    std::vector<double> want;
    const auto append_segment = [&](const std::vector<int32_t>& ids, int32_t position, int32_t prefix) {
        batch.segments.push_back(
            {static_cast<int32_t>(batch.rows()), static_cast<int32_t>(ids.size()), prefix});
        for (const int32_t id : ids) {
            batch.tokens.push_back(id);
            batch.positions.push_back(position++);
        }
    };
    for (size_t prompt = 0; prompt < prompts.size(); ++prompt) {
        const auto root = static_cast<int32_t>(batch.segments.size());
        const auto length = static_cast<int32_t>(prompts[prompt].size());
        append_segment(prompts[prompt], 0, -1);
        const int32_t last = static_cast<int32_t>(batch.rows()) - 1;
        for (size_t sample = 0; sample < 2; ++sample) {
            const size_t sequence = 2 * prompt + sample;
            const std::vector<int32_t>& ids = tokens[sequence];
            const auto first = static_cast<int32_t>(batch.targets.size());
            const auto start = static_cast<int32_t>(batch.rows());
            append_segment(ids, length, root);
            for (size_t i = 0; i < ids.size(); ++i)
                batch.targets.push_back({i == 0 ? last : start + static_cast<int32_t>(i) - 1, ids[i]});
            batch.completions.push_back({first, static_cast<int32_t>(ids.size())});
            batch.groups.push_back({static_cast<int32_t>(batch.completions.size()) - 1, 1});
            append(want, logprobs[sequence]);
        }
    }
    const ForwardResult scored = pair.device_model->forward(batch, temperature, stream);
    checks.expect_same(std::string("log-probs of what was sampled, ") + dtype_name(dtype),
                       to_doubles(scored.logprobs), want);
}

// After a warm-up the device is asked for no more memory.
void check_memory(Checks& checks) {
    Pair pair(tiny_config(), DType::BF16, checks);
    const PackedBatch batch = tiny_batch(pair.device_model->config(), {3, 12, 2, 9, 4}, 1);
    const LossOptions loss = dpo_of(batch);
    StepResult result;
    const auto reserved_after_step = [&] {
        pair.device_model->step(result, batch, loss, *pair.device.stream);
        pair.device_model->update({}, *pair.device.stream);
        return pair.device.reserved_bytes();
    };
    const int64_t first = reserved_after_step();
    for (int i = 0; i < 2; ++i)
        checks.expect("a step reserves nothing", reserved_after_step() == first && first > 0);
}

void check_device(Checks& checks) {
    check_steps(checks);
    check_states(checks);
    check_memory(checks);
    for (const DType dtype : {DType::F32, DType::BF16}) check_sampling(checks, dtype, 0.7f);
}

const Register device_steps("device_steps", Runs::PerDevice, check_device);

}  // namespace

}  // namespace attune::tool

#endif
