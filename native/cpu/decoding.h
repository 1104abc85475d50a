// Fills the decoding entries of an ops table. Templates on the vector type only; include after a vec_*.h.
#pragma once

#include "cpu/attention_cached.h"
#include "cpu/sampling.h"

namespace attune {
namespace {

template <class V>
void fill_decoding(Ops& ops) {
    ops.cache_page_shift = kOnePage;
    ops.begin_step = begin_step;
    ops.cache_store = cache_store<V>;
    ops.attention_cached = attention_cached<V>;
    ops.sample = sample<V>;
}

}  // namespace
}  // namespace attune
