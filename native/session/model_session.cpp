// Session over one model: a training step is trunk forward, head with loss, trunk backward; an update is
// clipping and AdamW. Joins the rooms; holds no mathematics of its own.
#include <cmath>
#include <cstring>

#include "core/backend.h"
#include "core/error.h"
#include "formats/safetensors_folder_writer.h"
#include "model/head.h"
#include "model/trunk.h"
#include "optim/adamw.h"
#include "session/session.h"
#include "session/tensor_io.h"

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
    RopeTable scaled_table(config);
    RopeTable plain_table(plain);
    scaled_table.grow(2);
    plain_table.grow(2);
    for (int64_t i = 0; i < half; ++i) {
        // Angles of position 1 are the frequencies.
        const double scaled = std::atan2(scaled_table.sine()[half + i], scaled_table.cosine()[half + i]);
        const double unscaled = std::atan2(plain_table.sine()[half + i], plain_table.cosine()[half + i]);
        require(std::fabs(unscaled / scaled / divisors[static_cast<size_t>(i)] - 1) < 1e-2, Code::Model,
                "rope_freqs.weight[", i, "]: expected a divisor of ", unscaled / scaled,
                " for Llama 3 scaling by ", config.rope_scaling.factor, " but ", source.path(), " has ",
                divisors[static_cast<size_t>(i)], ". This rotary scaling is not supported.");
    }
}

class ModelSession final : public Session {
  public:
    ModelSession(const Ops& ops, const ModelConfig& config, DType dtype)
        : ops_(ops),
          config_(config),
          dtype_(dtype),
          spec_(model_spec(config)),
          weights_(spec_, dtype),
          trunk_(ops, config, spec_, dtype),
          head_(ops, config, spec_, dtype) {}

    void read(const std::string& path, const Progress& progress, Stream& stream) {
        source_ = open_tensor_source(path);
        const TensorReader reader{ops_, spec_, *source_, stream};
        reader.check_tensors(config_.tied || config_.score_head);
        check_rope_divisors(*source_, config_);
        reader.read(weights_, progress);
        if (dtype_ == DType::F32) source_.reset();
    }

    const ModelConfig& config() const override { return config_; }
    DType dtype() const override { return dtype_; }
    int64_t parameters() const override { return spec_.parameters; }
    MemoryUse memory() const override;
    MemoryUse plan(int64_t rows, int64_t targets, bool training) const override;
    ForwardResult forward(const PackedBatch& batch, float temperature, Stream& stream,
                          std::vector<float>* hidden, std::vector<float>* logits) override;
    std::vector<float> score(const PackedBatch& batch, Stream& stream) override;
    StepResult step(const PackedBatch& batch, const LossOptions& loss, Stream& stream) override;
    UpdateResult update(const UpdateOptions& options, Stream& stream) override;
    void clear_gradients(Stream& stream) override;
    std::unique_ptr<Session> snapshot(Stream& stream) override;
    void save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) override;
    std::vector<TensorView> tensors() const override;
    std::vector<float> parameter(const std::string& name, Stream& stream) const override;
    std::vector<float> gradient(const std::string& name, Stream& stream) const override;

  private:
    MemoryUse resident(bool training) const;
    void check_batch(const PackedBatch& batch, bool has_score_head) const;
    void start_training(Stream& stream);
    void step_without_targets(StepResult& result, const PackedBatch& batch, const LossOptions& loss) const;
    void step_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss, Stream& stream);
    void step_scores(StepResult& result, const PackedBatch& batch, const LossOptions& loss, Stream& stream);
    void update_tensor(const TensorSpec& tensor, AdamW settings, Stream& stream);
    std::vector<float> named(const std::string& name, const PartRows& rows) const;
    PartRows parameter_rows(Stream& stream) const;

    const Ops& ops_;
    ModelConfig config_;
    DType dtype_;
    ModelSpec spec_;
    Weights weights_;
    Trunk trunk_;
    Head head_;
    std::unique_ptr<const TensorSource> source_;  // bf16: kept until training needs the fp32 values
    bool frozen_ = false;
    FlatTensors masters_;  // bf16 only: fp32 matrices (its vectors stay unused: those are fp32 in weights_)
    FlatTensors gradients_;
    FlatTensors first_moments_;
    FlatTensors second_moments_;
    int64_t updates_ = 0;
};

MemoryUse ModelSession::resident(bool training) const {
    MemoryUse use;
    const auto matrices = static_cast<int64_t>(Weights::matrix_bytes(spec_, dtype_));
    (dtype_ == DType::BF16 ? use.weights_bf16 : use.weights_fp32) += matrices;
    use.weights_fp32 += static_cast<int64_t>(Weights::vector_bytes(spec_));
    if (!training) return use;
    const int64_t flat = FlatTensors::elements(spec_) * static_cast<int64_t>(sizeof(float));
    if (dtype_ == DType::BF16) use.weights_fp32 += flat;
    use.gradients = flat;
    use.optimizer = 2 * flat;
    return use;
}

MemoryUse ModelSession::memory() const {
    MemoryUse use = resident(static_cast<bool>(gradients_));
    use.activations = trunk_.allocated_bytes();
    use.head = head_.allocated_bytes();
    return use;
}

MemoryUse ModelSession::plan(int64_t rows, int64_t targets, bool training) const {
    MemoryUse use = resident(training);
    use.activations = trunk_.planned_bytes(rows, training);
    use.head = head_.planned_bytes(targets);
    return use;
}

void ModelSession::check_batch(const PackedBatch& batch, bool wants_scores) const {
    batch.check(config_.vocabulary, config_.max_positions);
    require(wants_scores == config_.score_head, Code::Model,
            wants_scores ? "Expected a model with a score head but this one predicts tokens."
                         : "Expected a model that predicts tokens but this one has a score head.");
}

ForwardResult ModelSession::forward(const PackedBatch& batch, float temperature, Stream& stream,
                                    std::vector<float>* hidden, std::vector<float>* logits) {
    check_batch(batch, false);
    require(temperature > 0 && std::isfinite(temperature), Code::Option,
            "Expected a temperature above 0 but received ", temperature, ".");
    ForwardResult result;
    if (batch.targets.empty()) return result;
    head_.gather(weights_, trunk_.forward(weights_, batch, false, stream), batch, stream);
    if (hidden != nullptr) {
        hidden->resize(batch.targets.size() * static_cast<size_t>(config_.width));
        head_.copy_normed(hidden->data(), stream);
    }
    if (logits != nullptr) logits->resize(batch.targets.size() * static_cast<size_t>(config_.vocabulary));
    TargetStats stats;
    head_.evaluate(stats, weights_, temperature, logits == nullptr ? nullptr : logits->data(), stream);
    result.logprobs = std::move(stats.logprobs);
    result.entropies = std::move(stats.entropies);
    result.mean_logits = std::move(stats.mean_logits);
    result.argmax = std::move(stats.argmax);
    return result;
}

std::vector<float> ModelSession::score(const PackedBatch& batch, Stream& stream) {
    check_batch(batch, true);
    std::vector<float> scores;
    if (batch.targets.empty()) return scores;
    head_.gather(weights_, trunk_.forward(weights_, batch, false, stream), batch, stream);
    head_.score(scores, weights_, stream);
    return scores;
}

// Gradients and moments are allocated at the first step: a model that only generates never pays for them.
void ModelSession::start_training(Stream& stream) {
    require(!frozen_, Code::Option, "This model is a frozen snapshot and cannot be trained.");
    if (gradients_) return;
    if (dtype_ == DType::BF16 && !masters_) {
        // Kept only when all of them were read: zeros would pass for trained weights.
        FlatTensors masters(spec_);
        TensorReader{ops_, spec_, *source_, stream}.read_masters(masters);
        masters_ = std::move(masters);
        source_.reset();
    }
    // The kernel hands out zeroed pages, so clearing is already done.
    first_moments_ = FlatTensors(spec_);
    second_moments_ = FlatTensors(spec_);
    gradients_ = FlatTensors(spec_);
}

void add_losses(StepResult& result, const LossOptions& loss) {
    for (size_t g = 0; g < result.group_losses.size(); ++g)
        result.loss +=
            result.group_losses[g] * (loss.weights.empty() ? 1 : loss.weights[g]) / loss.normaliser;
    require(std::isfinite(result.loss), Code::NotFinite, "The loss is ", result.loss, ".");
}

StepResult ModelSession::step(const PackedBatch& batch, const LossOptions& loss, Stream& stream) {
    const bool scores = loss.kind == LossKind::BradleyTerry;
    check_batch(batch, scores);
    check_loss(loss, batch);
    start_training(stream);
    StepResult result;
    result.group_losses.assign(batch.groups.size(), 0);
    if (batch.targets.empty()) {
        step_without_targets(result, batch, loss);
        return result;
    }
    head_.gather(weights_, trunk_.forward(weights_, batch, true, stream), batch, stream);
    result.trunk_rows = batch.rows();
    if (scores)
        step_scores(result, batch, loss, stream);
    else
        step_logprobs(result, batch, loss, stream);
    add_losses(result, loss);
    const Mat dx = trunk_.output_gradient();
    check(ops_.fill(static_cast<float*>(dx.data), 0, dx.rows * dx.cols, &stream), "fill");
    head_.scatter(dx, weights_, gradients_, stream);
    trunk_.backward(weights_, &gradients_, batch, stream);
    return result;
}

// Empty completions have the sum 0: no gradient, but a pair of them has a loss, as it has beside others.
void ModelSession::step_without_targets(StepResult& result, const PackedBatch& batch,
                                        const LossOptions& loss) const {
    if (loss.kind == LossKind::BradleyTerry) return;  // its completions have one target each: there are none
    logprob_loss(result.group_losses.data(), nullptr, nullptr, loss, batch, 0,
                 static_cast<int64_t>(batch.groups.size()));
    result.completions.resize(batch.completions.size());
    add_losses(result, loss);
}

void ModelSession::step_logprobs(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                                 Stream& stream) {
    HeadLoss head_loss;
    head_loss.groups = [&](int64_t first, int64_t groups, const float* logprobs, float* dlogprobs) {
        logprob_loss(result.group_losses.data() + first, dlogprobs, logprobs, loss, batch, first, groups);
    };
    if (independent_targets(loss.kind))
        head_loss.targets = [&](int64_t first, int64_t count, const float* logprobs, float* dlogprobs) {
            target_loss(result.group_losses.data(), dlogprobs, logprobs, loss, batch, first, count);
        };
    TargetStats stats;
    head_.train(stats, weights_, gradients_, batch, head_loss, stream);
    result.head_rows = stats.head_rows;
    for (const Completion& completion : batch.completions) {
        CompletionSums sums;
        for (int32_t i = completion.first; i < completion.first + completion.count; ++i) {
            const auto t = static_cast<size_t>(i);
            sums.logprob += stats.logprobs[t];
            sums.entropy += stats.entropies[t];
            sums.mean_logit += stats.mean_logits[t];
            sums.correct += stats.argmax[t] == batch.targets[t].token ? 1 : 0;
            sums.count += 1;
        }
        result.completions.push_back(sums);
    }
}

void ModelSession::step_scores(StepResult& result, const PackedBatch& batch, const LossOptions& loss,
                               Stream& stream) {
    std::vector<float> scores;
    head_.score(scores, weights_, stream);
    result.scores.assign(scores.begin(), scores.end());
    result.head_rows = static_cast<int64_t>(scores.size());
    std::vector<double> dscores(scores.size(), 0);
    score_loss(result.group_losses.data(), dscores.data(), result.scores.data(), loss, batch);
    head_.score_backward(dscores, weights_, gradients_, stream);
}

void ModelSession::update_tensor(const TensorSpec& tensor, AdamW settings, Stream& stream) {
    float* parameter = nullptr;
    bf16_t* compute = nullptr;
    if (tensor.vector) {
        parameter = weights_.vector(&tensor);
        settings.weight_decay = 0;
    } else if (dtype_ == DType::F32) {
        parameter = static_cast<float*>(weights_.matrix_data(tensor));
    } else {
        parameter = masters_.at(tensor);
        compute = static_cast<bf16_t*>(weights_.matrix_data(tensor));
    }
    check(ops_.adamw(parameter, compute, first_moments_.at(tensor), second_moments_.at(tensor),
                     gradients_.at(tensor), tensor.elements, tensor.layout, settings, &stream),
          "adamw");
}

UpdateResult ModelSession::update(const UpdateOptions& o, Stream& stream) {
    const AdamWOptions options{o.learning_rate, o.beta1, o.beta2, o.epsilon, o.weight_decay, o.max_grad_norm};
    check_adamw(options);
    start_training(stream);
    UpdateResult result;
    result.grad_norm = gradient_norm(ops_, gradients_.data(), FlatTensors::elements(spec_), stream);
    result.finite = std::isfinite(result.grad_norm);
    if (result.finite) {
        const AdamW settings = adamw_step(options, ++updates_, result.grad_norm);
        for (const TensorSpec& tensor : spec_.tensors) update_tensor(tensor, settings, stream);
    }
    clear_gradients(stream);
    return result;
}

void ModelSession::clear_gradients(Stream& stream) {
    if (gradients_) check(ops_.fill(gradients_.data(), 0, FlatTensors::elements(spec_), &stream), "fill");
}

std::unique_ptr<Session> ModelSession::snapshot(Stream&) {
    auto copy = std::make_unique<ModelSession>(ops_, config_, dtype_);
    std::memcpy(copy->weights_.matrices.get(), weights_.matrices.get(), Weights::matrix_bytes(spec_, dtype_));
    std::memcpy(copy->weights_.vectors.get(), weights_.vectors.get(), Weights::vector_bytes(spec_));
    copy->frozen_ = true;
    return copy;
}

// The trained values: fp32 masters where there are any.
PartRows ModelSession::parameter_rows(Stream& stream) const {
    return [this, &stream](const TensorSpec& tensor, int64_t first, int64_t rows, float* out) {
        if (tensor.vector) {
            std::memcpy(out, weights_.vector(&tensor) + first, static_cast<size_t>(rows) * sizeof(float));
            return;
        }
        Weight weight = weights_.matrix(tensor);
        if (masters_) {
            weight.data = masters_.at(tensor);
            weight.dtype = DType::F32;
        }
        check(ops_.weight_export(out, weight, first, rows, &stream), "weight_export");
    };
}

std::vector<float> ModelSession::named(const std::string& name, const PartRows& rows) const {
    for (const TensorSpec& tensor : spec_.tensors)
        for (const TensorPart& part : tensor.parts)
            if (part.name == name) return part_values(tensor, part, rows);
    raise(Code::Option, "Expected the name of one of the model's tensors but received \"", name, "\".");
}

std::vector<float> ModelSession::parameter(const std::string& name, Stream& stream) const {
    return named(name, parameter_rows(stream));
}

std::vector<float> ModelSession::gradient(const std::string& name, Stream& stream) const {
    require(static_cast<bool>(gradients_), Code::Option, "There are no gradients before the first step.");
    return named(name, [&](const TensorSpec& tensor, int64_t first, int64_t rows, float* out) {
        const float* data = gradients_.at(tensor);
        if (tensor.vector)
            std::memcpy(out, data + first, static_cast<size_t>(rows) * sizeof(float));
        else
            check(ops_.weight_export(out, {data, DType::F32, tensor.layout, tensor.N, tensor.K}, first, rows,
                                     &stream),
                  "weight_export");
    });
}

std::vector<TensorView> ModelSession::tensors() const {
    std::vector<TensorView> views;
    for (const TensorSpec& tensor : spec_.tensors)
        for (const TensorPart& part : tensor.parts) views.push_back({part.name, part_shape(tensor, part)});
    return views;
}

void ModelSession::save(const std::string& folder, DType dtype, const Progress& progress, Stream& stream) {
    std::vector<TensorDeclaration> declarations;
    for (const TensorView& view : tensors()) declarations.push_back({view.name, dtype, view.shape});
    SafetensorsFolderWriter writer(folder, std::move(declarations), kShardBytes);
    const PartRows rows = parameter_rows(stream);
    int64_t done = 0;
    for (const TensorSpec& tensor : spec_.tensors)
        for (const TensorPart& part : tensor.parts) {
            part_slices(tensor, part, rows, [&](const float* values, int64_t count) {
                writer.write(part.name, values, count);
                done += count;
                if (progress) progress(static_cast<double>(done) / static_cast<double>(spec_.parameters));
            });
        }
    writer.finish();
}

}  // namespace

std::unique_ptr<Session> Session::load(const Ops& ops, Stream& stream, const ModelConfig& config, DType dtype,
                                       const std::string& path, const Progress& progress) {
    auto session = std::make_unique<ModelSession>(ops, config, dtype);
    session->read(path, progress, stream);
    return session;
}

}  // namespace attune
