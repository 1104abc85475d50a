// Row ops in plain double precision: norms, rotary embedding, activations, embedding rows. The specification
// of norm.h, rope.h, elementwise.h and embedding.h; must not include them. All matrices are dense and
// row-major.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace attune::reference {

using Doubles = std::vector<double>;

// y[R,C] = x * rstd * w;  rstd[R] = 1 / sqrt(mean(x^2) + epsilon). Groups are rows here.
inline void rmsnorm_forward(Doubles& y, Doubles& rstd, const Doubles& x, const Doubles& w, double epsilon) {
    const size_t C = w.size(), R = x.size() / C;
    y.assign(R * C, 0);
    rstd.assign(R, 0);
    for (size_t r = 0; r < R; ++r) {
        double squares = 0;
        for (size_t c = 0; c < C; ++c) squares += x[r * C + c] * x[r * C + c];
        rstd[r] = 1 / std::sqrt(squares / static_cast<double>(C) + epsilon);
        for (size_t c = 0; c < C; ++c) y[r * C + c] = x[r * C + c] * rstd[r] * w[c];
    }
}

// dx[R,C] +=;  dw[C] +=
// With n = x rstd and g = dy w:  dx = rstd (g - n mean(g n)),  dw = sum over rows of dy n
inline void rmsnorm_backward(Doubles& dx, Doubles& dw, const Doubles& dy, const Doubles& x,
                             const Doubles& rstd, const Doubles& w) {
    const size_t C = w.size(), R = x.size() / C;
    for (size_t r = 0; r < R; ++r) {
        double mean = 0;
        for (size_t c = 0; c < C; ++c) mean += dy[r * C + c] * w[c] * x[r * C + c] * rstd[r];
        mean /= static_cast<double>(C);
        for (size_t c = 0; c < C; ++c) {
            const double n = x[r * C + c] * rstd[r];
            dx[r * C + c] += rstd[r] * (dy[r * C + c] * w[c] - n * mean);
            dw[c] += dy[r * C + c] * n;
        }
    }
}

// y[R,C] = (x - mean) * rstd * w + b;  mean[R];  rstd[R] = 1 / sqrt(variance + epsilon), the variance divided
// by C
inline void layernorm_forward(Doubles& y, Doubles& mean, Doubles& rstd, const Doubles& x, const Doubles& w,
                              const Doubles& b, double epsilon) {
    const size_t C = w.size(), R = x.size() / C;
    y.assign(R * C, 0);
    mean.assign(R, 0);
    rstd.assign(R, 0);
    for (size_t r = 0; r < R; ++r) {
        for (size_t c = 0; c < C; ++c) mean[r] += x[r * C + c] / static_cast<double>(C);
        double variance = 0;
        for (size_t c = 0; c < C; ++c)
            variance += (x[r * C + c] - mean[r]) * (x[r * C + c] - mean[r]) / static_cast<double>(C);
        rstd[r] = 1 / std::sqrt(variance + epsilon);
        for (size_t c = 0; c < C; ++c) y[r * C + c] = (x[r * C + c] - mean[r]) * rstd[r] * w[c] + b[c];
    }
}

// dx[R,C] +=;  dw[C] +=;  db[C] +=
// With n = (x - mean) rstd and g = dy w:  dx = rstd (g - mean(g) - n mean(g n))
inline void layernorm_backward(Doubles& dx, Doubles& dw, Doubles& db, const Doubles& dy, const Doubles& x,
                               const Doubles& mean, const Doubles& rstd, const Doubles& w) {
    const size_t C = w.size(), R = x.size() / C;
    for (size_t r = 0; r < R; ++r) {
        double mean_g = 0, mean_gn = 0;
        for (size_t c = 0; c < C; ++c) {
            const double g = dy[r * C + c] * w[c];
            mean_g += g / static_cast<double>(C);
            mean_gn += g * (x[r * C + c] - mean[r]) * rstd[r] / static_cast<double>(C);
        }
        for (size_t c = 0; c < C; ++c) {
            const double n = (x[r * C + c] - mean[r]) * rstd[r];
            dx[r * C + c] += rstd[r] * (dy[r * C + c] * w[c] - mean_g - n * mean_gn);
            dw[c] += dy[r * C + c] * n;
            db[c] += dy[r * C + c];
        }
    }
}

// Rotates `heads` vectors of width D at the start of each of x's rows [R,stride] by direction * angle of its
// position. cosine, sine: [positions, D/2]
inline void rope(Doubles& x, size_t stride, const std::vector<int32_t>& positions, const Doubles& cosine,
                 const Doubles& sine, size_t heads, size_t D, int direction) {
    const size_t half = D / 2;
    for (size_t r = 0; r < positions.size(); ++r)
        for (size_t h = 0; h < heads; ++h)
            for (size_t i = 0; i < half; ++i) {
                const size_t angle = static_cast<size_t>(positions[r]) * half + i;
                double& low = x[r * stride + h * D + i];
                double& high = x[r * stride + h * D + half + i];
                const double a = low, b = high, s = sine[angle] * direction;
                low = a * cosine[angle] - b * s;
                high = b * cosine[angle] + a * s;
            }
}

inline double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

// h[R,F] = silu(gate) * up of gate_up[R,2F]
inline Doubles swiglu_forward(const Doubles& gate_up, size_t F) {
    const size_t R = gate_up.size() / (2 * F);
    Doubles h(R * F);
    for (size_t r = 0; r < R; ++r)
        for (size_t f = 0; f < F; ++f) {
            const double gate = gate_up[r * 2 * F + f], up = gate_up[r * 2 * F + F + f];
            h[r * F + f] = gate * sigmoid(gate) * up;
        }
    return h;
}

// dgate_up[R,2F]
inline Doubles swiglu_backward(const Doubles& dh, const Doubles& gate_up, size_t F) {
    const size_t R = gate_up.size() / (2 * F);
    Doubles dgate_up(R * 2 * F);
    for (size_t r = 0; r < R; ++r)
        for (size_t f = 0; f < F; ++f) {
            const double gate = gate_up[r * 2 * F + f], up = gate_up[r * 2 * F + F + f], s = sigmoid(gate);
            dgate_up[r * 2 * F + f] = dh[r * F + f] * up * s * (1 + gate * (1 - s));
            dgate_up[r * 2 * F + F + f] = dh[r * F + f] * gate * s;
        }
    return dgate_up;
}

constexpr double kGeluScale = 0.7978845608028654;  // sqrt(2 / pi)
constexpr double kGeluCubic = 0.044715;

// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
inline double gelu_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(kGeluScale * (x + kGeluCubic * x * x * x)));
}

inline double gelu_tanh_derivative(double x) {
    const double t = std::tanh(kGeluScale * (x + kGeluCubic * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kGeluScale * (1 + 3 * kGeluCubic * x * x);
}

// x[T,C] = table[tokens] (+ position_table[positions] when it is not empty)
inline Doubles embedding_forward(const std::vector<int32_t>& tokens, const Doubles& table,
                                 const std::vector<int32_t>& positions, const Doubles& position_table,
                                 size_t C) {
    Doubles x(tokens.size() * C);
    for (size_t t = 0; t < tokens.size(); ++t)
        for (size_t c = 0; c < C; ++c) {
            x[t * C + c] = table[static_cast<size_t>(tokens[t]) * C + c];
            if (!position_table.empty())
                x[t * C + c] += position_table[static_cast<size_t>(positions[t]) * C + c];
        }
    return x;
}

// table[rows[t]] += dx[t];  the backward of embedding_forward, and scatter_add_rows
inline void add_rows(Doubles& table, const Doubles& dx, const std::vector<int32_t>& rows, size_t C) {
    for (size_t t = 0; t < rows.size(); ++t)
        for (size_t c = 0; c < C; ++c) table[static_cast<size_t>(rows[t]) * C + c] += dx[t * C + c];
}

}  // namespace attune::reference
