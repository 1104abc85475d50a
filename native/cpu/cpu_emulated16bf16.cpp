// The ops table over sixteen lanes made of AVX2 registers with a bf16 dot product in software. Test builds
// only; compiled as AVX2. Holds no body of its own; everything included below has internal linkage, so this
// object has no weak symbols.
#include "cpu/vec_emulated16.h"
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

Ops emulated16bf16_ops() {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = "emulated16bf16";
    fill_gemm<EmulatedVec<true>>(ops);
    fill_norm<EmulatedVec<true>>(ops);
    fill_elementwise<EmulatedVec<true>>(ops);
    fill_embedding<EmulatedVec<true>>(ops);
    fill_attention<EmulatedVec<true>>(ops);
    fill_head<EmulatedVec<true>>(ops);
    fill_optimizer<EmulatedVec<true>>(ops);
    return ops;
}

}  // namespace attune
