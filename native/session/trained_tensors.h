// A set of tensors that training changes: their values, gradients and Adam's moments, in one layout. The same
// for a whole model and for an adapter; knows neither passes nor losses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/ops.h"
#include "model/gradients.h"
#include "model/spec.h"
#include "model/weights.h"
#include "session/session.h"
#include "session/tensor_io.h"

namespace attune {

class TrainedTensors {
  public:
    TrainedTensors(const Ops& ops, const ModelSpec& spec, const Weights& weights)
        : ops_(ops), spec_(spec), weights_(weights) {}

    const ModelSpec& spec() const { return spec_; }
    bool bf16() const { return weights_.type == DType::BF16; }
    bool started() const { return static_cast<bool>(gradients_); }
    bool has_masters() const { return static_cast<bool>(masters_); }
    int64_t updates() const { return updates_; }
    Gradients* gradients() { return started() ? &gradients_ : nullptr; }

    // fp32 values behind bf16 weights; taken only when all of them were read: zeros would pass for trained
    // weights.
    void take_masters(FlatTensors masters) { masters_ = std::move(masters); }
    // Gradients and moments, zero; masters must be there where they are needed.
    void start(Stream& stream);
    // Without gradients nothing changes: momentum alone would move the weights after a step that was
    // cancelled.
    UpdateResult update(const UpdateOptions& options, Stream& stream);
    // A step added its gradient.
    void note_gathered() { gathered_ = true; }
    void clear_gradients(Stream& stream);

    // Rows of the trained values: fp32 masters where there are any.
    PartRows value_rows(Stream& stream) const;
    // Rows of the gradients, zero where no step reached.
    PartRows gradient_rows(Stream& stream) { return flat_rows(gradients_.settled(stream), stream); }
    // Rows of a flat buffer in the same layout.
    PartRows flat_rows(const FlatTensors& flat, Stream& stream) const;
    // Row-major fp32, in the shape of a file. Throws Code::Option for a name that is none.
    std::vector<float> named(const std::string& name, const PartRows& rows) const;
    std::vector<TensorView> tensors() const;

    // For states: where values and moments lie, and how often they were updated.
    const FlatTensors& first_moments() const { return first_moments_; }
    const FlatTensors& second_moments() const { return second_moments_; }
    const FlatTensors& masters() const { return masters_; }
    const Weights& weights() const { return weights_; }
    void set_updates(int64_t updates) { updates_ = updates; }
    // Weights of the compute dtype from the masters.
    void derive_weights(Stream& stream) const;
    // Rows of the tensor "score" times their factors: masters first, where there are any.
    void scale_score_heads(const std::vector<double>& factors, Stream& stream);
    // As before the first step: no gradients, no moments.
    void forget_moments();

    // bytes of gradients and moments (and masters) when it trains
    int64_t flat_bytes() const { return FlatTensors::elements(spec_) * static_cast<int64_t>(sizeof(float)); }

  private:
    void update_tensor(const TensorSpec& tensor, const float* gradient, AdamW settings, Stream& stream);

    const Ops& ops_;
    const ModelSpec& spec_;
    const Weights& weights_;  // values behind the pointer change
    FlatTensors masters_;     // bf16 only: fp32 matrices (vectors are fp32 in the weights)
    Gradients gradients_;
    FlatTensors first_moments_;
    FlatTensors second_moments_;
    int64_t updates_ = 0;
    bool gathered_ = false;  // since the last update or clearing
};

}  // namespace attune
