// The tables of losses, and what the losses that sort over an update need before its steps. Must not compute
// a loss.
#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"
#include "loss/loss_tables.h"
#include "loss/match_update.h"

namespace attune::binding {

namespace {

// matchUpdate(loss, logprobs, reference): Float64Array
Napi::Value match_update_values(const Napi::CallbackInfo& info) {
    return float64_value(info.Env(),
                         match_update(text_from(info[0], "loss"), float64_from(info[1], "logprobs"),
                                      float64_from(info[2], "reference")));
}

template <class Entry, class Fill>
Napi::Array table_value(Napi::Env env, std::span<const Entry> table, Fill fill) {
    Napi::Array list = Napi::Array::New(env, table.size());
    for (size_t i = 0; i < table.size(); ++i) {
        Napi::Object object = Napi::Object::New(env);
        fill(object, table[i]);
        object.Set("description", table[i].description);
        list.Set(static_cast<uint32_t>(i), object);
    }
    return list;
}

constexpr const char* kSmoothingNames[] = {"refused", "ignored", "label", "own", "needed"};
constexpr const char* kNllNames[] = {"none", "always", "by-weight"};
constexpr const char* kGroupNames[] = {"pairs", "lists", "single"};

void fill_pairwise(Napi::Object& object, const PairwiseEntry& entry) {
    object.Set("name", entry.name);
    object.Set("reference", entry.reference);
    object.Set("softLabels", entry.soft_labels);
    object.Set("smoothing", kSmoothingNames[static_cast<int>(entry.smoothing)]);
    object.Set("divergence", entry.divergence);
    object.Set("nll", kNllNames[static_cast<int>(entry.nll)]);
    object.Set("nllWeight", entry.nll_weight);
    object.Set("matches", entry.match != nullptr);
    object.Set("weights", entry.weights);
}

// lossTables(): { pairwise, divergences, listwise, unpaired, policy, policyRatios, klPenalties, scores }
Napi::Value loss_tables(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto named = [](Napi::Object& object, const auto& entry) { object.Set("name", entry.name); };
    Napi::Object tables = Napi::Object::New(env);
    tables.Set("pairwise", table_value(env, pairwise_losses(), fill_pairwise));
    tables.Set("divergences", table_value(env, divergences(), named));
    tables.Set("unpaired", table_value(env, unpaired_losses(), named));
    tables.Set("policy", table_value(env, policy_losses(), [](Napi::Object& object, const auto& entry) {
                   object.Set("form", entry.form);
                   object.Set("clips", entry.clips);
                   object.Set("needsCap", entry.needs_cap);
               }));
    tables.Set("policyRatios", table_value(env, policy_ratios(), named));
    tables.Set("klPenalties", table_value(env, kl_penalties(), named));
    tables.Set("listwise", table_value(env, listwise_losses(), [](Napi::Object& object, const auto& entry) {
                   object.Set("form", entry.form);
                   object.Set("ties", entry.ties);
                   object.Set("places", entry.places);
                   object.Set("largestTie", static_cast<double>(entry.largest_tie));
               }));
    tables.Set("scores", table_value(env, score_losses(), [](Napi::Object& object, const auto& entry) {
                   object.Set("form", entry.form);
                   object.Set("groups", kGroupNames[static_cast<int>(entry.groups)]);
                   object.Set("tieParameter", entry.tie_parameter);
               }));
    return tables;
}

}  // namespace

void export_loss_functions(Napi::Env env, Napi::Object exports) {
    export_function<match_update_values>(env, exports, "matchUpdate");
    export_function<loss_tables>(env, exports, "lossTables");
}

}  // namespace attune::binding
