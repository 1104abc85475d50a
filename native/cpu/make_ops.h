// Every op body over one vector type, gathered into a table. Included after a vec_*.h, in one file per
// instruction set. Holds no body of its own; everything has internal linkage, so those objects have no weak
// symbols.
#pragma once

#include "cpu/attention.h"
#include "cpu/cpu_tables.h"
#include "cpu/decoding.h"
#include "cpu/elementwise.h"
#include "cpu/embedding.h"
#include "cpu/gemm.h"
#include "cpu/head.h"
#include "cpu/norm.h"
#include "cpu/optimizer.h"

namespace attune {
namespace {

template <class V>
Ops make_ops(const char* name) {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = name;
    fill_memory(ops);
    fill_gemm<V>(ops);
    fill_norm<V>(ops);
    fill_elementwise<V>(ops);
    fill_embedding<V>(ops);
    fill_attention<V>(ops);
    fill_head<V>(ops);
    fill_optimizer<V>(ops);
    fill_decoding<V>(ops);
    return ops;
}

}  // namespace
}  // namespace attune
