// A row at a time through the backend's layout.
#include "model/score_head.h"

#include <cmath>

#include "core/backend.h"
#include "core/philox.h"

namespace attune {

namespace {

void import_row(void* data, DType dtype, const TensorSpec& heads, int64_t head, const std::vector<float>& row,
                const Ops& ops, Stream& stream) {
    check(ops.weight_import(data, dtype, heads.layout, heads.N, heads.K, head, 1, row.data(), &stream),
          "weight_import");
}

}  // namespace

void draw_score_heads(void* data, DType dtype, const TensorSpec& heads, const ScoreDraw& draw, const Ops& ops,
                      Stream& stream) {
    const Philox random{draw.seed};
    const double deviation = 1 / std::sqrt(static_cast<double>(heads.K + 1));
    std::vector<float> row(static_cast<size_t>(heads.K), 0);
    for (int64_t head = 0; head < heads.N; ++head) {
        for (size_t column = 0; draw.normal && column < row.size(); ++column) {
            const auto words =
                random(RandomStream::Init, 0, static_cast<uint32_t>(head), static_cast<uint32_t>(column));
            // Box-Muller; 1 - u is in (0, 1].
            const double radius =
                std::sqrt(-2 * std::log(1 - static_cast<double>(Philox::uniform(words[0]))));
            const double angle = 2 * M_PI * static_cast<double>(Philox::uniform(words[1]));
            row[column] = static_cast<float>(deviation * radius * std::cos(angle));
        }
        import_row(data, dtype, heads, head, row, ops, stream);
    }
}

void scale_score_heads(void* data, DType dtype, const TensorSpec& heads, const std::vector<double>& factors,
                       const Ops& ops, Stream& stream) {
    std::vector<float> row(static_cast<size_t>(heads.K));
    for (int64_t head = 0; head < heads.N; ++head) {
        check(ops.weight_export(row.data(), {data, dtype, heads.layout, heads.N, heads.K}, head, 1, &stream),
              "weight_export");
        for (float& value : row)
            value = static_cast<float>(static_cast<double>(value) * factors[static_cast<size_t>(head)]);
        import_row(data, dtype, heads, head, row, ops, stream);
    }
}

}  // namespace attune
