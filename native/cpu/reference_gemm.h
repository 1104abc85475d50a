// Linear maps in plain double precision: the specification of gemm_forward.h and gemm_backward_*.h, which it
// must not include. All matrices are dense and row-major.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace attune::reference {

struct LinearShape {
    int64_t M, N, K;
};

// What is added to x W^T; an empty vector is absent.
struct LinearEpilogue {
    std::vector<double> bias;      // [N]
    std::vector<double> residual;  // [M,N]
    bool gelu = false;
};

// y[M,N] = activation(x[M,K] W[N,K]^T + bias) + residual;  before[M,N] = x W^T + bias
inline void linear_forward(std::vector<double>& y, std::vector<double>& before, const std::vector<double>& x,
                           const std::vector<double>& w, const LinearEpilogue& epilogue, LinearShape s) {
    y.assign(static_cast<size_t>(s.M * s.N), 0);
    before = y;
    for (int64_t m = 0; m < s.M; ++m) {
        for (int64_t n = 0; n < s.N; ++n) {
            const double* row = x.data() + m * s.K;
            const double* weights = w.data() + n * s.K;
            double sum = 0;
            for (int64_t k = 0; k < s.K; ++k) sum += row[k] * weights[k];
            const auto i = static_cast<size_t>(m * s.N + n);
            if (!epilogue.bias.empty()) sum += epilogue.bias[static_cast<size_t>(n)];
            before[i] = sum;
            if (epilogue.gelu)
                sum = sum / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (sum + 0.044715 * sum * sum * sum)));
            if (!epilogue.residual.empty()) sum += epilogue.residual[i];
            y[i] = sum;
        }
    }
}

// dx[M,K] += dy[M,N] W[N,K]
inline void linear_backward_input(std::vector<double>& dx, const std::vector<double>& dy,
                                  const std::vector<double>& w, LinearShape s) {
    for (int64_t m = 0; m < s.M; ++m)
        for (int64_t n = 0; n < s.N; ++n)
            for (int64_t k = 0; k < s.K; ++k)
                dx[static_cast<size_t>(m * s.K + k)] +=
                    dy[static_cast<size_t>(m * s.N + n)] * w[static_cast<size_t>(n * s.K + k)];
}

// dw[N,K] += dy[M,N]^T x[M,K];  dbias[N] += column sums of dy
inline void linear_backward_weight(std::vector<double>& dw, std::vector<double>& dbias,
                                   const std::vector<double>& dy, const std::vector<double>& x,
                                   LinearShape s) {
    for (int64_t m = 0; m < s.M; ++m) {
        for (int64_t n = 0; n < s.N; ++n) {
            const double gradient = dy[static_cast<size_t>(m * s.N + n)];
            dbias[static_cast<size_t>(n)] += gradient;
            for (int64_t k = 0; k < s.K; ++k)
                dw[static_cast<size_t>(n * s.K + k)] += gradient * x[static_cast<size_t>(m * s.K + k)];
        }
    }
}

}  // namespace attune::reference
