// Final norm and LM head over target rows, in chunks of logits that stay small.
#include "model/head.h"

#include <algorithm>

#include "core/backend.h"
#include "core/error.h"

namespace attune {

namespace {
// Large enough that the head's weight gradient is read and written rarely (kernels.md, fused head), small
// beside the weights: 640 rows of a vocabulary of 49152.
constexpr int64_t kLogitBytes = int64_t{120} << 20;
constexpr int64_t kMinimumChunk = 48;
// More targets than these make two chunks at least: half of the memory that is touched, for one more pass
// over the gradient.
constexpr int64_t kWholeChunk = 128;
// The trunk looks at the flag between layers; the head does between chunks.
void stop_if_cancelled(const Stream& stream) {
    if (stream.cancelled != nullptr && stream.cancelled->load(std::memory_order_relaxed))
        raise(Code::Aborted, "The computation was cancelled.");
}

int64_t in_panels(int64_t heads) {
    return (heads + kPanel - 1) / kPanel * kPanel;
}

struct Cursor {
    std::byte* base;
    size_t used = 0;
    void* take(int64_t bytes) {
        void* at = base == nullptr ? nullptr : base + used;
        used += static_cast<size_t>((bytes + 63) / 64 * 64);
        return at;
    }
};
}  // namespace

Head::Head(const Ops& ops, const ModelConfig& config, const ModelSpec& spec, DType dtype)
    : ops_(ops),
      config_(config),
      dtype_(dtype),
      matrix_(config.score_heads > 0 ? nullptr
              : config.tied          ? &spec.at("embedding")
                                     : &spec.at("head")),
      norm_(&spec.at("norm.weight")),
      norm_bias_(config.family == Family::Gpt2 ? &spec.at("norm.bias") : nullptr) {}

int64_t Head::chunk_rows() const {
    return std::max(kMinimumChunk, kLogitBytes / (config_.vocabulary * static_cast<int64_t>(sizeof(float))));
}

int64_t Head::even_rows() const {
    const int64_t targets = std::max<int64_t>(targets_, 1);
    const int64_t most = std::min(chunk_rows(), targets <= kWholeChunk ? targets : (targets + 1) / 2);
    const int64_t chunks = (targets + most - 1) / most;
    return (targets + chunks - 1) / chunks;
}

int64_t Head::logit_values(int64_t targets, HeadKind kind) const {
    return kind.scores > 0 ? targets * in_panels(kind.scores)
                           : std::min(targets, chunk_rows()) * config_.vocabulary;
}

int64_t Head::planned_bytes(int64_t targets, HeadKind kind) const {
    const int64_t row = config_.width * (2 * dtype_size(dtype_) + 8) + 8;
    const int64_t logits = logit_values(targets, kind);
    return targets * row + logits * 4 + 7 * 64;
}

// The gradients' memory is laid out for evaluation too: it is small beside the logits, and one layout serves
// both.
void Head::prepare(int64_t targets, HeadKind kind, Stream& stream) {
    const auto needed = static_cast<size_t>(planned_bytes(targets, kind));
    arena_.grow(ops_, stream, needed);
    bytes_ = std::max(bytes_, needed);
    targets_ = targets;
    Cursor cursor{arena_.data()};
    const auto matrix = [&](DType dtype) {
        return Mat{cursor.take(targets * config_.width * dtype_size(dtype)), dtype, targets, config_.width,
                   config_.width};
    };
    const auto floats = [&](int64_t count) { return static_cast<float*>(cursor.take(count * 4)); };
    gathered_ = matrix(dtype_);
    normed_ = matrix(dtype_);
    d_normed_ = matrix(DType::F32);
    d_gathered_ = matrix(DType::F32);
    rstd_ = floats(targets);
    mean_ = floats(targets);
    logits_ = floats(logit_values(targets, kind));
    d_logprobs_.resize(static_cast<size_t>(targets));
    d_entropies_.resize(static_cast<size_t>(targets));
}

void Head::gather(const Weights& weights, ConstMat x, const PackedBatch& batch, HeadKind kind,
                  Stream& stream) {
    prepare(static_cast<int64_t>(batch.targets.size()), kind, stream);
    rows_.clear();
    tokens_.clear();
    for (const Target& target : batch.targets) {
        rows_.push_back(target.row);
        tokens_.push_back(target.token);
    }
    check(ops_.gather_rows(gathered_, x, rows_.data(), &stream), "gather_rows");
    const float* w = weights.vector(norm_);
    if (norm_bias_ != nullptr)
        check(ops_.layernorm_forward(normed_, mean_, rstd_, gathered_, w, weights.vector(norm_bias_),
                                     config_.norm_epsilon, &stream),
              "layernorm_forward");
    else
        check(ops_.rmsnorm_forward(normed_, rstd_, gathered_, w, 1, config_.norm_epsilon, &stream),
              "rmsnorm_forward");
}

ConstMat Head::normed_rows(Chunk chunk) const {
    return {static_cast<std::byte*>(normed_.data) + chunk.first * config_.width * dtype_size(dtype_), dtype_,
            chunk.count, config_.width, config_.width};
}

Mat Head::logits_of(Chunk chunk) const {
    return {logits_, DType::F32, chunk.count, config_.vocabulary, config_.vocabulary};
}

void Head::forward_logits(const Weights& weights, Chunk chunk, Stream& stream) {
    stop_if_cancelled(stream);
    const Epilogue none;
    check(ops_.linear_forward(logits_of(chunk), normed_rows(chunk), weights.matrix(*matrix_), &none, &stream),
          "linear_forward");
}

void Head::forward_chunk(TargetStats& stats, const Weights& weights, Chunk chunk, float temperature,
                         Stream& stream) {
    forward_logits(weights, chunk, stream);
    const Mat logits = logits_of(chunk);
    HeadStats out;
    out.logprob = stats.logprobs.data() + chunk.first;
    out.entropy = stats.entropies.data() + chunk.first;
    out.mean_logit = stats.mean_logits.data() + chunk.first;
    out.argmax = stats.argmax.data() + chunk.first;
    check(ops_.head_stats(out, logits, tokens_.data() + chunk.first, temperature, &stream), "head_stats");
    stats.head_rows += chunk.count;
}

TargetSpan Head::span_of(const TargetStats& stats, const HeadLoss& loss, int64_t first) {
    return {stats.logprobs.data() + first, stats.entropies.data() + first, d_logprobs_.data() + first,
            loss.entropy ? d_entropies_.data() + first : nullptr};
}

// The chunk's logits must still lie in the workspace, the derivatives of its targets be set.
void Head::backward_chunk(const Weights& weights, Gradients* gradients, Chunk chunk, const HeadLoss& loss,
                          Stream& stream) {
    const Mat dlogits = logits_of(chunk);
    HeadWeights w;
    w.logprob = d_logprobs_.data() + chunk.first;
    if (loss.entropy) w.entropy = d_entropies_.data() + chunk.first;
    check(ops_.head_gradient(dlogits, {}, tokens_.data() + chunk.first, w, loss.temperature, &stream),
          "head_gradient");
    backward_logits(weights, gradients, chunk, stream);
}

// Where the chunk's logits were, their derivatives must lie.
void Head::backward_logits(const Weights& weights, Gradients* gradients, Chunk chunk, Stream& stream) {
    const Mat dlogits = logits_of(chunk);
    Mat dx = d_normed_;
    dx.data = static_cast<float*>(d_normed_.data) + chunk.first * config_.width;
    dx.rows = chunk.count;
    check(ops_.linear_backward_input(dx, dlogits, weights.matrix(*matrix_), 0, &stream),
          "linear_backward_input");
    if (gradients == nullptr) return;
    const auto [dw, accumulate] = gradients->product(*matrix_);
    check(ops_.linear_backward_weight(dw, nullptr, dlogits, normed_rows(chunk), accumulate, &stream),
          "linear_backward_weight");
}

namespace {
void resize(TargetStats& stats, int64_t targets) {
    const auto n = static_cast<size_t>(targets);
    stats.logprobs.resize(n);
    stats.entropies.resize(n);
    stats.mean_logits.resize(n);
    stats.argmax.resize(n);
    stats.head_rows = 0;
}
}  // namespace

void Head::evaluate(TargetStats& stats, const Weights& weights, float temperature, float* logits,
                    Stream& stream) {
    resize(stats, targets_);
    const int64_t rows = even_rows();
    for (int64_t first = 0; first < targets_; first += rows) {
        const Chunk chunk{first, std::min(rows, targets_ - first)};
        forward_chunk(stats, weights, chunk, temperature, stream);
        if (logits != nullptr)
            read_floats(logits + first * config_.vocabulary, logits_, chunk.count * config_.vocabulary, ops_,
                        stream);
    }
}

void Head::visit_logits(const Weights& weights, const std::function<void(int64_t first, Mat logits)>& visit,
                        Stream& stream) {
    const int64_t rows = even_rows();
    for (int64_t first = 0; first < targets_; first += rows) {
        const Chunk chunk{first, std::min(rows, targets_ - first)};
        forward_logits(weights, chunk, stream);
        visit(first, logits_of(chunk));
    }
}

void Head::train(TargetStats& stats, const Weights& weights, Gradients* gradients, const PackedBatch& batch,
                 const HeadLoss& loss, Stream& stream) {
    resize(stats, targets_);
    if (!loss.targets) {
        train_groups(stats, weights, gradients, batch, loss, stream);
        return;
    }
    const int64_t rows = even_rows();
    for (int64_t first = 0; first < targets_; first += rows) {
        const Chunk chunk{first, std::min(rows, targets_ - first)};
        forward_chunk(stats, weights, chunk, loss.temperature, stream);
        loss.targets(chunk.first, chunk.count, span_of(stats, loss, chunk.first));
        backward_chunk(weights, gradients, chunk, loss, stream);
    }
}

void Head::train_logits(
    TargetStats& stats, const Weights& weights, Gradients* gradients,
    const std::function<void(int64_t first, const int32_t* tokens, Mat logits)>& differentiate,
    Stream& stream) {
    resize(stats, targets_);
    const int64_t rows = even_rows();
    for (int64_t first = 0; first < targets_; first += rows) {
        const Chunk chunk{first, std::min(rows, targets_ - first)};
        forward_chunk(stats, weights, chunk, 1.0f, stream);
        differentiate(first, tokens_.data() + first, logits_of(chunk));
        backward_logits(weights, gradients, chunk, stream);
    }
}

void Head::train_groups(TargetStats& stats, const Weights& weights, Gradients* gradients,
                        const PackedBatch& batch, const HeadLoss& loss, Stream& stream) {
    const auto targets_of = [&](int64_t group) {
        int64_t sum = 0;
        const Group& g = batch.groups[static_cast<size_t>(group)];
        for (int32_t c = 0; c < g.count; ++c)
            sum += batch.completions[static_cast<size_t>(g.first + c)].count;
        return sum;
    };
    const auto groups = static_cast<int64_t>(batch.groups.size());
    Chunk chunk{0, 0};
    for (int64_t group = 0; group < groups;) {
        const int64_t first_group = group;
        chunk = {chunk.first + chunk.count, targets_of(group)};
        ++group;
        if (chunk.count > chunk_rows()) {
            train_large_group(stats, weights, gradients, chunk, first_group, loss, stream);
            continue;
        }
        for (; group < groups && chunk.count + targets_of(group) <= chunk_rows(); ++group)
            chunk.count += targets_of(group);
        if (chunk.count > 0) forward_chunk(stats, weights, chunk, loss.temperature, stream);
        // Groups without targets have a loss too.
        loss.groups(first_group, group - first_group, span_of(stats, loss, chunk.first));
        if (chunk.count > 0) backward_chunk(weights, gradients, chunk, loss, stream);
    }
}

// Too many targets for one chunk of logits: all log-probs first, then each part again with its gradient.
void Head::train_large_group(TargetStats& stats, const Weights& weights, Gradients* gradients, Chunk group,
                             int64_t index, const HeadLoss& loss, Stream& stream) {
    const auto parts = [&](auto&& visit) {
        const int64_t end = group.first + group.count;
        for (int64_t first = group.first; first < end; first += chunk_rows())
            visit(Chunk{first, std::min(chunk_rows(), end - first)});
    };
    parts([&](Chunk part) { forward_chunk(stats, weights, part, loss.temperature, stream); });
    loss.groups(index, 1, span_of(stats, loss, group.first));
    parts([&](Chunk part) {
        forward_chunk(stats, weights, part, loss.temperature, stream);
        backward_chunk(weights, gradients, part, loss, stream);
    });
}

// The kernels write whole panels.
Mat Head::scores_of(int64_t heads) const {
    return {logits_, DType::F32, targets_, heads, in_panels(heads)};
}

void Head::score(std::vector<float>& scores, Weight heads, Stream& stream) {
    const Mat out = scores_of(heads.N);
    const Epilogue none;
    check(ops_.linear_forward(out, normed_rows({0, targets_}), heads, &none, &stream), "linear_forward");
    scores_.resize(static_cast<size_t>(targets_ * out.stride));
    read_floats(scores_.data(), logits_, targets_ * out.stride, ops_, stream);
    scores.resize(static_cast<size_t>(targets_ * heads.N));
    for (int64_t i = 0; i < targets_; ++i)
        std::copy_n(scores_.data() + i * out.stride, heads.N, scores.data() + i * heads.N);
}

void Head::score_backward(const std::vector<double>& dscores, Weight heads, WeightGrad gradient,
                          Stream& stream) {
    const Mat d = scores_of(heads.N);
    scores_.resize(static_cast<size_t>(targets_ * d.stride));
    for (int64_t i = 0; i < targets_; ++i)
        for (int64_t k = 0; k < heads.N; ++k)
            scores_[static_cast<size_t>(i * d.stride + k)] =
                static_cast<float>(dscores[static_cast<size_t>(i * heads.N + k)]);
    write_floats(logits_, scores_.data(), targets_ * d.stride, ops_, stream);
    check(ops_.linear_backward_input(d_normed_, d, heads, 0, &stream), "linear_backward_input");
    if (gradient.data == nullptr) return;
    check(ops_.linear_backward_weight(gradient, nullptr, d, normed_rows({0, targets_}), 1, &stream),
          "linear_backward_weight");
}

void Head::scatter(Mat dx, const Weights& weights, Gradients* gradients, Stream& stream) {
    const auto gradient = [&](const TensorSpec* tensor) {
        return gradients == nullptr ? nullptr : gradients->vector(tensor);
    };
    const float* w = weights.vector(norm_);
    if (norm_bias_ != nullptr)
        check(ops_.layernorm_backward(d_gathered_, gradient(norm_), gradient(norm_bias_), d_normed_,
                                      gathered_, mean_, rstd_, w, 0, &stream),
              "layernorm_backward");
    else
        check(ops_.rmsnorm_backward(d_gathered_, gradient(norm_), d_normed_, gathered_, rstd_, w, 1, 0,
                                    &stream),
              "rmsnorm_backward");
    check(ops_.scatter_add_rows(dx, d_gathered_, rows_.data(), &stream), "scatter_add_rows");
}

void Head::copy_normed(float* out, Stream& stream) const {
    check(ops_.copy(d_normed_, normed_, &stream), "copy");
    read_floats(out, static_cast<const float*>(d_normed_.data), targets_ * config_.width, ops_, stream);
}

}  // namespace attune
