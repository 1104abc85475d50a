// Doors to single pieces of the compiled code that trains, so that expected values of other programs can be
// compared without a second copy of any formula. Used by tests only, through lib/engine/checks.ts.
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"
#include "core/backend.h"
#include "core/tensor_memory.h"
#include "formats/tensor_source.h"
#include "loss/kl_estimate_formula.h"
#include "loss/loss.h"
#include "loss/policy_sums.h"
#include "loss/value_loss.h"
#include "optim/adamw.h"

namespace attune::binding {

namespace {

// The first arguments of every check: engine, job.
template <class Work, class Convert>
Napi::Value check_job(const Napi::CallbackInfo& info, Work work, Convert convert) {
    EngineCore& engine = *engine_of(info[0]).core;
    return run(
        info.Env(), integer_from(info[1], "job"), engine,
        [ops = engine.ops, work = std::move(work)](Stream& stream, Job&) mutable {
            return work(*ops, stream);
        },
        std::move(convert));
}

Napi::Value floats_of(Napi::Env env, std::vector<float>& values) {
    return float32_value(env, std::move(values));
}

void expect_size(size_t size, int64_t expected, const char* name) {
    require(static_cast<int64_t>(size) == expected, Code::Shape, "Expected ", name, " to hold ", expected,
            " numbers but received ", size, ".");
}

// Null for an empty vector: the op then leaves that part out.
const float* data_or_null(const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data();
}

struct LossCheck {
    std::vector<double> group_losses;
    std::vector<double> gradient;
    double tie_gradient = 0;
    std::vector<float> entropy_gradient;
    std::optional<PolicySums> policy;
    std::optional<ValueSums> value;
};

Napi::Value loss_value(Napi::Env env, LossCheck& check) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("groupLosses", float64_value(env, std::move(check.group_losses)));
    object.Set("gradient", float64_value(env, std::move(check.gradient)));
    object.Set("tieGradient", check.tie_gradient);
    object.Set("entropyGradient", float32_value(env, std::move(check.entropy_gradient)));
    if (check.policy) object.Set("policy", policy_sums_value(env, *check.policy));
    if (check.value) object.Set("value", value_sums_value(env, *check.value));
    return object;
}

// logprobLoss(engine, job, loss, batch, logprobs, entropies?): { groupLosses, gradient, entropyGradient,
// policy? } with one entry per group and target; entropyGradient is empty without a term of the entropy
Napi::Value logprob_loss_check(const Napi::CallbackInfo& info) {
    auto work =
        [loss = loss_from(info[2]), batch = batch_from(info[3]), logprobs = float32_from(info[4], "logprobs"),
         entropies = info[5].IsUndefined() ? std::vector<float>() : float32_from(info[5], "entropies")](
            const Ops&, Stream&) mutable {
            if (entropies.empty()) entropies.resize(logprobs.size());
            expect_size(logprobs.size(), static_cast<int64_t>(batch.targets.size()), "logprobs");
            expect_size(entropies.size(), static_cast<int64_t>(batch.targets.size()), "entropies");
            require(!is_score_loss(loss), Code::Option, "Expected a loss of log-probs.");
            check_loss(loss, batch);
            LossCheck check;
            check.group_losses.resize(batch.groups.size());
            std::vector<float> gradient(logprobs.size());
            if (has_entropy_term(loss)) check.entropy_gradient.resize(logprobs.size());
            const TargetSpan targets{logprobs.data(), entropies.data(), gradient.data(),
                                     has_entropy_term(loss) ? check.entropy_gradient.data() : nullptr};
            LossSpace space;
            logprob_loss(check.group_losses.data(), targets, loss, batch, 0,
                         static_cast<int64_t>(batch.groups.size()), space);
            if (const auto* policy = std::get_if<PolicyOptions>(&loss.family))
                check.policy = policy_sums(*policy, batch, logprobs.data(), entropies.data());
            check.gradient.assign(gradient.begin(), gradient.end());
            return check;
        };
    return check_job(info, std::move(work), loss_value);
}

// scoreLoss(engine, job, loss, batch, scores, heads): { groupLosses, gradient, tieGradient, value? } with one
// entry per group and per target and head
Napi::Value score_loss_check(const Napi::CallbackInfo& info) {
    auto work = [loss = loss_from(info[2]), batch = batch_from(info[3]),
                 scores = float64_from(info[4], "scores"),
                 heads = integer_from(info[5], "heads")](const Ops&, Stream&) {
        require(is_score_loss(loss), Code::Option, "Expected a loss of scores.");
        check_loss(loss, batch, heads);
        expect_size(scores.size(), static_cast<int64_t>(batch.targets.size()) * heads, "scores");
        LossCheck check;
        check.group_losses.resize(batch.groups.size());
        check.gradient.resize(scores.size());
        std::vector<double> values(scores.size());
        LossSpace space;
        if (std::holds_alternative<ValueOptions>(loss.family))
            check.value = value_loss(check.group_losses.data(), check.gradient.data(), values.data(),
                                     scores.data(), loss, batch);
        else
            score_loss(check.group_losses.data(), check.gradient.data(), &check.tie_gradient, scores.data(),
                       heads, loss, batch, space);
        return check;
    };
    return check_job(info, std::move(work), loss_value);
}

TensorMemory memory_of(const std::vector<float>& values, const Ops& ops, Stream& stream) {
    TensorMemory memory(ops, stream, values.size() * sizeof(float));
    write_floats(memory.floats(), values.data(), static_cast<int64_t>(values.size()), ops, stream);
    return memory;
}

// [rows, vocabulary] of fp32 logits with one target per row.
struct Logits {
    std::vector<float> values;
    std::vector<int32_t> targets;
    int64_t rows = 0;
    int64_t vocabulary = 0;

    Logits(const Napi::Value& logits, const Napi::Value& ids)
        : values(float32_from(logits, "logits")), targets(int32_from(ids, "targets")) {
        rows = static_cast<int64_t>(targets.size());
        require(rows > 0 && values.size() % targets.size() == 0, Code::Shape, "Expected logits for ", rows,
                " rows but received ", values.size(), " numbers.");
        vocabulary = static_cast<int64_t>(values.size()) / rows;
        for (const int32_t target : targets)
            require(target >= 0 && target < vocabulary, Code::Shape, "targets: expected ids in [0, ",
                    vocabulary, ") but got ", target, ".");
    }

    Mat matrix(const TensorMemory& data) const {
        return {data.data(), DType::F32, rows, vocabulary, vocabulary};
    }
};

struct StatsCheck {
    std::vector<float> logprobs, logsumexps, entropies, mean_logits;
    std::vector<int32_t> argmax;
};

// headStats(engine, job, logits, targets, temperature)
Napi::Value head_stats_check(const Napi::CallbackInfo& info) {
    auto work = [logits = Logits(info[2], info[3]),
                 temperature = static_cast<float>(number_from(info[4], "temperature"))](const Ops& ops,
                                                                                        Stream& stream) {
        const auto rows = static_cast<size_t>(logits.rows);
        const TensorMemory values = memory_of(logits.values, ops, stream);
        StatsCheck check{std::vector<float>(rows), std::vector<float>(rows), std::vector<float>(rows),
                         std::vector<float>(rows), std::vector<int32_t>(rows)};
        const HeadStats out{check.logprobs.data(), check.logsumexps.data(), check.entropies.data(),
                            check.mean_logits.data(), check.argmax.data()};
        attune::check(ops.head_stats(out, logits.matrix(values), logits.targets.data(), temperature, &stream),
                      "head_stats");
        return check;
    };
    return check_job(info, std::move(work), [](Napi::Env env, StatsCheck& check) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("logprobs", float32_value(env, std::move(check.logprobs)));
        object.Set("logsumexps", float32_value(env, std::move(check.logsumexps)));
        object.Set("entropies", float32_value(env, std::move(check.entropies)));
        object.Set("meanLogits", float32_value(env, std::move(check.mean_logits)));
        object.Set("argmax", int32_value(env, std::move(check.argmax)));
        return object;
    });
}

struct KlCheck {
    std::vector<float> kl, reverse_kl;
};

// headKl(engine, job, logits, referenceLogits, rows, temperature): { kl, reverseKl }
Napi::Value head_kl_check(const Napi::CallbackInfo& info) {
    const int64_t row_count = integer_from(info[4], "rows");
    auto work = [policy = float32_from(info[2], "logits"),
                 reference = float32_from(info[3], "referenceLogits"), row_count,
                 temperature = static_cast<float>(number_from(info[5], "temperature"))](const Ops& ops,
                                                                                        Stream& stream) {
        require(row_count > 0 && policy.size() % static_cast<size_t>(row_count) == 0, Code::Shape,
                "Expected logits for ", row_count, " rows but received ", policy.size(), " numbers.");
        expect_size(reference.size(), static_cast<int64_t>(policy.size()), "referenceLogits");
        const int64_t V = static_cast<int64_t>(policy.size()) / row_count;
        const TensorMemory p = memory_of(policy, ops, stream), q = memory_of(reference, ops, stream);
        const auto matrix = [&](const TensorMemory& data) {
            return ConstMat(data.data(), DType::F32, row_count, V, V);
        };
        KlCheck check{std::vector<float>(static_cast<size_t>(row_count)),
                      std::vector<float>(static_cast<size_t>(row_count))};
        attune::check(
            ops.head_kl(check.kl.data(), check.reverse_kl.data(), matrix(p), matrix(q), temperature, &stream),
            "head_kl");
        return check;
    };
    return check_job(info, std::move(work), [](Napi::Env env, KlCheck& check) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("kl", float32_value(env, std::move(check.kl)));
        object.Set("reverseKl", float32_value(env, std::move(check.reverse_kl)));
        return object;
    });
}

// headGradient(engine, job, logits, referenceLogits, targets, weights, temperature): dlogits.
// weights: { logprob, entropy, kl, reverseKl }, one number per row each; an empty array leaves that term out.
Napi::Value head_gradient_check(const Napi::CallbackInfo& info) {
    const Napi::Object weights = object_from(info[5], "weights");
    auto work = [logits = Logits(info[2], info[4]), reference = float32_from(info[3], "referenceLogits"),
                 logprob = float32_from(weights.Get("logprob"), "weights.logprob"),
                 entropy = float32_from(weights.Get("entropy"), "weights.entropy"),
                 kl = float32_from(weights.Get("kl"), "weights.kl"),
                 reverse_kl = float32_from(weights.Get("reverseKl"), "weights.reverseKl"),
                 temperature = static_cast<float>(number_from(info[6], "temperature"))](
                    const Ops& ops, Stream& stream) mutable {
        for (const std::vector<float>* part : {&logprob, &entropy, &kl, &reverse_kl})
            if (!part->empty()) expect_size(part->size(), logits.rows, "weights");
        const TensorMemory values = memory_of(logits.values, ops, stream);
        TensorMemory reference_values;
        ConstMat q;
        if (!kl.empty() || !reverse_kl.empty()) {
            expect_size(reference.size(), static_cast<int64_t>(logits.values.size()), "referenceLogits");
            reference_values = memory_of(reference, ops, stream);
            q = logits.matrix(reference_values);
        }
        const HeadWeights row_weights{data_or_null(logprob), data_or_null(entropy), data_or_null(kl),
                                      data_or_null(reverse_kl)};
        attune::check(ops.head_gradient(logits.matrix(values), q, logits.targets.data(), row_weights,
                                        temperature, &stream),
                      "head_gradient");
        read_floats(logits.values.data(), values.floats(), static_cast<int64_t>(logits.values.size()), ops,
                    stream);
        return std::move(logits.values);
    };
    return check_job(info, std::move(work), floats_of);
}

struct KlEstimatesCheck {
    std::vector<double> k1, k2, k3, d_k3;
};

// klEstimates(engine, job, logprobs, referenceLogprobs): { k1, k2, k3, dK3 }, one entry per sampled token
Napi::Value kl_estimates_check(const Napi::CallbackInfo& info) {
    auto work = [logprobs = float32_from(info[2], "logprobs"),
                 reference = float32_from(info[3], "referenceLogprobs")](const Ops&, Stream&) {
        expect_size(reference.size(), static_cast<int64_t>(logprobs.size()), "referenceLogprobs");
        KlEstimatesCheck check;
        for (size_t i = 0; i < logprobs.size(); ++i) {
            const KlEstimate estimate = kl_estimate(logprobs[i], reference[i]);
            check.k1.push_back(estimate.k1);
            check.k2.push_back(estimate.k2);
            check.k3.push_back(estimate.k3);
            check.d_k3.push_back(estimate.d_k3);
        }
        return check;
    };
    return check_job(info, std::move(work), [](Napi::Env env, KlEstimatesCheck& check) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("k1", float64_value(env, std::move(check.k1)));
        object.Set("k2", float64_value(env, std::move(check.k2)));
        object.Set("k3", float64_value(env, std::move(check.k3)));
        object.Set("dK3", float64_value(env, std::move(check.d_k3)));
        return object;
    });
}

struct AdamWCheck {
    std::vector<float> parameter, m, v;
    double norm = 0;
};

// adamw(engine, job, state, gradient, options, t): state = { parameter, m, v } after step t = 1, 2, …, and
// gradNorm
Napi::Value adamw_check(const Napi::CallbackInfo& info) {
    const Napi::Object state = object_from(info[2], "state");
    const UpdateOptions given = update_from(info[4]);
    auto work = [check = AdamWCheck{float32_from(state.Get("parameter"), "parameter"),
                                    float32_from(state.Get("m"), "m"), float32_from(state.Get("v"), "v")},
                 gradient = float32_from(info[3], "gradient"), given,
                 t = integer_from(info[5], "t")](const Ops& ops, Stream& stream) mutable {
        const auto n = static_cast<int64_t>(gradient.size());
        for (const std::vector<float>* part : {&check.parameter, &check.m, &check.v})
            expect_size(part->size(), n, "state");
        const AdamWOptions options{given.learning_rate, given.beta1,        given.beta2,
                                   given.epsilon,       given.weight_decay, given.max_grad_norm};
        check_adamw(options);
        const TensorMemory parameter = memory_of(check.parameter, ops, stream);
        const TensorMemory m = memory_of(check.m, ops, stream), v = memory_of(check.v, ops, stream);
        const TensorMemory g = memory_of(gradient, ops, stream);
        check.norm = gradient_norm(ops, g.floats(), n, stream);
        attune::check(ops.adamw(parameter.floats(), nullptr, m.floats(), v.floats(), g.floats(), n,
                                Layout::Rows, adamw_step(options, t, check.norm), &stream),
                      "adamw");
        read_floats(check.parameter.data(), parameter.floats(), n, ops, stream);
        read_floats(check.m.data(), m.floats(), n, ops, stream);
        read_floats(check.v.data(), v.floats(), n, ops, stream);
        return std::move(check);
    };
    return check_job(info, std::move(work), [](Napi::Env env, AdamWCheck& check) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("parameter", float32_value(env, std::move(check.parameter)));
        object.Set("m", float32_value(env, std::move(check.m)));
        object.Set("v", float32_value(env, std::move(check.v)));
        object.Set("gradNorm", check.norm);
        return object;
    });
}

// weightRoundTrip(engine, job, values, rows, columns, dtype): the values after import into panels and export
// again
Napi::Value weight_round_trip(const Napi::CallbackInfo& info) {
    const int64_t N = integer_from(info[3], "rows");
    const int64_t K = integer_from(info[4], "columns");
    require(N > 0 && K > 0, Code::Shape, "Expected rows and columns of at least 1 but received ", N, " and ",
            K, ".");
    auto work = [values = float32_from(info[2], "values"), N, K, dtype = dtype_from(info[5])](
                    const Ops& ops, Stream& stream) {
        expect_size(values.size(), N * K, "values");
        const int64_t elements = layout_elements(Layout::Panels, N, K);
        const TensorMemory memory(ops, stream, static_cast<size_t>(elements * dtype_size(dtype)));
        attune::check(
            ops.weight_import(memory.data(), dtype, Layout::Panels, N, K, 0, N, values.data(), &stream),
            "weight_import");
        std::vector<float> result(values.size());
        attune::check(ops.weight_export(result.data(), Weight{memory.data(), dtype, Layout::Panels, N, K}, 0,
                                        N, &stream),
                      "weight_export");
        return result;
    };
    return check_job(info, std::move(work), floats_of);
}

struct TensorCheck {
    std::vector<int64_t> shape;
    std::vector<float> values;
};

// readTensor(engine, job, path, name): { shape, values } of one tensor of a model file, as it lies there
Napi::Value read_tensor_check(const Napi::CallbackInfo& info) {
    auto work = [path = text_from(info[2], "path"), name = text_from(info[3], "name")](const Ops&, Stream&) {
        const std::unique_ptr<const TensorSource> source = open_tensor_source(path);
        const int64_t index = source->at(name);
        const TensorInfo& tensor = source->tensors()[static_cast<size_t>(index)];
        TensorCheck check{tensor.shape,
                          std::vector<float>(static_cast<size_t>(tensor.rows * tensor.columns))};
        source->read_all(index, check.values.data());
        return check;
    };
    return check_job(info, std::move(work), [](Napi::Env env, TensorCheck& check) -> Napi::Value {
        Napi::Array shape = Napi::Array::New(env, check.shape.size());
        for (size_t i = 0; i < check.shape.size(); ++i)
            shape.Set(static_cast<uint32_t>(i), static_cast<double>(check.shape[i]));
        Napi::Object object = Napi::Object::New(env);
        object.Set("shape", shape);
        object.Set("values", float32_value(env, std::move(check.values)));
        return object;
    });
}

}  // namespace

void export_check_functions(Napi::Env env, Napi::Object exports) {
    Napi::Object checks = Napi::Object::New(env);
    export_function<logprob_loss_check>(env, checks, "logprobLoss");
    export_function<score_loss_check>(env, checks, "scoreLoss");
    export_function<head_stats_check>(env, checks, "headStats");
    export_function<head_kl_check>(env, checks, "headKl");
    export_function<head_gradient_check>(env, checks, "headGradient");
    export_function<kl_estimates_check>(env, checks, "klEstimates");
    export_function<adamw_check>(env, checks, "adamw");
    export_function<weight_round_trip>(env, checks, "weightRoundTrip");
    export_function<read_tensor_check>(env, checks, "readTensor");
    exports.Set("checks", checks);
}

}  // namespace attune::binding
