// Values of a session coming and going: loading, roles, snapshots, folders, states.
#include <cmath>
#include <utility>

#include "core/backend.h"
#include "core/error.h"
#include "formats/safetensors_folder_writer.h"
#include "session/fingerprint.h"
#include "session/merged_rows.h"
#include "session/model_session.h"
#include "session/training_state.h"

namespace attune {

namespace {

constexpr int64_t kShardBytes = int64_t{5} << 30;  // as transformers writes them

// The scaling that a GGUF stores as divisors must be the one its configuration was read as.
void check_rope_divisors(const TensorSource& source, const ModelConfig& config) {
    const int64_t index = source.find("rope_freqs.weight");
    if (index < 0) return;
    const int64_t half = config.head_width / 2;
    std::vector<float> divisors(static_cast<size_t>(source.tensors()[static_cast<size_t>(index)].columns));
    require(static_cast<int64_t>(divisors.size()) == half && config.rope_scaling.llama3, Code::Model,
            "rope_freqs.weight: expected ", half, " divisors of a Llama 3 model but ", source.path(), " has ",
            divisors.size(), ".");
    source.read_all(index, divisors.data());
    ModelConfig plain = config;
    plain.rope_scaling.llama3 = false;
    const std::vector<double> scaled = rope_frequencies(config), unscaled = rope_frequencies(plain);
    for (size_t i = 0; i < divisors.size(); ++i) {
        const double divisor = unscaled[i] / scaled[i];
        require(std::fabs(divisor / divisors[i] - 1) < 1e-2, Code::Model, "rope_freqs.weight[", i,
                "]: expected a divisor of ", divisor, " for Llama 3 scaling by ", config.rope_scaling.factor,
                " but ", source.path(), " has ", divisors[i], ". This rotary scaling is not supported.");
    }
}

// Of the base's file, which must be open.
TensorReader reader_of(const ModelBase& base, Stream& stream) {
    return {base.ops, base.spec, *base.source, stream, {}, Code::Model, base.drawn ? "score" : ""};
}

// All of it is on the device in `from`.
void copy_weights(const Weights& to, const Weights& from, const ModelSpec& spec, const Ops& ops,
                  Stream& stream) {
    const auto copy = [&](const TensorMemory& target, const TensorMemory& source, DType dtype, int64_t n) {
        check(ops.copy({target.data(), dtype, 1, n, n}, {source.data(), dtype, 1, n, n}, &stream), "copy");
    };
    if (to.layers != nullptr)
        to.layers->copy_from(from.matrices.data(), stream);
    else
        copy(to.matrices, from.matrices, from.type, spec.matrix_elements);
    copy(to.vectors, from.vectors, DType::F32, spec.vector_elements);
}

// Calls write(name, values, count) for every part of a spec, in order, in pieces.
template <class Write>
void write_parts(const ModelSpec& spec, const PartRows& rows, const Progress& progress, const Write& write) {
    int64_t done = 0;
    for (const TensorSpec& tensor : spec.tensors)
        for (const TensorPart& part : tensor.parts)
            part_slices(tensor, part, rows, [&](const float* values, int64_t count) {
                write(part.name, values, count);
                done += count;
                if (progress) progress(static_cast<double>(done) / static_cast<double>(spec.parameters));
            });
}

std::vector<TensorDeclaration> declare(const ModelSpec& spec, DType dtype) {
    std::vector<TensorDeclaration> declarations;
    for (const TensorSpec& tensor : spec.tensors)
        for (const TensorPart& part : tensor.parts)
            declarations.push_back({part.name, dtype, part_shape(tensor, part)});
    return declarations;
}

}  // namespace

std::unique_ptr<Session> Session::load(const Ops& ops, Stream& stream, const ModelConfig& config, DType dtype,
                                       const std::string& path, const std::optional<ScoreDraw>& score,
                                       const Progress& progress, WeightPlace place) {
    require(!score || config.score_heads > 0, Code::Option,
            "Expected score heads to draw but there are none.");
    auto base = std::make_shared<ModelBase>(ops, stream, config, dtype, place);
    base->path = path;
    base->drawn = score;
    base->source = open_tensor_source(path);
    const TensorReader reader = reader_of(*base, stream);
    reader.check_tensors(config.tied || config.score_heads > 0);
    check_rope_divisors(*base->source, config);
    reader.read(base->weights, progress);
    if (score) {
        const TensorSpec& heads = base->spec.at("score");
        draw_score_heads(base->weights.matrix_data(heads), dtype, heads, *score, ops, stream);
    }
    if (dtype == DType::F32 || base->weights.place() == WeightPlace::Host) base->source.reset();
    return std::make_unique<ModelSession>(std::move(base), ModelSession::Role::Whole);
}

void ModelSession::check_on_device() const {
    require(role_ != Role::Whole || base_->weights.place() == WeightPlace::Device, Code::Option,
            "Expected to train the whole model but the host keeps its weights. Load it with weights "
            "\"device\", or train an adapter on it.");
}

void ModelSession::check_trainable() const {
    require(!frozen(), Code::Option, "This model is a frozen snapshot and cannot be trained.");
    check_on_device();
    require(role_ != Role::Whole || base_->dependents == 0, Code::Option,
            "Expected to train the whole model but adapters or frozen views of it exist, and their meaning "
            "would change. Train an adapter, or dispose them first.");
}

void ModelSession::read_masters(Stream& stream) {
    if (role_ != Role::Whole || !trained_.bf16() || trained_.has_masters()) return;
    if (!base_->source) base_->source = open_tensor_source(base_->path);
    FlatTensors masters(base_->spec, base_->ops, stream);
    reader_of(*base_, stream).read_masters(masters);
    if (base_->drawn) {
        const TensorSpec& heads = base_->spec.at("score");
        draw_score_heads(masters.at(heads), DType::F32, heads, *base_->drawn, base_->ops, stream);
    }
    trained_.take_masters(std::move(masters));
    base_->source.reset();
}

// Gradients and moments are allocated at the first step: a model that only generates never pays for them.
void ModelSession::start_training(Stream& stream) {
    check_trainable();
    if (trained_.started()) return;
    read_masters(stream);
    trained_.start(stream);
}

namespace {

// Heads that the file of an adapter holds.
int64_t heads_in(const TensorSource& source, int64_t otherwise) {
    const int64_t index = source.find(kScoreName);
    if (index < 0) return otherwise;  // check_tensors() names what is missing
    const std::vector<int64_t>& shape = source.tensors()[static_cast<size_t>(index)].shape;
    return shape.size() == 2 ? shape[0] : otherwise;
}

}  // namespace

std::unique_ptr<Session> ModelSession::add_role(const RoleOptions& options, Stream& stream) {
    AdapterConfig config = options.adapter;
    std::unique_ptr<const TensorSource> source;
    if (!options.file.empty()) {
        source = open_tensor_source(options.file);
        if (config.score_heads > 0) config.score_heads = heads_in(*source, config.score_heads);
    }
    auto adapter = std::make_unique<Adapter>(base_->config, base_->spec, config, base_->ops, stream);
    if (source) {
        const TensorReader reader{base_->ops, adapter->spec(), *source, stream};
        reader.check_tensors(false);
        reader.read(adapter->weights(), {});
    } else {
        if (adapter->score_head() != nullptr) start_score_heads(*adapter, options, stream);
        adapter->initialise(options.seed, base_->ops, stream);
    }
    // Whoever trains an adapter does not train the base.
    base_->source.reset();
    return std::make_unique<ModelSession>(base_, Role::Adapter, std::move(adapter));
}

void ModelSession::start_score_heads(Adapter& adapter, const RoleOptions& options, Stream& stream) const {
    const TensorSpec& heads = *adapter.score_head();
    void* data = adapter.weights().matrix_data(heads);
    if (!options.copy_score) {
        draw_score_heads(data, DType::F32, heads, options.score, base_->ops, stream);
        return;
    }
    require(kind().scores == heads.N, Code::Option, "Expected as many score heads to copy as there are, ",
            heads.N, ", but the model has ", kind().scores, ".");
    std::vector<float> values(static_cast<size_t>(heads.N * heads.K));
    check(base_->ops.weight_export(values.data(), score_weight(), 0, heads.N, &stream), "weight_export");
    check(base_->ops.weight_import(data, DType::F32, heads.layout, heads.N, heads.K, 0, heads.N,
                                   values.data(), &stream),
          "weight_import");
}

std::unique_ptr<Session> ModelSession::snapshot(Stream& stream, WeightPlace place) {
    const bool changes = base_->weights.place() == WeightPlace::Device;
    if (changes && (role_ == Role::Whole || role_ == Role::FrozenWhole)) {
        auto copy = std::make_shared<ModelBase>(base_->ops, stream, base_->config, base_->dtype, place);
        copy_weights(copy->weights, base_->weights, base_->spec, base_->ops, stream);
        return std::make_unique<ModelSession>(std::move(copy), Role::FrozenWhole);
    }
    const bool same =
        !adapter_ || (adapter_->score_head() == nullptr && adapter_->changes_nothing(base_->ops, stream));
    if (same) return std::make_unique<ModelSession>(base_, Role::FrozenAdapter);
    auto copy = std::make_unique<Adapter>(base_->config, base_->spec, adapter_->config(), base_->ops, stream);
    copy_weights(copy->weights(), adapter_->weights(), adapter_->spec(), base_->ops, stream);
    return std::make_unique<ModelSession>(base_, Role::FrozenAdapter, std::move(copy));
}

std::vector<TensorView> ModelSession::base_tensors() const {
    return adapter_ ? base_values().tensors() : std::vector<TensorView>{};
}

uint64_t ModelSession::base_fingerprint(Stream& stream) const {
    return weights_fingerprint(base_->spec, base_values().value_rows(stream));
}

std::vector<float> ModelSession::parameter(const std::string& name, Stream& stream) const {
    if (adapter_ && !name.starts_with("base_model.")) {
        const TrainedTensors base = base_values();
        return base.named(name, base.value_rows(stream));
    }
    return trained_.named(name, trained_.value_rows(stream));
}

std::vector<float> ModelSession::gradient(const std::string& name, Stream& stream) {
    require(trained_.started(), Code::Option, "There are no gradients before the first step.");
    return trained_.named(name, trained_.gradient_rows(stream));
}

void ModelSession::save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) {
    const ModelSpec& spec = trained_.spec();
    const PartRows rows = trained_.value_rows(stream);
    if (adapter_) {
        SafetensorsWriter writer(folder + "/adapter_model.safetensors", declare(spec, dtype));
        write_parts(spec, rows, progress, [&](const std::string& name, const float* values, int64_t count) {
            writer.write(name, values, count);
        });
        writer.finish();
        return;
    }
    SafetensorsFolderWriter writer(folder, declare(spec, dtype), kShardBytes);
    write_parts(spec, rows, progress, [&](const std::string& name, const float* values, int64_t count) {
        writer.write(name, values, count);
    });
    writer.finish();
}

void ModelSession::save_merged(const std::string& folder, DType dtype, const Progress& progress,
                               Stream& stream) {
    require(adapter_ != nullptr, Code::Option,
            "Expected an adapter to merge into the base but this model has none. Use save().");
    const MergedModel merged(base_->config, base_->spec, base_->weights, *adapter_, base_->ops, stream);
    SafetensorsFolderWriter writer(folder, declare(merged.spec(), dtype), kShardBytes);
    write_parts(merged.spec(), merged.rows(), progress,
                [&](const std::string& name, const float* values, int64_t count) {
                    writer.write(name, values, count);
                });
    writer.finish();
}

void ModelSession::save_state(const std::string& file, const Progress& progress, Stream& stream) {
    require(!frozen(), Code::Option, "This model is a frozen snapshot and has no state to save.");
    check_on_device();
    read_masters(stream);
    write_state(file, trained_, progress, stream);
}

void ModelSession::load_state(const std::string& file, const Progress& progress, Stream& stream) {
    check_trainable();
    read_state(file, trained_, base_->ops, progress, stream);
    if (role_ == Role::Whole) base_->source.reset();
    ++version_;
}

}  // namespace attune
