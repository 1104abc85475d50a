// What each file of kernels fills in. Declarations only.
#pragma once

#include "core/ops.h"

namespace attune::gpu {

void fill_memory(Ops& ops);
void fill_transfers(Ops& ops);
void fill_weights(Ops& ops);
void fill_elementwise(Ops& ops);
void fill_norm(Ops& ops);
void fill_embedding(Ops& ops);
void fill_optimizer(Ops& ops);
void fill_head(Ops& ops);
void fill_sampling(Ops& ops);
void fill_gemm(Ops& ops);
void fill_lowrank(Ops& ops);
void fill_attention(Ops& ops);
void fill_decoding(Ops& ops);

}  // namespace attune::gpu
