// Gathers what every file of kernels fills in, and stands around each op: its turn on the device, what it
// met, and no exception across the table.
#include "cuda/cuda_ops.h"

#include "core/every_op.h"
#include "cuda/device.h"
#include "cuda/tables.h"

namespace attune::gpu {

namespace {

const Ops& bare_ops() {
    static const Ops filled = [] {
        Ops ops{};
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
    }();
    return filled;
}

template <auto kOp>
struct Guarded;
template <class... Operands, Status (*Ops::*kOp)(Operands...)>
struct Guarded<kOp> {
    static Status call(Operands... operands) {
        try {
            Operation operation(device_of(stream_of_operands(operands...)));
            if (operation.status() != Status::Ok) return operation.status();
            return operation.ended((bare_ops().*kOp)(operands...));
        } catch (...) {
            return report_exception();
        }
    }
};

Status trim(Stream* stream) {
    try {
        return bare_ops().memory_trim(stream);
    } catch (...) {
        return report_exception();
    }
}

}  // namespace

Ops make_ops(const char* name) {
    Ops ops = bare_ops();
    ops.struct_size = sizeof(Ops);
    ops.name = name;
    replace_every_op<Guarded>(ops);
    ops.memory_trim = trim;  // takes its turn by itself, also on a device that is lost
    return ops;
}

}  // namespace attune::gpu
