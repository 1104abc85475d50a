// Clipping and AdamW over every tensor of the set; reading of single tensors.
#include "session/trained_tensors.h"

#include <cmath>

#include "core/backend.h"
#include "core/error.h"
#include "model/score_head.h"
#include "optim/adamw.h"

namespace attune {

void TrainedTensors::start(Stream& stream) {
    if (started()) return;
    // New memory is zeros, so clearing is already done.
    first_moments_ = FlatTensors(spec_, ops_, stream);
    second_moments_ = FlatTensors(spec_, ops_, stream);
    gradients_ = Gradients(spec_, ops_, stream);
}

void TrainedTensors::forget_moments() {
    first_moments_ = {};
    second_moments_ = {};
    gradients_ = {};
}

void TrainedTensors::update_tensor(const TensorSpec& tensor, const float* gradient, AdamW settings,
                                   Stream& stream) {
    float* parameter = nullptr;
    bf16_t* compute = nullptr;
    if (tensor.vector) {
        parameter = weights_.vector(&tensor);
        settings.weight_decay = 0;
    } else if (!bf16()) {
        parameter = static_cast<float*>(weights_.matrix_data(tensor));
    } else {
        parameter = masters_.at(tensor);
        compute = static_cast<bf16_t*>(weights_.matrix_data(tensor));
    }
    check(ops_.adamw(parameter, compute, first_moments_.at(tensor), second_moments_.at(tensor), gradient,
                     tensor.elements, tensor.layout, settings, &stream),
          "adamw");
}

UpdateResult TrainedTensors::update(const UpdateOptions& o, Stream& stream) {
    const AdamWOptions options{o.learning_rate, o.beta1, o.beta2, o.epsilon, o.weight_decay, o.max_grad_norm};
    check_adamw(options);
    UpdateResult result;
    if (!gathered_) return result;
    const FlatTensors& gradients = gradients_.settled(stream);
    result.grad_norm = gradient_norm(ops_, gradients.data(), FlatTensors::elements(spec_), stream);
    result.finite = std::isfinite(result.grad_norm);
    if (result.finite) {
        const AdamW settings = adamw_step(options, ++updates_, result.grad_norm);
        for (const TensorSpec& tensor : spec_.tensors)
            update_tensor(tensor, gradients.at(tensor), settings, stream);
    }
    clear_gradients(stream);
    return result;
}

void TrainedTensors::clear_gradients(Stream& stream) {
    gathered_ = false;
    if (started()) gradients_.clear(stream);
}

void TrainedTensors::derive_weights(Stream& stream) const {
    for (const TensorSpec& tensor : spec_.tensors)
        if (!tensor.vector)
            check(ops_.weight_convert(weights_.matrix_data(tensor), weights_.type, masters_.at(tensor),
                                      tensor.layout, tensor.N, tensor.K, &stream),
                  "weight_convert");
}

void TrainedTensors::scale_score_heads(const std::vector<double>& factors, Stream& stream) {
    const TensorSpec& heads = spec_.at("score");
    void* weights = weights_.matrix_data(heads);
    if (!masters_) {
        attune::scale_score_heads(weights, weights_.type, heads, factors, ops_, stream);
        return;
    }
    attune::scale_score_heads(masters_.at(heads), DType::F32, heads, factors, ops_, stream);
    check(ops_.weight_convert(weights, weights_.type, masters_.at(heads), heads.layout, heads.N, heads.K,
                              &stream),
          "weight_convert");
}

PartRows TrainedTensors::value_rows(Stream& stream) const {
    return [this, &stream](const TensorSpec& tensor, int64_t first, int64_t rows, float* out) {
        if (tensor.vector) {
            read_floats(out, weights_.vector(&tensor) + first, rows, ops_, stream);
            return;
        }
        weights_.bring(tensor, stream);
        Weight weight = weights_.matrix(tensor);
        if (masters_) {
            weight.data = masters_.at(tensor);
            weight.dtype = DType::F32;
        }
        check(ops_.weight_export(out, weight, first, rows, &stream), "weight_export");
    };
}

PartRows TrainedTensors::flat_rows(const FlatTensors& flat, Stream& stream) const {
    return [this, &flat, &stream](const TensorSpec& tensor, int64_t first, int64_t rows, float* out) {
        const float* data = flat.at(tensor);
        if (tensor.vector)
            read_floats(out, data + first, rows, ops_, stream);
        else
            check(ops_.weight_export(out, {data, DType::F32, tensor.layout, tensor.N, tensor.K}, first, rows,
                                     &stream),
                  "weight_export");
    };
}

std::vector<float> TrainedTensors::named(const std::string& name, const PartRows& rows) const {
    for (const TensorSpec& tensor : spec_.tensors)
        for (const TensorPart& part : tensor.parts)
            if (part.name == name) return part_values(tensor, part, rows);
    raise(Code::Option, "Expected the name of one of the model's tensors but received \"", name, "\".");
}

std::vector<TensorView> TrainedTensors::tensors() const {
    std::vector<TensorView> views;
    for (const TensorSpec& tensor : spec_.tensors)
        for (const TensorPart& part : tensor.parts) views.push_back({part.name, part_shape(tensor, part)});
    return views;
}

}  // namespace attune
