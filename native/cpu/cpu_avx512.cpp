// The ops table over AVX-512 (F, BW, DQ, VL). Compiled with those flags.
#include "cpu/vec_avx512.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops avx512_ops() {
    return make_ops<BasicVec<false>>("avx512");
}

}  // namespace attune
