// A loss as plain data of JavaScript (lib/engine/loss-spec.ts) -> LossOptions: one reader per family. Must
// not check values: native/loss does.
#include "binding/arguments.h"
#include "core/error.h"

namespace attune::binding {

namespace {

// The fields of a loss; those that are absent keep what the options start with.
class LossReader {
  public:
    explicit LossReader(const Napi::Object& object) : object_(object) {}

    bool has(const char* name) const { return !object_.Get(name).IsUndefined(); }
    std::string path(const char* name) const { return std::string("loss.") + name; }
    double number(const char* name) const { return number_from(object_.Get(name), path(name).c_str()); }
    double number_or(const char* name, double fallback) const { return has(name) ? number(name) : fallback; }
    std::string text(const char* name) const { return text_from(object_.Get(name), path(name).c_str()); }
    std::string text_or(const char* name, const char* fallback) const {
        return has(name) ? text(name) : fallback;
    }
    std::vector<double> doubles(const char* name) const {
        return float64_from(object_.Get(name), path(name).c_str());
    }
    std::vector<int32_t> integers(const char* name) const {
        return has(name) ? int32_from(object_.Get(name), path(name).c_str()) : std::vector<int32_t>();
    }
    Napi::Array list(const char* name) const {
        require(object_.Get(name).IsArray(), Code::Option, "Expected ", path(name), " to be an array.");
        return object_.Get(name).As<Napi::Array>();
    }

  private:
    Napi::Object object_;
};

NllOptions nll_from(const LossReader&) {
    return {};
}

bool ipo_mean_from(const LossReader& loss) {
    const std::string reduce = loss.text_or("ipoReduce", "mean");
    require(reduce == "mean" || reduce == "sum", Code::Option,
            "Expected ipoReduce to be mean or sum but received \"", reduce, "\".");
    return reduce == "mean";
}

PairwiseOptions pairwise_from(const LossReader& loss) {
    PairwiseOptions options;
    const Napi::Array terms = loss.list("terms");
    for (uint32_t i = 0; i < terms.Length(); ++i) {
        const Napi::Object term = object_from(terms.Get(i), "loss.terms");
        options.terms.push_back({&pairwise_loss(text_from(term.Get("name"), "loss.terms.name")),
                                 number_from(term.Get("weight"), "loss.terms.weight")});
    }
    options.beta = loss.number("beta");
    options.label_smoothing = loss.number_or("labelSmoothing", options.label_smoothing);
    if (loss.has("divergence")) options.divergence = &divergence(loss.text("divergence"));
    options.alpha = loss.number_or("alpha", options.alpha);
    options.ipo_mean = ipo_mean_from(loss);
    options.simpo_gamma = loss.number_or("simpoGamma", options.simpo_gamma);
    options.discopop_temperature = loss.number_or("discopopTemperature", options.discopop_temperature);
    options.orpo_lambda = loss.number_or("orpoLambda", options.orpo_lambda);
    if (loss.has("nllWeight")) options.nll_weight = loss.number("nllWeight");
    options.chosen_targets = static_cast<int64_t>(loss.number_or("chosenTargets", 0));
    options.labels = loss.doubles("labels");
    options.reference = loss.doubles("reference");
    options.matches = loss.doubles("matches");
    return options;
}

RankingOptions ranking_from(const LossReader& loss) {
    RankingOptions ranking;
    ranking.entry = &listwise_loss(loss.text("form"), loss.text_or("ties", ""));
    ranking.ranks = loss.integers("ranks");
    ranking.placed = loss.integers("placed");
    return ranking;
}

ListwiseOptions listwise_from(const LossReader& loss) {
    return {ranking_from(loss), loss.number("beta"), loss.doubles("reference")};
}

UnpairedOptions unpaired_from(const LossReader& loss) {
    UnpairedOptions options;
    options.entry = &unpaired_loss(loss.text("loss"));
    options.beta = loss.number("beta");
    options.baseline = loss.number("baseline");
    options.desirable_weight = loss.number("desirableWeight");
    options.undesirable_weight = loss.number("undesirableWeight");
    options.labels = loss.doubles("labels");
    options.reference = loss.doubles("reference");
    return options;
}

ScoreOptions scores_from(const LossReader& loss) {
    ScoreOptions options;
    options.entry = &score_loss_form(loss.text("form"));
    options.head_weights = loss.doubles("headWeights");
    options.pairs = loss.integers("pairs");
    options.pair_counts = loss.integers("pairCounts");
    options.labels = loss.doubles("labels");
    options.margins = loss.doubles("margins");
    options.pair_weights = loss.doubles("pairWeights");
    options.centring = loss.number_or("centring", options.centring);
    if (options.entry->groups == ScoreGroups::Lists) options.ranking = ranking_from(loss);
    options.ratings = loss.doubles("ratings");
    options.tie_parameter = loss.number_or("tieParameter", options.tie_parameter);
    return options;
}

PolicyOptions policy_from(const LossReader& loss) {
    PolicyOptions options;
    options.entry = &policy_loss(loss.text("form"));
    options.ratio = &policy_ratio(loss.text("ratio"));
    if (options.entry->clips) {
        options.clip.low = loss.number("clipLow");
        options.clip.high = loss.number("clipHigh");
    }
    options.clip.cap = loss.number_or("ratioCap", options.clip.cap);
    options.advantages = loss.doubles("advantages");
    options.old_logprobs = loss.doubles("oldLogprobs");
    options.start_logprobs = loss.doubles("startLogprobs");
    options.reference_logprobs = loss.doubles("referenceLogprobs");
    options.kl = &kl_penalty(loss.text_or("klForm", "k3"));
    options.kl_weight = loss.number_or("klWeight", options.kl_weight);
    options.entropy_weight = loss.number_or("entropyWeight", options.entropy_weight);
    options.temperature = loss.number_or("temperature", options.temperature);
    options.completion_weights = loss.doubles("completionWeights");
    return options;
}

ValueOptions value_from(const LossReader& loss) {
    ValueOptions options;
    options.returns = loss.doubles("returns");
    options.old_values = loss.doubles("oldValues");
    options.clip = loss.number_or("clip", options.clip);
    options.bias = loss.number_or("bias", options.bias);
    options.completion_weights = loss.doubles("completionWeights");
    return options;
}

using Family = decltype(LossOptions::family);

template <auto read>
Family family_from(const LossReader& loss) {
    return read(loss);
}

struct FamilyReader {
    const char* kind;
    Family (*read)(const LossReader& loss);
};

constexpr FamilyReader kFamilies[] = {
    {"nll", family_from<nll_from>},           {"pairwise", family_from<pairwise_from>},
    {"listwise", family_from<listwise_from>}, {"unpaired", family_from<unpaired_from>},
    {"scores", family_from<scores_from>},     {"policy", family_from<policy_from>},
    {"value", family_from<value_from>},
};

}  // namespace

LossOptions loss_from(const Napi::Value& value) {
    const LossReader loss(object_from(value, "loss"));
    const std::string kind = loss.text("kind");
    LossOptions options;
    options.normaliser = loss.number("normaliser");
    options.weights = loss.doubles("weights");
    for (const FamilyReader& family : kFamilies) {
        if (kind != family.kind) continue;
        options.family = family.read(loss);
        return options;
    }
    raise(
        Code::Option,
        "Expected loss.kind to be nll, pairwise, listwise, unpaired, scores, policy or value but received \"",
        kind, "\".");
}

}  // namespace attune::binding
