// The ops table over AVX-512 with the bf16 dot product. Compiled with those flags.
#include "cpu/vec_avx512.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops avx512bf16_ops() {
    return make_ops<BasicVec<true>>("avx512bf16");
}

}  // namespace attune
