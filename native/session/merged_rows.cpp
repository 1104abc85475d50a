// Sums in double: merging is rare, and each weight is rounded once.
#include "session/merged_rows.h"

#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "core/threads.h"

namespace attune {

namespace {

ModelSpec merged_spec(ModelConfig config, const Adapter& adapter) {
    if (adapter.score_head() != nullptr) config.score_heads = adapter.score_head()->N;
    return model_spec(config);
}

}  // namespace

MergedModel::MergedModel(const ModelConfig& config, const ModelSpec& base, const Weights& weights,
                         const Adapter& adapter, const Ops& ops, Stream& stream)
    : base_(base),
      weights_(weights),
      adapter_(adapter),
      ops_(ops),
      stream_(stream),
      spec_(merged_spec(config, adapter)) {}

PartRows MergedModel::rows() const {
    return [this](const TensorSpec& tensor, int64_t first, int64_t rows, float* out) {
        if (tensor.name == "score" && adapter_.score_head() != nullptr)
            export_rows(adapter_.weights(), *adapter_.score_head(), first, rows, out);
        else
            merged_rows(tensor, first, rows, out);
    };
}

void MergedModel::export_rows(const Weights& weights, const TensorSpec& tensor, int64_t first, int64_t rows,
                              float* out) const {
    if (tensor.vector)
        read_floats(out, weights.vector(&tensor) + first, rows, ops_, stream_);
    else {
        weights.bring(tensor, stream_);
        check(ops_.weight_export(out, weights.matrix(tensor), first, rows, &stream_), "weight_export");
    }
}

// out[rows, K] = W + scale B A of the rows' parts
void MergedModel::merged_rows(const TensorSpec& tensor, int64_t first, int64_t rows, float* out) const {
    export_rows(weights_, base_.at(tensor.name), first, rows, out);
    const ModelSpec& factors = adapter_.spec();
    if (!factors.has(tensor.name + ".A")) return;
    const TensorSpec& a_tensor = factors.at(tensor.name + ".A");
    const TensorSpec& b_tensor = factors.at(tensor.name + ".B");
    const int64_t K = tensor.K, rank = b_tensor.K;
    std::vector<float> a(static_cast<size_t>(a_tensor.N * K)), b(static_cast<size_t>(rows * rank));
    export_rows(adapter_.weights(), a_tensor, 0, a_tensor.N, a.data());
    export_rows(adapter_.weights(), b_tensor, first, rows, b.data());
    const double scale = adapter_.config().scale();
    stream_.pool->parallel(rows, [&](int64_t r, int) {
        for (size_t i = 0; i < b_tensor.parts.size(); ++i) {
            const TensorPart& part = b_tensor.parts[i];
            if (first + r < part.row || first + r >= part.row + part.rows) continue;
            std::vector<double> sum(static_cast<size_t>(K), 0);
            for (int64_t j = 0; j < rank; ++j) {
                const auto factor = static_cast<double>(b[static_cast<size_t>(r * rank + j)]);
                const float* row = a.data() + (static_cast<int64_t>(i) * rank + j) * K;
                for (int64_t k = 0; k < K; ++k)
                    sum[static_cast<size_t>(k)] += factor * static_cast<double>(row[k]);
            }
            for (int64_t k = 0; k < K; ++k)
                out[r * K + k] = static_cast<float>(static_cast<double>(out[r * K + k]) +
                                                    scale * sum[static_cast<size_t>(k)]);
        }
    });
}

}  // namespace attune
