// Sampling on a device in steps that run as graphs: the bits of steps that do not, with sequences that end at
// different times, prompts that follow them, pages that are handed on, weights that change between steps and
// a step that is cancelled. And that changed work is seen. Must not know how graphs are made.
#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "generate/generation.h"
#include "tool/check.h"
#include "tool/check_data.h"
#include "tool/device_tables.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

Status never_repeats(uint64_t, Stream*) {
    return Status::Ok;
}

// The device's table without the hint: every step is ordinary.
const Ops& plain_ops() {
    static const Ops ops = [] {
        Ops plain = *device_table()->ops;
        plain.begin_step = never_repeats;
        return plain;
    }();
    return ops;
}

struct Scenario {
    const char* name;
    DType dtype;
    GenerationOptions options;
    bool adapter = false;
    int64_t updated_at = -1;    // the weights change before this step
    int64_t cancelled_at = -1;  // this step is cancelled once before
    int64_t finished_at = -1;   // one sequence is ended by hand
};

GenerationOptions options_of(int64_t tokens, int64_t batch) {
    GenerationOptions options;
    options.max_new_tokens = tokens;
    options.samples = 2;
    options.seed = 5;
    options.batch_size = batch;
    options.stop_tokens = {3, 50};
    return options;
}

void cancel(Generation& generation, DecodedTokens& decoded, const GenerationModel& model, Stream& stream) {
    const std::atomic<bool> now{true};
    stream.cancelled = &now;
    try {
        generation.next(decoded, model, stream);
    } catch (const Error&) {
        // as asked
    }
    stream.cancelled = nullptr;
}

void change_weights(Session& session, Stream& stream) {
    StepResult result;
    const PackedBatch batch = tiny_batch(session.config(), {2, 6, 1, 5}, 1);
    session.step(result, batch, nll_of(batch), stream);
    UpdateOptions update;
    update.learning_rate = 0.01;
    session.update(update, stream);
}

// Sequence numbers, tokens and log-probs of all steps.
Doubles sample_all(const Ops& ops, const Scenario& scenario) {
    Stream& stream = *device_table()->stream;
    const TemporaryFolder folder;
    const auto base = load_tiny(ops, stream, scenario.dtype, tiny_config(), folder);
    const auto adapter = scenario.adapter ? add_tiny_adapter(*base, stream) : nullptr;
    Session& session = adapter != nullptr ? *adapter : *base;
    std::vector<int32_t> longer;  // than a page
    for (int32_t i = 0; i < 40; ++i) longer.push_back(i + 20);
    Generation generation(session.config(), scenario.dtype, ops,
                          {{5, 6, 7}, longer, {9}, {10, 11, 12, 13}, {14, 15}}, scenario.options);
    Doubles all;
    DecodedTokens decoded;
    for (int64_t step = 0; step == 0 || !decoded.sequences.empty(); ++step) {
        if (step == scenario.updated_at) change_weights(session, stream);
        if (step == scenario.finished_at) generation.finish(1);
        const ModelView view = session.view();
        const GenerationModel model{view.ops,   view.config, view.dtype,   view.weights,
                                    view.trunk, view.head,   view.adapter, session.weights_version()};
        if (step == scenario.cancelled_at) cancel(generation, decoded, model, stream);
        generation.next(decoded, model, stream);
        all.insert(all.end(), decoded.sequences.begin(), decoded.sequences.end());
        all.insert(all.end(), decoded.tokens.begin(), decoded.tokens.end());
        append(all, decoded.logprobs);
        append(all, decoded.model_logprobs);
    }
    return all;
}

void check_scenario(Checks& checks, const Scenario& scenario) {
    const std::string name = std::string("steps as graphs, ") + scenario.name;
    const StepReport before = device_table()->steps();
    const Doubles want = sample_all(plain_ops(), scenario);
    const StepReport between = device_table()->steps();
    checks.expect(name + ": none without the hint", between.replayed == before.replayed &&
                                                        between.recorded == before.recorded &&
                                                        between.ordinary == before.ordinary);
    checks.expect_same(name, sample_all(*device_table()->ops, scenario), want);
    const StepReport after = device_table()->steps();
    checks.expect(name + ": some are ordinary, some make a graph, more repeat one",
                  after.ordinary > between.ordinary && after.recorded > between.recorded &&
                      after.replayed - between.replayed > after.recorded - between.recorded,
                  std::to_string(after.ordinary - between.ordinary) + " ordinary, " +
                      std::to_string(after.recorded - between.recorded) + " recorded, " +
                      std::to_string(after.replayed - between.replayed) + " repeated");
    Scenario other = scenario;
    other.options.seed = 6;
    checks.expect(name + " (planted error)", sample_all(*device_table()->ops, other) != want);
}

void check_scenarios(Checks& checks) {
    // More tokens than a page holds, prompts that wait for others to end.
    Scenario plain{"fp32", DType::F32, options_of(45, 3)};
    plain.cancelled_at = 9;
    check_scenario(checks, plain);
    Scenario filtered{"bf16, an adapter, every filter, new weights", DType::BF16, options_of(24, 4)};
    filtered.options.sampling.top_k = 40;
    filtered.options.sampling.top_p = 0.95f;
    filtered.options.sampling.min_p = 0.01f;
    filtered.options.sampling.penalty = 1.1f;
    filtered.adapter = true;
    filtered.updated_at = 11;
    filtered.finished_at = 5;
    check_scenario(checks, filtered);
}

// A device that cannot make graphs does the steps one by one.
void check_refusal(Checks& checks) {
    if (!device_table()->refuse_graphs(true)) return;
    const Scenario scenario{"refused", DType::F32, options_of(12, 4)};
    const Doubles want = sample_all(plain_ops(), scenario);
    const StepReport before = device_table()->steps();
    checks.expect_same("steps without graphs", sample_all(*device_table()->ops, scenario), want);
    const StepReport after = device_table()->steps();
    checks.expect("steps without graphs are ordinary, and say why",
                  after.replayed == before.replayed && after.recorded == before.recorded &&
                      after.ordinary > before.ordinary && after.failure.find("Capture") != std::string::npos,
                  after.failure);
    device_table()->refuse_graphs(false);
}

// A step of a few ops whose result is known. What differs in one of them must show in its result.
class KnownStep {
  public:
    explicit KnownStep(Checks& checks) : checks_(checks) {
        const auto grow = [&](MemoryBlock& block) {
            checks.expect_ok("memory", ops().memory_grow(&block, kCount * 4, stream()));
        };
        grow(table_);
        grow(rows_);
        std::vector<float> values(kCount);
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
        checks.expect_ok("write", ops().memory_write(table_.data, values.data(), kCount * 4, stream()));
    }
    ~KnownStep() {
        ops().memory_release(table_, stream()->device);
        ops().memory_release(rows_, stream()->device);
    }

    // rows = table[ids] (+ added twice); the sum of their squares.
    void run(const std::string& name, uint64_t key, const std::vector<int32_t>& ids, float added) {
        const auto n = static_cast<int64_t>(ids.size());
        checks_.expect_ok("begin_step", ops().begin_step(key, stream()));
        const Mat rows{rows_.data, DType::F32, n, 1, 1}, table{table_.data, DType::F32, kCount, 1, 1};
        checks_.expect_ok("gather", ops().gather_rows(rows, table, ids.data(), stream()));
        double sum = 0, want = 0;
        if (added != 0) {
            // Behind the rows: [n, 2 n) are all `added`.
            float* other = static_cast<float*>(rows_.data) + n;
            checks_.expect_ok("fill", ops().fill(other, added, n, stream()));
            checks_.expect_ok("add", ops().add(rows, {other, DType::F32, n, 1, 1}, stream()));
        }
        checks_.expect_ok("sum", ops().sum_squares(&sum, static_cast<float*>(rows_.data), n, stream()));
        for (const int32_t id : ids) want += (id + double{added}) * (id + double{added});
        checks_.expect(name, sum == want, std::to_string(sum) + " for " + std::to_string(want));
    }

  private:
    static constexpr int64_t kCount = 4096;
    static const Ops& ops() { return *device_table()->ops; }
    static Stream* stream() { return device_table()->stream; }

    Checks& checks_;
    MemoryBlock table_, rows_;
};

void check_differences(Checks& checks) {
    KnownStep step(checks);
    const std::vector<int32_t> ids{3, 1, 4, 1, 5}, others{9, 2, 6, 5, 3}, more{7, 7, 7, 7, 7, 7};
    const StepReport before = device_table()->steps();
    const auto expect = [&](int64_t ordinary, int64_t recorded, int64_t replayed) {
        const StepReport now = device_table()->steps();
        checks.expect("steps are counted as they ran", now.ordinary - before.ordinary == ordinary &&
                                                           now.recorded - before.recorded == recorded &&
                                                           now.replayed - before.replayed == replayed);
    };
    constexpr uint64_t kKey = 77;
    step.run("the first step", kKey, ids, 2);
    expect(1, 0, 0);
    step.run("the same again", kKey, ids, 2);
    expect(1, 1, 0);
    step.run("and again", kKey, ids, 2);
    expect(1, 1, 1);
    step.run("other data at the same places", kKey, others, 2);
    expect(1, 1, 2);
    step.run("an argument in the middle differs", kKey, ids, 3);
    expect(2, 1, 2);
    step.run("and stays", kKey, ids, 3);
    expect(2, 2, 2);
    step.run("the changed graph again", kKey, others, 3);
    expect(2, 2, 3);
    step.run("more rows", kKey, more, 3);
    expect(3, 2, 3);
    step.run("less work", kKey, more, 0);
    expect(4, 2, 3);
    step.run("more work", kKey, more, 3);
    expect(5, 2, 3);
    // Other keys in between change nothing.
    step.run("another key", kKey + 1, ids, 2);
    step.run("the first key again", kKey, more, 3);
    expect(6, 3, 3);
    // Keys beyond those that are remembered, and arrays beyond the memory of steps.
    for (uint64_t key = 100; key < 120; ++key) step.run("many keys", key, ids, 2);
    expect(26, 3, 3);
    step.run("a key that was forgotten", kKey, more, 3);
    expect(27, 3, 3);
}

void check_generation(Checks& checks) {
    check_differences(checks);
    check_scenarios(checks);
    check_refusal(checks);
}

const Register device_generation("device_generation", Runs::PerDevice, check_generation);

}  // namespace

}  // namespace attune::tool

#endif
