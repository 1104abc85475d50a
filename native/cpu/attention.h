// Fills the attention entries of an ops table. Templates on the vector type only; include after a vec_*.h.
#pragma once

#include "cpu/attention_backward.h"
#include "cpu/attention_forward.h"

namespace attune {

template <class V>
void fill_attention(Ops& ops) {
    ops.attention_forward = attention_forward<V>;
    ops.attention_backward = attention_backward<V>;
}

}  // namespace attune
