// Over fibers, the order in which threads run follows the number of threads that a check asks for: results
// must not depend on either.
#include "tool/device_tables.h"

#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include "core/error.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"
#include "tool/staged_ops.h"
#ifdef ATTUNE_SIMT
#include "cuda/simt/grid.h"
#include "cuda/simt/runtime_simt.h"
#endif

namespace attune::tool {

namespace {

#ifdef ATTUNE_SIMT
constexpr const char* kName = "simt";
void before_op(int threads) {
    simt::set_order(threads == 1   ? simt::Order::Forward
                    : threads == 2 ? simt::Order::Backward
                                   : simt::Order::Shuffled);
}
#else
constexpr const char* kName = "cuda";
void before_op(int) {}
#endif

// Kept until the program ends: tensors of others are given back to it.
struct OpenedDevice {
    Ops ops = gpu::make_ops(kName);
    ThreadPool pool{1};
    Scratch scratch;
    Stream stream;
    Ops staged;
    DeviceTable table;

    OpenedDevice() {
        stream.pool = &pool;
        stream.scratch = &scratch;
        stream.device = gpu::Device::open(0);
        require(stream.device != nullptr, Code::Backend,
                "Expected to open the device but: ", gpu::last_failure().text, ".");
        staged = staged_ops(ops, &stream, before_op);
        table = {kName, &ops, &stream, &staged};
    }
};

}  // namespace

int64_t DeviceTable::reserved_bytes() const {
    return static_cast<gpu::Device*>(stream->device)->reserved_bytes();
}

std::string device_failure() {
    return gpu::last_failure().text;
}

StepReport DeviceTable::steps() const {
    const gpu::StepCounts& counts = static_cast<gpu::Device*>(stream->device)->step_counts();
    return {counts.replayed, counts.recorded, counts.ordinary, counts.failure};
}

bool DeviceTable::refuse_graphs([[maybe_unused]] bool refuse) const {
#ifdef ATTUNE_SIMT
    simt::refuse_graphs(refuse);
    return true;
#else
    return false;
#endif
}

const DeviceTable* device_table() {
    static auto* device = new OpenedDevice;
    return &device->table;
}

}  // namespace attune::tool

#else

namespace attune::tool {

int64_t DeviceTable::reserved_bytes() const {
    return 0;
}

std::string device_failure() {
    return "";
}

StepReport DeviceTable::steps() const {
    return {};
}

bool DeviceTable::refuse_graphs(bool) const {
    return false;
}

const DeviceTable* device_table() {
    return nullptr;
}

}  // namespace attune::tool

#endif
