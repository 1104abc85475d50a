// The ops table over sixteen lanes made of AVX2 registers with a bf16 dot product in software. Test builds
// only; compiled as AVX2.
#include "cpu/vec_emulated16.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops emulated16bf16_ops() {
    return make_ops<EmulatedVec<true>>("emulated16bf16");
}

}  // namespace attune
