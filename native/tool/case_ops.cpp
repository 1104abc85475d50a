// Single ops at small fixed shapes, for counting their instructions. Must not include an op body: ops come
// from the table.
#include <cmath>
#include <vector>

#include "core/backend.h"
#include "tool/case.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

// ---- linear maps: y[M,N] = x[M,K] W[N,K]^T

struct Linear {
    Linear(int64_t M, int64_t N, int64_t K, DType dtype)
        : x(dtype, M, K),
          y(dtype, M, N),
          dx(DType::F32, M, K),
          dy(DType::F32, M, N),
          w(dtype, Layout::Panels, N, K),
          dw(DType::F32, Layout::Panels, N, K) {
        Random random(1);
        x.randomise(random);
        dy.randomise(random);
        w.randomise(random);
    }
    TestMatrix x, y, dx, dy;
    TestWeight w, dw;
};

template <DType dtype>
void gemm_forward(const CaseContext& context) {
    Linear linear(96, 160, 192, dtype);
    const Epilogue none;
    count_instructions([&] {
        check(context.ops.linear_forward(linear.y.mat(), linear.x.view(), linear.w.weight(), &none,
                                         context.stream),
              "linear_forward");
    });
}

// With few rows fp32 weights are read where they lie, with many they are packed.
template <DType dtype, int64_t M = 96, int64_t K = 192>
void gemm_input(const CaseContext& context) {
    Linear linear(M, 160, K, dtype);
    count_instructions([&] {
        check(context.ops.linear_backward_input(linear.dx.mat(), linear.dy.view(), linear.w.weight(), 0,
                                                context.stream),
              "linear_backward_input");
    });
}

template <DType dtype>
void gemm_weight(const CaseContext& context) {
    Linear linear(96, 160, 192, dtype);
    count_instructions([&] {
        check(context.ops.linear_backward_weight(linear.dw.gradient(), nullptr, linear.dy.view(),
                                                 linear.x.view(), 1, context.stream),
              "linear_backward_weight");
    });
}

// As a decode step multiplies.
template <DType dtype>
void gemm_row(const CaseContext& context) {
    Linear linear(1, 1600, 192, dtype);
    const Epilogue none;
    count_instructions([&] {
        check(context.ops.linear_forward(linear.y.mat(), linear.x.view(), linear.w.weight(), &none,
                                         context.stream),
              "linear_forward");
    });
}

// ---- attention over two documents of a prompt and three completions each

struct Attention {
    explicit Attention(DType dtype)
        : qkv(dtype, kRows, (kHeads + 2 * kGroups) * kWidth),
          out(dtype, kRows, kHeads * kWidth),
          dqkv(DType::F32, kRows, (kHeads + 2 * kGroups) * kWidth),
          dout(DType::F32, kRows, kHeads * kWidth),
          lse(kHeads * kRows) {
        int32_t start = 0;
        const auto append = [&](int32_t length, int32_t prefix) {
            segments.push_back({start, length, prefix});
            start += length;
        };
        for (int32_t document = 0; document < 2; ++document) {
            append(40, -1);
            for (int32_t branch = 0; branch < 3; ++branch) append(24, 4 * document);
        }
        Random random(1);
        qkv.randomise(random);
        dout.randomise(random);
    }
    AttentionDims dims() const {
        return {kHeads, kGroups, kWidth, 0.125f, 0, segments.data(), static_cast<int64_t>(segments.size())};
    }
    void forward(const CaseContext& context) {
        check(context.ops.attention_forward(out.mat(), lse.data(), qkv.view(), dims(), context.stream),
              "attention_forward");
    }

    static constexpr int64_t kRows = 2 * (40 + 3 * 24), kHeads = 4, kGroups = 2, kWidth = 64;
    TestMatrix qkv, out, dqkv, dout;
    std::vector<float> lse;
    std::vector<Segment> segments;
};

void attention_forward(const CaseContext& context) {
    Attention attention(DType::F32);
    count_instructions([&] { attention.forward(context); });
}

void attention_backward(const CaseContext& context) {
    Attention attention(DType::F32);
    attention.forward(context);
    count_instructions([&] {
        check(context.ops.attention_backward(attention.dqkv.mat(), attention.dout.view(),
                                             attention.out.view(), attention.lse.data(), attention.qkv.view(),
                                             attention.dims(), context.stream),
              "attention_backward");
    });
}

// ---- rows, each op with its gradient

constexpr int64_t kRows = 128;
constexpr int64_t kColumns = 192;

struct Rows {
    explicit Rows(int64_t wide = kColumns)
        : x(DType::F32, kRows, wide),
          y(DType::F32, kRows, kColumns),
          dx(DType::F32, kRows, wide),
          dy(DType::F32, kRows, kColumns),
          mean(kRows),
          rstd(kRows),
          w(kColumns, 1.0f),
          dw(kColumns),
          db(kColumns) {
        Random random(1);
        x.randomise(random);
        dy.randomise(random);
    }
    TestMatrix x, y, dx, dy;
    std::vector<float> mean, rstd, w, dw, db;
};

void rmsnorm(const CaseContext& context) {
    Rows rows;
    count_instructions([&] {
        check(context.ops.rmsnorm_forward(rows.y.mat(), rows.rstd.data(), rows.x.view(), rows.w.data(), 1,
                                          1e-5f, context.stream),
              "rmsnorm_forward");
        check(context.ops.rmsnorm_backward(rows.dx.mat(), rows.dw.data(), rows.dy.view(), rows.x.view(),
                                           rows.rstd.data(), rows.w.data(), 1, 0, context.stream),
              "rmsnorm_backward");
    });
}

void layernorm(const CaseContext& context) {
    Rows rows;
    count_instructions([&] {
        check(context.ops.layernorm_forward(rows.y.mat(), rows.mean.data(), rows.rstd.data(), rows.x.view(),
                                            rows.w.data(), rows.w.data(), 1e-5f, context.stream),
              "layernorm_forward");
        check(context.ops.layernorm_backward(rows.dx.mat(), rows.dw.data(), rows.db.data(), rows.dy.view(),
                                             rows.x.view(), rows.mean.data(), rows.rstd.data(), rows.w.data(),
                                             0, context.stream),
              "layernorm_backward");
    });
}

void swiglu(const CaseContext& context) {
    Rows rows(2 * kColumns);
    count_instructions([&] {
        check(context.ops.swiglu_forward(rows.y.mat(), rows.x.view(), context.stream), "swiglu_forward");
        check(context.ops.swiglu_backward(rows.dx.mat(), rows.dy.view(), rows.x.view(), context.stream),
              "swiglu_backward");
    });
}

void gelu(const CaseContext& context) {
    Rows rows;
    count_instructions([&] {
        check(context.ops.gelu_forward(rows.y.mat(), rows.x.view(), context.stream), "gelu_forward");
        check(context.ops.gelu_backward(rows.dx.mat(), rows.dy.view(), rows.x.view(), context.stream),
              "gelu_backward");
    });
}

void rope(const CaseContext& context) {
    constexpr int64_t kWidth = 64;
    Rows rows;
    std::vector<int32_t> positions;
    for (int32_t row = 0; row < kRows; ++row) positions.push_back(row);
    const std::vector<float> table(kRows * kWidth / 2, 0.6f);
    count_instructions([&] {
        for (const int32_t direction : {1, -1})
            check(context.ops.rope(rows.x.mat(), positions.data(), table.data(), table.data(),
                                   kColumns / kWidth, kWidth, direction, context.stream),
                  "rope");
    });
}

// ---- optimiser and sampling

template <DType dtype>
void adamw(const CaseContext& context) {
    constexpr int64_t kElements = 256 * 256;
    Random random(1);
    std::vector<float> parameter = random_floats(random, kElements);
    const std::vector<float> gradient = random_floats(random, kElements);
    std::vector<float> m(kElements), v(kElements);
    std::vector<bf16_t> compute(kElements);
    const AdamW settings{1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.001f, 1};
    double sum = 0;
    count_instructions([&] {
        check(context.ops.sum_squares(&sum, gradient.data(), kElements, context.stream), "sum_squares");
        check(
            context.ops.adamw(parameter.data(), dtype == DType::BF16 ? compute.data() : nullptr, m.data(),
                              v.data(), gradient.data(), kElements, Layout::Panels, settings, context.stream),
            "adamw");
    });
}

void sample(const CaseContext& context) {
    constexpr int64_t kDraws = 8, kVocabulary = 4096;
    Random random(1);
    const std::vector<float> given = random_floats(random, kDraws * kVocabulary, 3);
    const std::vector<int32_t> seen{3, 40, 500, 2000};
    std::vector<SampleRow> rows;
    for (int64_t i = 0; i < kDraws; ++i)
        rows.push_back(
            {static_cast<float>(random.uniform()), seen.data(), static_cast<int64_t>(seen.size())});
    SampleSettings settings;
    settings.temperature = 0.8f;
    settings.top_k = 200;
    settings.top_p = 0.9f;
    settings.min_p = 0.01f;
    settings.penalty = 1.1f;
    settings.vocabulary = kVocabulary;
    std::vector<int32_t> tokens(kDraws);
    std::vector<float> logits(given.size()), logprobs(kDraws), model_logprobs(kDraws);
    count_instructions([&] {
        logits = given;  // sampling changes them
        check(context.ops.sample({tokens.data(), logprobs.data(), model_logprobs.data()},
                                 {logits.data(), DType::F32, kDraws, kVocabulary, kVocabulary}, rows.data(),
                                 settings, context.stream),
              "sample");
    });
}

const RegisterCase cases[] = {
    {"gemm-forward-fp32", gemm_forward<DType::F32>},
    {"gemm-forward-bf16", gemm_forward<DType::BF16>},
    {"gemm-input-fp32", gemm_input<DType::F32>},
    {"gemm-input-bf16", gemm_input<DType::BF16>},
    {"gemm-input-few-fp32", gemm_input<DType::F32, 24, 288>},
    {"gemm-weight-fp32", gemm_weight<DType::F32>},
    {"gemm-weight-bf16", gemm_weight<DType::BF16>},
    {"gemm-row-fp32", gemm_row<DType::F32>},
    {"gemm-row-bf16", gemm_row<DType::BF16>},
    {"attention-forward", attention_forward},
    {"attention-backward", attention_backward},
    {"rmsnorm", rmsnorm},
    {"layernorm", layernorm},
    {"swiglu", swiglu},
    {"gelu", gelu},
    {"rope", rope},
    {"adamw-fp32", adamw<DType::F32>},
    {"adamw-bf16", adamw<DType::BF16>},
    {"sample", sample},
};

}  // namespace

}  // namespace attune::tool
