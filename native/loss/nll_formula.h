// Negative log-likelihood of one target token. Header-only, for host and device.
#pragma once

namespace attune {

// Of one target, with its derivatives.
struct TokenLoss {
    double value;
    double d_logprob;
    double d_entropy;
};

inline TokenLoss nll_token(double logprob) {
    return {-logprob, -1.0, 0.0};
}

}  // namespace attune
