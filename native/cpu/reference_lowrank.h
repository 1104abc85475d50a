// Linear maps with a low-rank term in plain double precision: the specification of lowrank.h, which it must
// not include. All matrices are dense and row-major.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops.h"
#include "cpu/reference_gemm.h"

namespace attune::reference {

// The factors of a map W[N,K]: a[parts*rank,K], b[N,rank].
struct LowRankTerm {
    std::vector<double> a, b;
    std::vector<LowRankPart> parts;
    int64_t rank;
    double scale;

    int64_t columns() const { return static_cast<int64_t>(parts.size()) * rank; }
};

// visit(n, i, j): row n belongs to part i, and for every j of the rank
template <class Visit>
void over_term(const LowRankTerm& term, Visit&& visit) {
    for (size_t i = 0; i < term.parts.size(); ++i)
        for (int64_t n = term.parts[i].row; n < term.parts[i].row + term.parts[i].rows; ++n)
            for (int64_t j = 0; j < term.rank; ++j) visit(n, static_cast<int64_t>(i), j);
}

// h[M,parts*rank] = x A^T;  y[M,N] += scale h B^T, which belongs before bias and activation
inline void lowrank_forward(std::vector<double>& y, std::vector<double>& h, const std::vector<double>& x,
                            const LowRankTerm& term, LinearShape s) {
    const int64_t R = term.columns();
    h.assign(static_cast<size_t>(s.M * R), 0);
    for (int64_t m = 0; m < s.M; ++m) {
        for (int64_t r = 0; r < R; ++r)
            for (int64_t k = 0; k < s.K; ++k)
                h[static_cast<size_t>(m * R + r)] +=
                    x[static_cast<size_t>(m * s.K + k)] * term.a[static_cast<size_t>(r * s.K + k)];
        over_term(term, [&](int64_t n, int64_t i, int64_t j) {
            y[static_cast<size_t>(m * s.N + n)] += term.scale *
                                                   h[static_cast<size_t>(m * R + i * term.rank + j)] *
                                                   term.b[static_cast<size_t>(n * term.rank + j)];
        });
    }
}

// dh[M,parts*rank] = scale dy B;  dx[M,K] += dh A
inline void lowrank_backward_input(std::vector<double>& dx, std::vector<double>& dh,
                                   const std::vector<double>& dy, const LowRankTerm& term, LinearShape s) {
    const int64_t R = term.columns();
    dh.assign(static_cast<size_t>(s.M * R), 0);
    for (int64_t m = 0; m < s.M; ++m) {
        over_term(term, [&](int64_t n, int64_t i, int64_t j) {
            dh[static_cast<size_t>(m * R + i * term.rank + j)] +=
                term.scale * dy[static_cast<size_t>(m * s.N + n)] *
                term.b[static_cast<size_t>(n * term.rank + j)];
        });
        for (int64_t r = 0; r < R; ++r)
            for (int64_t k = 0; k < s.K; ++k)
                dx[static_cast<size_t>(m * s.K + k)] +=
                    dh[static_cast<size_t>(m * R + r)] * term.a[static_cast<size_t>(r * s.K + k)];
    }
}

// da[parts*rank,K] += dh^T x;  db[N,rank] += scale dy^T h of each part
inline void lowrank_backward_weight(std::vector<double>& da, std::vector<double>& db,
                                    const std::vector<double>& dy, const std::vector<double>& dh,
                                    const std::vector<double>& x, const std::vector<double>& h,
                                    const LowRankTerm& term, LinearShape s) {
    const int64_t R = term.columns();
    for (int64_t m = 0; m < s.M; ++m) {
        for (int64_t r = 0; r < R; ++r)
            for (int64_t k = 0; k < s.K; ++k)
                da[static_cast<size_t>(r * s.K + k)] +=
                    dh[static_cast<size_t>(m * R + r)] * x[static_cast<size_t>(m * s.K + k)];
        over_term(term, [&](int64_t n, int64_t i, int64_t j) {
            db[static_cast<size_t>(n * term.rank + j)] += term.scale * dy[static_cast<size_t>(m * s.N + n)] *
                                                          h[static_cast<size_t>(m * R + i * term.rank + j)];
        });
    }
}

}  // namespace attune::reference
