// What all roles of one loaded model share: weights, layers, head, work space. Plain ownership; the commands
// are the sessions'.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/ops.h"
#include "formats/tensor_source.h"
#include "model/head.h"
#include "model/head_kl.h"
#include "model/spec.h"
#include "model/trunk.h"
#include "model/weights.h"
#include "session/session.h"
#include "session/step_space.h"

namespace attune {

struct ModelBase {
    ModelBase(const Ops& table, Stream& stream, const ModelConfig& model, DType type, WeightPlace place)
        : ops(table),
          config(model),
          dtype(type),
          spec(model_spec(model)),
          weights(spec, type, table, stream, Weights::possible(place, table)),
          trunk(table, model, spec, type),
          head(table, model, spec, type),
          head_kl(table),
          number(next_number()) {}
    ModelBase(const ModelBase&) = delete;
    ModelBase& operator=(const ModelBase&) = delete;

    const Ops& ops;
    ModelConfig config;
    DType dtype;
    ModelSpec spec;
    Weights weights;
    Trunk trunk;
    Head head;
    HeadKl head_kl;  // empty until a divergence is asked for
    StepSpace space;
    const int64_t number;
    std::string path;
    // Score heads that the file does not hold, and how they started.
    std::optional<ScoreDraw> drawn;
    // bf16: open until training needs the fp32 values, or an adapter is made and they won't be needed.
    std::unique_ptr<const TensorSource> source;
    // Adapters and frozen views, whose meaning would change with the weights. Counted by their sessions.
    std::atomic<int> dependents{0};

  private:
    static int64_t next_number() {
        static std::atomic<int64_t> last{0};
        return ++last;
    }
};

}  // namespace attune
