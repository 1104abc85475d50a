// The ops table over NEON. Compiled without machine flags: every AArch64 processor has it.
#include "cpu/vec_neon.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops neon_ops() {
    return make_ops<Vec>("neon");
}

}  // namespace attune
