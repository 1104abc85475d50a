// The ops tables compiled into this library, one per ISA. Declarations only.
#pragma once

#include "core/ops.h"

namespace attune {

// Memory of tensors: the same for all.
void fill_memory(Ops& ops);

Ops scalar_ops();
Ops avx2_ops();
Ops avx512_ops();
Ops avx512bf16_ops();
Ops neon_ops();
Ops emulated16_ops();      // test builds only (ATTUNE_EMULATED)
Ops emulated16bf16_ops();  // test builds only (ATTUNE_EMULATED)

}  // namespace attune
