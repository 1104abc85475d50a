// The ops table over AVX2 with FMA. Compiled with -mavx2 -mfma -mf16c -mprfchw (an instruction that
// processors without it take for none).
#include "cpu/vec_avx2.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops avx2_ops() {
    return make_ops<Vec>("avx2");
}

}  // namespace attune
