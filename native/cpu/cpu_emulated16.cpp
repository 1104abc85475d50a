// The ops table over sixteen lanes made of AVX2 registers. Test builds only; compiled as AVX2.
#include "cpu/vec_emulated16.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops emulated16_ops() {
    return make_ops<EmulatedVec<false>>("emulated16");
}

}  // namespace attune
