// Negative log-likelihood of one target token. Header-only, for host and device.
#pragma once

namespace attune {

struct TokenLoss {
    double value;
    double d_logprob;
};

inline TokenLoss nll_token(double logprob) {
    return {-logprob, -1.0};
}

}  // namespace attune
