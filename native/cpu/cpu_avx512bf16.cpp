// The ops table over AVX-512 with the bf16 dot product. Compiled with those flags.
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

Ops avx512bf16_ops() {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = "avx512bf16";
    fill_gemm<BasicVec<true>>(ops);
    fill_norm<BasicVec<true>>(ops);
    fill_elementwise<BasicVec<true>>(ops);
    fill_embedding<BasicVec<true>>(ops);
    fill_attention<BasicVec<true>>(ops);
    fill_head<BasicVec<true>>(ops);
    fill_optimizer<BasicVec<true>>(ops);
    return ops;
}

}  // namespace attune
