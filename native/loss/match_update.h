// What the losses that sort over a whole update compare each side with. Knows neither batches nor models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attune {

// logprobs, reference, matches (=): [pairs, 2] as chosen, rejected. Equal values keep the order of the pairs.
void match_references(double* matches, const double* logprobs, const double* reference, int64_t pairs);
void match_ratios(double* matches, const double* logprobs, const double* reference, int64_t pairs);

// By the name of the loss; throws Code::Option for one that compares nothing, Code::Shape for sizes that
// don't fit.
std::vector<double> match_update(const std::string& name, const std::vector<double>& logprobs,
                                 const std::vector<double>& reference);

}  // namespace attune
