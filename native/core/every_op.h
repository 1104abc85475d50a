// The list of the ops that take a stream, for what stands around each of them. Knows their names alone.
#pragma once

#include <cstddef>
#include <tuple>

#include "core/ops.h"

namespace attune {

// The stream of an op's operands: the last one.
template <class... Operands>
Stream* stream_of_operands(Operands... operands) {
    return std::get<sizeof...(Operands) - 1>(std::tuple<Operands...>(operands...));
}

// Instead<&Ops::name>::call in the place of every one of them that is there.
template <template <auto> class Instead, auto... kOps>
void replace_ops(Ops& ops) {
    static_assert(sizeof...(kOps) + 3 == (sizeof(Ops) - offsetof(Ops, memory_grow)) / sizeof(void (*)()),
                  "every op but memory_release, memory_trim and pinned_release");
    ((ops.*kOps = ops.*kOps == nullptr ? nullptr : &Instead<kOps>::call), ...);
}

template <template <auto> class Instead>
void replace_every_op(Ops& ops) {
    replace_ops<
        Instead, &Ops::memory_grow, &Ops::memory_reserve, &Ops::memory_read, &Ops::memory_write, &Ops::finish,
        &Ops::pinned_take, &Ops::fetch, &Ops::fetched, &Ops::weight_import, &Ops::weight_export,
        &Ops::weight_convert, &Ops::linear_forward, &Ops::linear_backward_input, &Ops::linear_backward_weight,
        &Ops::lowrank_forward, &Ops::lowrank_backward_input, &Ops::lowrank_backward_weight,
        &Ops::rmsnorm_forward, &Ops::rmsnorm_backward, &Ops::layernorm_forward, &Ops::layernorm_backward,
        &Ops::rope, &Ops::swiglu_forward, &Ops::swiglu_backward, &Ops::gelu_forward, &Ops::gelu_backward,
        &Ops::elementary, &Ops::copy, &Ops::add, &Ops::gather_rows, &Ops::scatter_add_rows,
        &Ops::embedding_forward, &Ops::embedding_backward, &Ops::attention_forward, &Ops::attention_backward,
        &Ops::head_stats, &Ops::head_kl, &Ops::head_gradient, &Ops::adamw, &Ops::sum_squares, &Ops::fill,
        &Ops::find_not_finite, &Ops::begin_step, &Ops::cache_store, &Ops::attention_cached, &Ops::sample>(
        ops);
}

}  // namespace attune
