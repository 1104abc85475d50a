// Exact KL divergences over the whole vocabulary between a policy and a reference at the same targets, chunk
// by chunk of the policy's head, and their gradient. Never builds [targets, vocabulary]; knows no trunk and
// no batch.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/gradients.h"
#include "model/head.h"
#include "model/weights.h"

namespace attune {

struct KlValues {
    std::vector<float> kl;          // [targets] KL(p || q) of policy p and reference q, nats
    std::vector<float> reverse_kl;  // [targets] KL(q || p)
};

// Derivatives of a loss by the divergences of one direction.
struct KlGradient {
    bool reverse = false;     // of KL(q || p), else of KL(p || q)
    std::vector<float> d_kl;  // [targets]
};

class HeadKl {
  public:
    explicit HeadKl(const Ops& ops) : ops_(ops) {}

    // Copies what the reference's head has gathered: models of one base share a head, which gathers the
    // policy's rows next. The weights must outlive the call that follows.
    void set_reference(const Head& reference, const Weights& weights, Stream& stream);

    // values (=) at the targets that the policy's head has gathered, as many as the reference's.
    void evaluate(KlValues& values, Head& policy, const Weights& weights, Stream& stream);
    // The same, and the gradient of the policy's head matrix (+=; gradients null = it is frozen) and, kept
    // inside the head, of its normed rows. The reference has no gradient.
    void train(KlValues& values, TargetStats& stats, Head& policy, const Weights& weights,
               Gradients* gradients, const KlGradient& gradient, Stream& stream);

    int64_t allocated_bytes() const { return arena_ ? static_cast<int64_t>(bytes_) : 0; }
    // row_bytes: of one normed row of the reference. V: the vocabulary; chunk_rows: the policy's.
    static int64_t planned_bytes(int64_t targets, int64_t row_bytes, int64_t chunk_rows, int64_t V);

  private:
    // Logits of the reference for targets [first, first + count), [count,V].
    Mat reference_logits(int64_t first, int64_t count, Stream& stream);

    const Ops& ops_;
    TensorMemory arena_;
    size_t bytes_ = 0;
    Mat rows_;                 // [targets,C] of the reference, in its dtype and width
    Weight matrix_;            // [V,C] of the reference
    float* logits_ = nullptr;  // [chunk][V]
};

}  // namespace attune
