// Applies the formulas of losses of scores to packed batches, head by head. Must not know models or ops.
#include <algorithm>
#include <optional>

#include "loss/loss.h"
#include "loss/packed_sums.h"
#include "loss/ranked_group.h"

namespace attune {

namespace {

const double* from_or_null(const std::vector<double>& values, int64_t first) {
    return values.empty() ? nullptr : values.data() + first;
}

// The groups of a batch one after the other, with the part of the options that is theirs.
class GroupReader {
  public:
    GroupReader(const ScoreOptions& options, LossSpace& space) : options_(options), pairs_(space.pairs) {}

    // pairs_[i] are items of the group, so that a head's scores of the group are all that a formula sees.
    ScoreGroup next(const Group& group, int64_t index, const RankedGroup* ranked) {
        const int64_t pair_count =
            options_.pair_counts.empty() ? 1 : options_.pair_counts[static_cast<size_t>(index)];
        pairs_ = {0, 1};
        if (!options_.pair_counts.empty()) {
            const auto first = options_.pairs.begin() + 2 * first_pair_;
            pairs_.assign(first, first + 2 * pair_count);
            for (int32_t& item : pairs_) item -= group.first;
        }
        ScoreGroup result{};
        result.count = group.count;
        result.pairs = pairs_.data();
        result.pair_count = static_cast<int32_t>(pair_count);
        result.labels = from_or_null(options_.labels, first_pair_);
        result.margins = from_or_null(options_.margins, first_pair_);
        result.weights = from_or_null(options_.pair_weights, first_pair_);
        result.centring = options_.centring;
        result.rating = value_or(options_.ratings, group.first, 0);
        result.tie_parameter = options_.tie_parameter;
        if (ranked != nullptr) {
            result.listwise = options_.ranking.entry->loss;
            result.ranking = ranked->ranking();
            result.space = ranked->space();
        }
        first_pair_ += pair_count;
        return result;
    }

  private:
    const ScoreOptions& options_;
    std::vector<int32_t>& pairs_;
    int64_t first_pair_ = 0;
};

// Columns of [completions, heads].
struct HeadColumns {
    double* dscores;
    const double* scores;
    int64_t heads;

    void read(std::vector<double>& out, int64_t first, int64_t head) const {
        for (size_t i = 0; i < out.size(); ++i)
            out[i] = scores[(first + static_cast<int64_t>(i)) * heads + head];
    }
    void write(const std::vector<double>& in, int64_t first, int64_t head, double scale) const {
        for (size_t i = 0; i < in.size(); ++i)
            dscores[(first + static_cast<int64_t>(i)) * heads + head] = in[i] * scale;
    }
};

}  // namespace

void score_loss(double* group_losses, double* dscores, double* tie_gradient, const double* scores,
                int64_t heads, const LossOptions& options, const PackedBatch& batch, LossSpace& space) {
    const ScoreOptions& family = std::get<ScoreOptions>(options.family);
    const bool ranked = family.entry->groups == ScoreGroups::Lists;
    const HeadColumns columns{dscores, scores, heads};
    GroupReader reader(family, space);
    *tie_gradient = 0;
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const Group& group = batch.groups[g];
        const auto index = static_cast<int64_t>(g);
        std::optional<RankedGroup> ranking;
        if (ranked) ranking.emplace(family.ranking, index, group.first, group.count, space);
        ScoreGroup one = reader.next(group, index, ranked ? &*ranking : nullptr);
        space.scores.resize(static_cast<size_t>(group.count));
        one.scores = space.scores.data();
        const double scale = value_or(options.weights, index, 1) / options.normaliser;
        group_losses[g] = 0;
        for (int64_t head = 0; head < heads; ++head) {
            const double share =
                value_or(family.head_weights, index * heads + head, 1) / static_cast<double>(heads);
            columns.read(space.scores, group.first, head);
            space.slopes.assign(space.scores.size(), 0);
            double d_tie = 0;
            group_losses[g] += share * family.entry->loss(space.slopes.data(), &d_tie, one);
            columns.write(space.slopes, group.first, head, share * scale);
            *tie_gradient += share * scale * d_tie;
        }
    }
}

}  // namespace attune
