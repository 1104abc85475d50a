// Two queues and two events; the events are recorded anew for every copy.
#include "cuda/transfer.h"

#include <new>

#include "cuda/device.h"
#include "cuda/tables.h"

namespace attune::gpu {

Transfers* Transfers::open(Queue* queue) {
    auto* transfers = new (std::nothrow) Transfers(queue);
    if (transfers == nullptr) return nullptr;
    if (make_queue(&transfers->copies_) == Status::Ok && make_event(&transfers->computed_) == Status::Ok &&
        make_event(&transfers->copied_) == Status::Ok)
        return transfers;
    delete transfers;
    return nullptr;
}

Transfers::~Transfers() {
    if (copies_ != nullptr) {
        wait(copies_);
        end_queue(copies_);
    }
    if (computed_ != nullptr) end_event(computed_);
    if (copied_ != nullptr) end_event(copied_);
}

Status Transfers::fetch(void* device, const void* pinned, int64_t bytes) {
    Status status = record(computed_, queue_->direct());
    if (status == Status::Ok) status = follow(copies_, computed_);
    if (status == Status::Ok) status = copy_in(device, pinned, bytes, copies_);
    return status == Status::Ok ? record(copied_, copies_) : status;
}

Status Transfers::join() {
    return follow(queue_->direct(), copied_);
}

Status Transfers::finish() {
    return wait(copies_);
}

// ---- ops

namespace {

Status pinned_take(MemoryBlock* block, int64_t bytes, Stream* stream) {
    *block = {};
    if (device_of(stream).transfers() == nullptr) return Status::Memory;
    const Status status = allocate_pinned(&block->data, bytes);
    if (status == Status::Ok) block->bytes = bytes;
    return status;
}

void pinned_release(MemoryBlock block, void* device) {
    static_cast<Device*>(device)->give_back_pinned(block);
}

Status fetch(void* target, const void* pinned, int64_t bytes, Stream* stream) {
    return device_of(stream).transfers()->fetch(target, pinned, bytes);
}

Status fetched(Stream* stream) {
    return device_of(stream).transfers()->join();
}

}  // namespace

void fill_transfers(Ops& ops) {
    ops.pinned_take = pinned_take;
    ops.pinned_release = pinned_release;
    ops.fetch = fetch;
    ops.fetched = fetched;
}

}  // namespace attune::gpu
