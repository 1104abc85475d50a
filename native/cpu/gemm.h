// The GEMM family of the ops table: linear maps and the import, export and conversion of weights.
// Includes bodies only; must not include a vec_*.h.
#pragma once

#include "core/ops.h"
#include "cpu/gemm_backward_input.h"
#include "cpu/gemm_backward_weight.h"
#include "cpu/gemm_forward.h"
#include "cpu/lowrank.h"
#include "cpu/weights.h"

namespace attune {
namespace {

template <class V>
void fill_gemm(Ops& ops) {
    ops.weight_import = weight_import<V>;
    ops.weight_export = weight_export<V>;
    ops.weight_convert = weight_convert<V>;
    ops.linear_forward = linear_forward<V>;
    ops.linear_backward_input = linear_backward_input<V>;
    ops.linear_backward_weight = linear_backward_weight<V>;
    fill_lowrank<V>(ops);
}

}  // namespace
}  // namespace attune
