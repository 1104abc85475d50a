// The order in which threads run follows the number of threads that a check asks for: results must not
// depend on either.
#include "tool/device_tables.h"

#ifdef ATTUNE_SIMT
#include "core/error.h"
#include "core/scratch.h"
#include "core/threads.h"
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

// Kept until the program ends: tensors of others are given back to it.
struct SimtDevice {
    Ops ops = gpu::make_ops("simt");
    ThreadPool pool{1};
    Scratch scratch;
    Stream stream;

    SimtDevice() {
        stream.pool = &pool;
        stream.scratch = &scratch;
        stream.device = gpu::Device::open(0);
        require(stream.device != nullptr, Code::Memory, gpu::last_error());
    }
};

SimtDevice& simt_device() {
    static auto* device = new SimtDevice;
    return *device;
}

}  // namespace

const Ops* simt_table() {
    static const Ops staged = staged_ops(simt_device().ops, &simt_device().stream, choose_order);
    return &staged;
}

const DeviceTable* device_to_check() {
    static const DeviceTable table{&simt_device().ops, &simt_device().stream};
    return &table;
}

int64_t device_bytes() {
    return static_cast<gpu::Device*>(simt_device().stream.device)->reserved_bytes();
}

}  // namespace attune::tool

#else

namespace attune::tool {

const Ops* simt_table() {
    return nullptr;
}

const DeviceTable* device_to_check() {
    return nullptr;
}

int64_t device_bytes() {
    return 0;
}

}  // namespace attune::tool

#endif
