// The order in which threads run follows the number of threads that a check asks for: results must not
// depend on either.
#include "tool/device_tables.h"

#ifdef ATTUNE_SIMT
#include "core/error.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"
#include "cuda/simt/grid.h"
#include "tool/staged_ops.h"

namespace attune::tool {

namespace {

void choose_order(int threads) {
    simt::set_order(threads == 1   ? simt::Order::Forward
                    : threads == 2 ? simt::Order::Backward
                                   : simt::Order::Shuffled);
}

}  // namespace

const Ops* simt_table() {
    static const Ops ops = gpu::make_ops("simt");
    static Stream stream = [] {
        Stream made;
        made.device = gpu::Device::open(0);
        require(made.device != nullptr, Code::Memory, gpu::last_error());
        return made;
    }();
    static const Ops staged = staged_ops(ops, &stream, choose_order);
    return &staged;
}

}  // namespace attune::tool

#else

namespace attune::tool {

const Ops* simt_table() {
    return nullptr;
}

}  // namespace attune::tool

#endif
