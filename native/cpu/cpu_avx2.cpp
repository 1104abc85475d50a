// The ops table over AVX2 with FMA. Compiled with -mavx2 -mfma -mf16c.
// Holds no body of its own; everything included below has internal linkage, so this object has no weak
// symbols.
#include "cpu/vec_avx2.h"
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

Ops avx2_ops() {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = "avx2";
    fill_gemm<Vec>(ops);
    fill_norm<Vec>(ops);
    fill_elementwise<Vec>(ops);
    fill_embedding<Vec>(ops);
    fill_attention<Vec>(ops);
    fill_head<Vec>(ops);
    fill_optimizer<Vec>(ops);
    return ops;
}

}  // namespace attune
