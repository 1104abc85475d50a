// Gathers what every file of kernels fills in.
#include "cuda/cuda_ops.h"

#include "cuda/tables.h"

namespace attune::gpu {

Ops make_ops(const char* name) {
    Ops ops{};
    ops.struct_size = sizeof(Ops);
    ops.name = name;
    fill_memory(ops);
    fill_transfers(ops);
    fill_weights(ops);
    fill_elementwise(ops);
    fill_norm(ops);
    fill_embedding(ops);
    fill_optimizer(ops);
    fill_head(ops);
    fill_sampling(ops);
    fill_gemm(ops);
    fill_lowrank(ops);
    fill_attention(ops);
    fill_decoding(ops);
    return ops;
}

}  // namespace attune::gpu
