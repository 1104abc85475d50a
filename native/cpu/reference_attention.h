// Attention over packed segments in plain double precision, without tiles or running maxima. The
// specification of attention.h; must not include it.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/ops.h"

namespace attune::reference {

// Rows of the keys that query `query` of a segment sees, in the order of their positions.
inline std::vector<int64_t> visible_rows(const AttentionDims& dims, int64_t segment, int64_t query) {
    const int32_t prefix = dims.segments[segment].prefix;
    const int64_t prefix_length = prefix < 0 ? 0 : int64_t{dims.segments[prefix].length};
    const int64_t position = prefix_length + query;
    const auto near = [&](int64_t key_position) {
        return dims.window == 0 || position - key_position < dims.window;
    };
    std::vector<int64_t> rows;
    for (int64_t j = 0; j < prefix_length; ++j)
        if (near(j)) rows.push_back(dims.segments[prefix].start + j);
    for (int64_t j = 0; j <= query; ++j)
        if (near(prefix_length + j)) rows.push_back(dims.segments[segment].start + j);
    return rows;
}

// Calls body(row, head, keys) for every query row and query head.
template <class Body>
void each_query(const AttentionDims& dims, Body&& body) {
    for (int64_t s = 0; s < dims.segment_count; ++s)
        for (int64_t i = 0; i < dims.segments[s].length; ++i) {
            const std::vector<int64_t> keys = visible_rows(dims, s, i);
            for (int64_t h = 0; h < dims.H; ++h) body(dims.segments[s].start + i, h, keys);
        }
}

// Scores of one query against its keys: scale * q . k
inline std::vector<double> attention_scores(const std::vector<double>& qkv, const AttentionDims& dims,
                                            int64_t row, int64_t head, const std::vector<int64_t>& keys) {
    const int64_t D = dims.D, width = (dims.H + 2 * dims.G) * D;
    const int64_t key_col = (dims.H + head / (dims.H / dims.G)) * D;
    std::vector<double> scores;
    for (const int64_t key : keys) {
        double sum = 0;
        for (int64_t d = 0; d < D; ++d)
            sum += qkv[static_cast<size_t>(row * width + head * D + d)] *
                   qkv[static_cast<size_t>(key * width + key_col + d)];
        scores.push_back(static_cast<double>(dims.scale) * sum);
    }
    return scores;
}

inline double log_sum_exp(const std::vector<double>& x) {
    double high = x[0], sum = 0;
    for (const double value : x) high = value > high ? value : high;
    for (const double value : x) sum += std::exp(value - high);
    return high + std::log(sum);
}

// out[T,H*D] =, lse[H,T] =; qkv[T,(H+2G)*D]
inline void attention_forward(std::vector<double>& out, std::vector<double>& lse,
                              const std::vector<double>& qkv, const AttentionDims& dims, int64_t T) {
    const int64_t D = dims.D, width = (dims.H + 2 * dims.G) * D;
    out.assign(static_cast<size_t>(T * dims.H * D), 0);
    lse.assign(static_cast<size_t>(dims.H * T), 0);
    each_query(dims, [&](int64_t row, int64_t head, const std::vector<int64_t>& keys) {
        const std::vector<double> scores = attention_scores(qkv, dims, row, head, keys);
        const double total = log_sum_exp(scores);
        const int64_t value_col = (dims.H + dims.G + head / (dims.H / dims.G)) * D;
        lse[static_cast<size_t>(head * T + row)] = total;
        for (size_t j = 0; j < keys.size(); ++j) {
            const double p = std::exp(scores[j] - total);
            for (int64_t d = 0; d < D; ++d)
                out[static_cast<size_t>((row * dims.H + head) * D + d)] +=
                    p * qkv[static_cast<size_t>(keys[j] * width + value_col + d)];
        }
    });
}

// dqkv[T,(H+2G)*D] =; dout[T,H*D]
// p = softmax(scores), dp = dout . v, ds = p (dp - sum p dp):  dq = scale ds k, dk = scale ds q, dv = p dout
inline void attention_backward(std::vector<double>& dqkv, const std::vector<double>& dout,
                               const std::vector<double>& qkv, const AttentionDims& dims, int64_t T) {
    const auto D = static_cast<size_t>(dims.D);
    const int64_t width = (dims.H + 2 * dims.G) * dims.D;
    dqkv.assign(static_cast<size_t>(T * width), 0);
    each_query(dims, [&](int64_t row, int64_t head, const std::vector<int64_t>& keys) {
        const std::vector<double> scores = attention_scores(qkv, dims, row, head, keys);
        const double total = log_sum_exp(scores);
        const int64_t kv = head / (dims.H / dims.G);
        const auto query = static_cast<size_t>(row * width + head * dims.D);
        const auto gradient = static_cast<size_t>((row * dims.H + head) * dims.D);
        std::vector<double> p(keys.size()), dp(keys.size(), 0);
        double mean = 0;
        for (size_t j = 0; j < keys.size(); ++j) {
            const auto value = static_cast<size_t>(keys[j] * width + (dims.H + dims.G + kv) * dims.D);
            p[j] = std::exp(scores[j] - total);
            for (size_t d = 0; d < D; ++d) {
                dp[j] += dout[gradient + d] * qkv[value + d];
                dqkv[value + d] += p[j] * dout[gradient + d];
            }
            mean += p[j] * dp[j];
        }
        for (size_t j = 0; j < keys.size(); ++j) {
            const auto key = static_cast<size_t>(keys[j] * width + (dims.H + kv) * dims.D);
            const double ds = static_cast<double>(dims.scale) * p[j] * (dp[j] - mean);
            for (size_t d = 0; d < D; ++d) {
                dqkv[query + d] += ds * qkv[key + d];
                dqkv[key + d] += ds * qkv[query + d];
            }
        }
    });
}

}  // namespace attune::reference
