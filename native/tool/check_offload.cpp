// Models whose layers the host keeps beside the same models on the device: every pass has the same bits,
// however late or early the copies run; and a wait that is left out gives others.
#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "core/tensor_memory.h"
#include "cuda/device.h"
#include "generate/generation.h"
#include "tool/check.h"
#include "tool/check_data.h"
#include "tool/device_tables.h"
#include "tool/tiny_model.h"
#ifdef ATTUNE_SIMT
#include "cuda/simt/work_queue.h"
#endif

namespace attune::tool {

namespace {

struct Subject {
    const char* name;
    DType dtype;
    ModelConfig config;
};

// Sizes that fill neither panels nor tiles.
ModelConfig odd_config(attune::Family family, int64_t layers, int64_t score_heads) {
    ModelConfig config = tiny_config(family, score_heads);
    config.vocabulary = 97;
    config.width = 36;
    config.layers = layers;
    config.heads = 3;
    config.kv_heads = family == attune::Family::Gpt2 ? 3 : 1;
    config.head_width = 12;
    config.mlp_width = 50;
    return config;
}

std::vector<Subject> subjects() {
    ModelConfig untied = odd_config(attune::Family::Llama, 4, 0);
    untied.tied = false;
    untied.qkv_bias = untied.qk_norm = true;
    return {{"five layers", DType::F32, odd_config(attune::Family::Llama, 5, 0)},
            {"five layers, bf16", DType::BF16, odd_config(attune::Family::Llama, 5, 0)},
            {"untied head, bf16", DType::BF16, untied},
            {"gpt2", DType::F32, odd_config(attune::Family::Gpt2, 3, 0)},
            {"score heads, bf16", DType::BF16, odd_config(attune::Family::Llama, 3, 2)},
            {"two layers", DType::F32, odd_config(attune::Family::Llama, 2, 0)},
            {"one layer", DType::BF16, odd_config(attune::Family::Llama, 1, 0)}};
}

PackedBatch batch_of(const ModelConfig& config, uint64_t seed) {
    return tiny_batch(config, {seed == 1 ? 2 : 1, 7, 2, 6, 3, config.score_heads > 0}, seed);
}

// What passes without a gradient give: of two batches, the first one twice.
std::vector<double> passes(Session& model, Stream& stream) {
    std::vector<double> values;
    for (const uint64_t seed : {1, 2, 1}) {
        const PackedBatch batch = batch_of(model.config(), seed);
        if (seed == 2) append(values, model.states(batch, stream));
        if (model.config().score_heads > 0) {
            append(values, model.score(batch, stream));
            continue;
        }
        const ForwardResult result = model.forward(batch, 0.8f, stream);
        append(values, result.logprobs);
        append(values, result.entropies);
    }
    return values;
}

std::vector<double> sampled(Session& model, Stream& stream) {
    const ModelView view = model.view();
    GenerationOptions options;
    options.max_new_tokens = 5;
    options.samples = 2;
    Generation generation(view.config, view.dtype, view.ops, {{1, 2, 3}, {4}}, options);
    std::vector<double> values;
    DecodedTokens decoded;
    for (;;) {
        generation.next(
            decoded,
            {view.ops, view.config, view.dtype, view.weights, view.trunk, view.head, view.adapter, 0},
            stream);
        if (decoded.tokens.empty()) return values;
        append(values, decoded.logprobs);
        for (const int32_t token : decoded.tokens) values.push_back(token);
    }
}

// Two steps of an adapter on the model: losses, gradients, what they made of the adapter; and its base.
std::vector<double> adapter_steps(Session& model, Stream& stream) {
    const auto adapter = add_tiny_adapter(model, stream);
    std::vector<double> values;
    StepResult result;
    for (const uint64_t seed : {1, 2}) {
        const PackedBatch batch = batch_of(model.config(), seed);
        adapter->step(result, batch, model.config().score_heads > 0 ? scores_of(batch) : dpo_of(batch),
                      stream);
        values.push_back(result.loss);
        for (const TensorView& tensor : adapter->tensors())
            append(values, adapter->gradient(tensor.name, stream));
        adapter->update({}, stream);
    }
    append(values, passes(*adapter, stream));
    for (const TensorView& tensor : adapter->base_tensors())
        append(values, adapter->parameter(tensor.name, stream));
    values.push_back(static_cast<double>(adapter->base_fingerprint(stream) >> 12));
    return values;
}

void check_memory(Checks& checks, const std::string& name, const Session& kept, const Session& resident) {
    const MemoryUse with = kept.plan(8, 4, false), without = resident.plan(8, 4, false);
    const auto weights = [](const MemoryUse& use) { return use.weights_bf16 + use.weights_fp32; };
    const int64_t layer = with.weights_host / kept.config().layers;
    checks.expect(name + ": the host holds the layers, the device two of them",
                  layer > 0 && without.weights_host == 0 &&
                      weights(without) - weights(with) == (kept.config().layers - 2) * layer);
    const MemoryUse planned = resident.plan(8, 4, false, WeightPlace::Host);
    checks.expect(name + ": the plan of a copy is what such a model holds",
                  planned.total() == with.total() && planned.weights_host == with.weights_host);
}

void check_subject(Checks& checks, const Subject& subject) {
    const DeviceTable& device = *device_table();
    Stream& stream = *device.stream;
    const std::string name = subject.name;
    TemporaryFolder folder;
    const auto resident = load_tiny(*device.ops, stream, subject.dtype, subject.config, folder);
    const auto kept =
        load_tiny(*device.ops, stream, subject.dtype, subject.config, folder, WeightPlace::Host);
    const std::vector<double> want = passes(*resident, stream);
    checks.expect_same(name + ": passes", passes(*kept, stream), want);
    const auto copy = resident->snapshot(stream, WeightPlace::Host);
    checks.expect_same(name + ": passes of a snapshot", passes(*copy, stream), want);
    checks.expect(name + ": what the host keeps is not copied again",
                  kept->snapshot(stream, WeightPlace::Host)->base_number() == kept->base_number());
    if (subject.config.score_heads == 0) {
        checks.expect_same(name + ": samples", sampled(*kept, stream), sampled(*resident, stream));
        const PackedBatch batch = batch_of(subject.config, 1);
        const KlValues divergences = resident->kl(batch, *copy, stream);
        checks.expect_same(name + ": divergences from itself", to_doubles(divergences.kl),
                           std::vector<double>(divergences.kl.size()));
    }
    checks.expect_same(name + ": steps of an adapter", adapter_steps(*kept, stream),
                       adapter_steps(*resident, stream));
    check_memory(checks, name, *kept, *resident);
}

template <class Work>
bool throws(Code code, const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.code == code;
    }
    return false;
}

void check_refusals(Checks& checks) {
    const DeviceTable& device = *device_table();
    TemporaryFolder folder;
    const ModelConfig config = odd_config(attune::Family::Llama, 3, 0);
    const auto kept = load_tiny(*device.ops, *device.stream, DType::BF16, config, folder, WeightPlace::Host);
    const PackedBatch batch = batch_of(config, 1);
    StepResult result;
    checks.expect("training all of it is refused",
                  throws(Code::Option, [&] { kept->step(result, batch, dpo_of(batch), *device.stream); }));
    checks.expect("so is its state", throws(Code::Option, [&] {
                      kept->save_state(folder.path() + "/state", {}, *device.stream);
                  }));
    const Ops& cpu = cpu_ops("scalar");
    const auto model = load_tiny(cpu, *checks.stream(1), DType::F32, config, folder, WeightPlace::Host);
    model->step(result, batch, dpo_of(batch), *checks.stream(1));
    checks.expect("on the CPU it has no effect", model->memory().weights_host == 0);
}

// ---- tables with one op changed

const Ops* original = nullptr;
std::atomic<bool> stop{false};
int fetches = 0;
int stop_after = 0;

Status counted_fetch(void* target, const void* pinned, int64_t bytes, Stream* stream) {
    if (++fetches == stop_after) stop = true;
    return original->fetch(target, pinned, bytes, stream);
}

// A pass that is cancelled while a layer is on its way leaves nothing behind that a later one would see, nor
// does a model that goes meanwhile.
void check_cancelled(Checks& checks) {
    const DeviceTable& device = *device_table();
    Stream& stream = *device.stream;
    TemporaryFolder folder;
    const ModelConfig config = odd_config(attune::Family::Llama, 5, 0);
    Ops counting = *device.ops;
    original = device.ops;
    counting.fetch = counted_fetch;
    const auto resident = load_tiny(*device.ops, stream, DType::BF16, config, folder);
    const std::vector<double> want = passes(*resident, stream);
    auto kept = load_tiny(counting, stream, DType::BF16, config, folder, WeightPlace::Host);
    fetches = stop_after = 0;
    checks.expect_same("passes that are counted", passes(*kept, stream), want);
    // Log-probs of three batches, states of one.
    checks.expect("a pass copies every layer once", fetches == 4 * 5, std::to_string(fetches));
    stream.cancelled = &stop;
    const auto cancel_after = [&](int count) {
        fetches = 0;
        stop_after = count;
        stop = false;
        const bool aborted = throws(Code::Aborted, [&] { passes(*kept, stream); });
        stop_after = 0;
        stop = false;
        return aborted;
    };
    for (const int count : {1, 2, 4}) {
        const std::string name = "cancelled after " + std::to_string(count) + " copies";
        checks.expect(name, cancel_after(count));
        checks.expect_same(name + ": the next passes", passes(*kept, stream), want);
    }
    cancel_after(3);
    kept.reset();
    const auto other = load_tiny(*device.ops, stream, DType::BF16, config, folder);
    checks.expect_same("passes of a model in its memory", passes(*other, stream), want);
    stream.cancelled = nullptr;
}

// What a copy reads and writes belongs to others afterwards.
void check_release(Checks& checks) {
    const DeviceTable& device = *device_table();
    const Ops& ops = *device.ops;
    std::vector<float> values(1000);
    const size_t bytes = values.size() * sizeof(float);
    const TensorMemory memory(ops, *device.stream, bytes);
    {
        const PinnedMemory pinned(ops, *device.stream, bytes);
        std::fill_n(reinterpret_cast<float*>(pinned.data()), values.size(), 1.0f);
        check(ops.fetch(memory.data(), pinned.data(), static_cast<int64_t>(bytes), device.stream), "fetch");
    }
    read_floats(values.data(), memory.floats(), static_cast<int64_t>(values.size()), ops, *device.stream);
    checks.expect_same("pinned memory that goes waits for its copies", to_doubles(values),
                       std::vector<double>(values.size(), 1.0));
}

#ifdef ATTUNE_SIMT

Status no_wait(Stream*) {
    return Status::Ok;
}

// Nothing keeps it from what is still being read.
Status hasty_fetch(void* target, const void* pinned, int64_t bytes, Stream* stream) {
    const Status status = gpu::copy_in(target, pinned, bytes, gpu::device_of(stream).transfers()->queue());
    return status == Status::Ok ? original->fetch(target, pinned, bytes, stream) : status;
}

// Each of the two waits is what keeps the results right: without one of them late or early copies show.
void check_planted(Checks& checks, simt::Lag lag) {
    const DeviceTable& device = *device_table();
    TemporaryFolder folder;
    const ModelConfig config = odd_config(attune::Family::Llama, 5, 0);
    Ops unwaited = *device.ops, hasty = *device.ops;
    original = device.ops;
    unwaited.fetched = no_wait;
    hasty.fetch = hasty_fetch;
    const auto values = [&](const Ops& ops, WeightPlace place) {
        const auto model = load_tiny(ops, *device.stream, DType::F32, config, folder, place);
        return passes(*model, *device.stream);
    };
    const std::vector<double> want = values(*device.ops, WeightPlace::Device);
    const bool late = lag == simt::Lag::Late;
    checks.expect("layers that nobody waits for show when they come late",
                  (values(unwaited, WeightPlace::Host) == want) == !late);
    checks.expect("layers that wait for nobody show when they come early",
                  (values(hasty, WeightPlace::Host) == want) == late);
}

void check_offload(Checks& checks) {
    for (const simt::Lag lag : {simt::Lag::Early, simt::Lag::Late}) {
        simt::set_lag(lag);
        for (const Subject& subject : subjects()) check_subject(checks, subject);
        check_cancelled(checks);
        check_release(checks);
        check_planted(checks, lag);
    }
    check_refusals(checks);
}

#else

void check_offload(Checks& checks) {
    for (const Subject& subject : subjects()) check_subject(checks, subject);
    check_cancelled(checks);
    check_release(checks);
    check_refusals(checks);
}

#endif

const Register offload("offload", Runs::PerDevice, check_offload);

}  // namespace

}  // namespace attune::tool

#endif
