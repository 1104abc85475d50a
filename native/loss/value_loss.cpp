// Applies the value loss to packed targets. Must not know models or ops.
#include "loss/value_loss.h"

#include "loss/packed_sums.h"
#include "loss/value_formula.h"

namespace attune {

ValueSums value_loss(double* group_losses, double* dscores, double* values, const double* scores,
                     const LossOptions& options, const PackedBatch& batch) {
    const ValueOptions& family = std::get<ValueOptions>(options.family);
    ValueSums sums;
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const double scale = value_or(options.weights, static_cast<int64_t>(g), 1) / options.normaliser;
        group_losses[g] = 0;
        for (int64_t c = batch.groups[g].first; c < batch.groups[g].first + batch.groups[g].count; ++c) {
            const Completion& completion = batch.completions[static_cast<size_t>(c)];
            const double weight = value_or(family.completion_weights, c, 1);
            for (int64_t t = completion.first; t < completion.first + completion.count; ++t) {
                values[t] = scores[t] + family.bias;
                const ValueTerm term = value_term(values[t], family.returns[static_cast<size_t>(t)],
                                                  value_or(family.old_values, t, 0), family.clip);
                sums.count += 1;
                sums.clipped += term.clipped ? 1 : 0;
                // A weight of 0 silences whatever it weighs, numbers or not.
                group_losses[g] += weight == 0 ? 0 : weight * term.value;
                dscores[t] = weight == 0 ? 0 : weight * term.slope * scale;
            }
        }
    }
    return sums;
}

}  // namespace attune
