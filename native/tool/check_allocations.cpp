// Nothing is allocated in steady state: training steps with their updates, and decode steps, through the
// functions that the addon's jobs call, after a warm-up with the largest batch. Must not know what the memory
// is for.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/scratch.h"
#include "generate/generation.h"
#include "tool/allocation_count.h"
#include "tool/check.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

// Runs the body and holds what it allocates against 0.
template <class Body>
void expect_none(Checks& checks, const std::string& name, Body&& body) {
    start_counting();
    body();
    const Allocations found = stop_counting();
    checks.expect(name + " allocates nothing", found.count == 0,
                  std::to_string(found.count) + " allocations, the first of " +
                      std::to_string(found.first_bytes) + " bytes");
}

struct Kind {
    const char* name;
    LossOptions (*loss)(const PackedBatch& batch);
    int64_t branches;
    int64_t score_heads = 0;
    bool scored = false;  // one target per completion
    attune::Family family = attune::Family::Llama;
};

constexpr Kind kKinds[] = {
    {"nll", nll_of, 1},
    {"nll, gpt2", nll_of, 1, 0, false, attune::Family::Gpt2},
    {"dpo", dpo_of, 2},
    {"listwise", listwise_of, 4},
    {"policy", policy_of, 3},
    {"reward pairs", scores_of, 2, 1, true},
    {"reward rankings", rank_scores_of, 4, 2, true},
    {"values", values_of, 2, 1},
};

// The largest first; then fewer documents, shorter ones, uneven ones, one short row.
std::vector<PackedBatch> batches_of(const ModelConfig& config, const Kind& kind) {
    const BatchShape shapes[] = {{4, 12, kind.branches, 9, 0}, {4, 12, kind.branches, 9, 0},
                                 {4, 12, kind.branches, 9, 5}, {2, 12, kind.branches, 9, 0},
                                 {3, 5, kind.branches, 2, 1},  {1, 1, kind.branches, 1, 0}};
    std::vector<PackedBatch> batches;
    for (BatchShape shape : shapes) {
        shape.scored = kind.scored;
        batches.push_back(tiny_batch(config, shape, batches.size()));
    }
    return batches;
}

void check_steps(Checks& checks, const std::string& name, Session& session, const Kind& kind,
                 Stream& stream) {
    const std::vector<PackedBatch> batches = batches_of(session.config(), kind);
    StepResult result;
    for (size_t i = 0; i < batches.size(); ++i) {
        const LossOptions loss = kind.loss(batches[i]);
        const auto train = [&] {
            session.step(result, batches[i], loss, stream);
            session.evaluate(result, batches[i], loss, stream);
            session.update({}, stream);
        };
        if (i == 0)
            train();
        else
            expect_none(checks, name + ", batch " + std::to_string(i), train);
    }
}

// The whole model and an adapter with heads of its own, of one kind of loss.
void check_kind(Checks& checks, const Kind& kind, DType dtype) {
    const std::string name = std::string(kind.name) + " " + dtype_name(dtype);
    Stream& stream = *checks.stream(2);
    const TemporaryFolder folder;
    const ModelConfig config = tiny_config(kind.family, kind.score_heads);
    const std::unique_ptr<Session> model = load_tiny(checks.ops(), stream, dtype, config, folder);
    check_steps(checks, name, *model, kind, stream);
    const std::unique_ptr<Session> adapter = add_tiny_adapter(*model, stream, kind.score_heads);
    check_steps(checks, name + ", adapter", *adapter, kind, stream);
}

void check_kl(Checks& checks, DType dtype) {
    const std::string name = std::string("kl penalty ") + dtype_name(dtype);
    Stream& stream = *checks.stream(2);
    const TemporaryFolder folder;
    const std::unique_ptr<Session> model = load_tiny(checks.ops(), stream, dtype, tiny_config(), folder);
    const std::unique_ptr<Session> adapter = add_tiny_adapter(*model, stream);
    const std::vector<PackedBatch> batches = batches_of(model->config(), kKinds[0]);
    StepResult result;
    const KlOptions options;
    for (size_t i = 0; i < batches.size(); ++i) {
        const auto train = [&] {
            adapter->kl_step(result, batches[i], *model, options, stream);
            adapter->update({}, stream);
        };
        if (i == 0)
            train();
        else
            expect_none(checks, name + ", batch " + std::to_string(i), train);
    }
}

void check_training(Checks& checks) {
    for (const DType dtype : {DType::F32, DType::BF16}) {
        for (const Kind& kind : kKinds) check_kind(checks, kind, dtype);
        check_kl(checks, dtype);
    }
}

GenerationOptions sampling_options(bool greedy) {
    GenerationOptions options;
    options.max_new_tokens = 40;
    options.samples = 2;
    options.seed = 1;
    options.stop_tokens = {3};
    if (greedy) {
        options.sampling.temperature = 0;
    } else {
        options.sampling.top_k = 40;
        options.sampling.top_p = 0.95f;
        options.sampling.min_p = 0.01f;
        options.sampling.penalty = 1.1f;
    }
    return options;
}

// Sequences draw their first and second token in the warm-up; then some are ended by a stop token, one by
// hand.
void check_generation(Checks& checks, const std::string& name, Session& session, bool greedy,
                      Stream& stream) {
    const ModelView view = session.view();
    const GenerationModel model{view.ops,   view.config, view.dtype,   view.weights,
                                view.trunk, view.head,   view.adapter, session.weights_version()};
    Generation generation(view.config, view.dtype, view.ops, {{5, 6, 7}, {8}, {9, 10, 11, 12, 13, 14}},
                          sampling_options(greedy));
    DecodedTokens decoded;
    generation.next(decoded, model, stream);
    generation.next(decoded, model, stream);
    int64_t steps = 2;
    for (bool more = true; more; ++steps) {
        if (steps == 5) generation.finish(4);
        expect_none(checks, name + ", step " + std::to_string(steps), [&] {
            generation.next(decoded, model, stream);
            more = !decoded.tokens.empty();
        });
    }
    checks.expect(name + " draws all its tokens", steps == 41, std::to_string(steps) + " steps");
}

void check_decoding(Checks& checks) {
    Stream& stream = *checks.stream(2);
    for (const DType dtype : {DType::F32, DType::BF16})
        for (const bool greedy : {false, true}) {
            const std::string name = std::string(greedy ? "greedy" : "sampling") + " " + dtype_name(dtype);
            const TemporaryFolder folder;
            const std::unique_ptr<Session> model =
                load_tiny(checks.ops(), stream, dtype, tiny_config(), folder);
            check_generation(checks, name, *model, greedy, stream);
            const std::unique_ptr<Session> adapter = add_tiny_adapter(*model, stream);
            check_generation(checks, name + ", adapter", *adapter, greedy, stream);
        }
}

// The compiler may not leave out an allocation whose address it must assume is used.
void use(void* memory) {
    asm volatile("" : : "g"(memory) : "memory");
}

// What the checks above count on: each way to take memory is seen, from every thread.
void check_counting(Checks& checks) {
    const auto expect_seen = [&](const char* name, auto&& take) {
        start_counting();
        take();
        checks.expect(std::string("counting sees ") + name, stop_counting().count > 0);
    };
    expect_seen("new", [] { use(std::make_unique<int>(1).get()); });
    struct alignas(128) Wide {
        char bytes[128];
    };
    expect_seen("aligned new", [] { use(std::make_unique<Wide>().get()); });
    expect_seen("malloc", [] {
        void* memory = std::malloc(8);
        use(memory);
        std::free(memory);
    });
    expect_seen("a vector that grows", [] {
        std::vector<int> values;
        values.push_back(1);
        use(values.data());
    });
    AlignedBytes arena;
    expect_seen("an arena", [&] { arena = allocate_aligned(1); });
    expect_seen("an arena that grows", [&] { grow_aligned(arena, size_t{1} << 20); });
    std::atomic<bool> go{false};
    std::thread other([&] {
        go.wait(false);
        use(std::make_unique<int>(1).get());
    });
    expect_seen("another thread's", [&] {
        go = true;
        go.notify_one();
        other.join();
    });
    ThreadPool& pool = *checks.stream(2)->pool;
    expect_none(checks, "work for two threads", [&] { pool.parallel(2, [](int64_t, int) {}); });
}

const Register training("allocations_training", Runs::PerCpuIsa, check_training);
const Register decoding("allocations_decoding", Runs::PerCpuIsa, check_decoding);
const Register counting("allocations_counting", Runs::Once, check_counting);

}  // namespace

}  // namespace attune::tool
