// The ops table over four portable lanes. Compiled without machine flags.
#include "cpu/vec_scalar.h"
//
#include "cpu/cpu_tables.h"
#include "cpu/make_ops.h"

namespace attune {

Ops scalar_ops() {
    return make_ops<Vec>("scalar");
}

}  // namespace attune
