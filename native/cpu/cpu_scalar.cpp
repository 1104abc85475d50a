// The ops table over four portable lanes. Compiled without machine flags.
// Holds no body of its own; everything included below has internal linkage, so this object has no weak
// symbols.
#include "cpu/vec_scalar.h"
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

Ops scalar_ops() {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = "scalar";
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
