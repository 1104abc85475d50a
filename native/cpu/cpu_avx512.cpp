// The ops table over AVX-512 (F, BW, DQ, VL). Compiled with those flags.
// Holds no body of its own; everything included below has internal linkage, so this object has no weak
// symbols.
#include "cpu/vec_avx512.h"
//
#include "cpu/attention.h"
#include "cpu/cpu_tables.h"
#include "cpu/elementwise.h"
#include "cpu/embedding.h"
#include "cpu/gemm.h"
#include "cpu/head.h"
#include "cpu/norm.h"
#include "cpu/optimizer.h"

namespace attune {

Ops avx512_ops() {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = "avx512";
    fill_gemm<BasicVec<false>>(ops);
    fill_norm<BasicVec<false>>(ops);
    fill_elementwise<BasicVec<false>>(ops);
    fill_embedding<BasicVec<false>>(ops);
    fill_attention<BasicVec<false>>(ops);
    fill_head<BasicVec<false>>(ops);
    fill_optimizer<BasicVec<false>>(ops);
    return ops;
}

}  // namespace attune
