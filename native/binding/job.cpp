// Runs a job: every exception of the core ends here as the job's failure.
#include "binding/job.h"

#include <new>

#include "binding/engine_core.h"

namespace attune::binding {

namespace {

// What the device said, where it was the device that failed.
Error with_device_reason(const Error& error, const OpenDevice& device) {
    if (error.code != Code::Backend && error.code != Code::Memory && error.code != Code::DeviceLost)
        return error;
    const std::string reason = device.last_error();
    return reason.empty() ? error : Error(error.code, error.text + " The device said: " + reason + ".");
}

}  // namespace

void Job::report(double fraction) noexcept {
    fraction_.store(fraction, std::memory_order_relaxed);
    if (!reported_.exchange(true, std::memory_order_acq_rel))
        channel_->post(EventKind::Progress, shared_from_this());
}

double Job::take_progress() {
    reported_.store(false, std::memory_order_release);
    return fraction_.load(std::memory_order_relaxed);
}

void Job::run() noexcept {
    Stream stream{engine_->pool.get(), &engine_->scratch, &cancelled, engine_->device.get()};
    try {
        require(!cancelled.load(std::memory_order_relaxed), Code::Aborted,
                "The work was cancelled before it began.");
        if (engine_->lost && !frees) throw Error(*engine_->lost);
        work(stream);
    } catch (const Error& error) {
        const bool known = engine_->lost && error.code == Code::DeviceLost;
        failure_.emplace(known ? *engine_->lost : with_device_reason(error, engine_->device));
        if (failure_->code == Code::DeviceLost) engine_->lost = failure_;
    } catch (const std::bad_alloc&) {
        failure_.emplace(
            Code::Memory,
            "The system refused memory. Use a smaller micro-batch, bf16, or a machine with more memory.");
    } catch (const std::exception& error) {
        failure_.emplace(Code::Internal, error.what());
    } catch (...) {
        failure_.emplace(Code::Internal, "An unknown exception was thrown.");
    }
    if (failure_ && undo && !closing()) {
        try {
            undo(stream);
        } catch (...) {
            // The model was disposed, and what was to be undone went with it.
        }
    }
    engine_->scratch_bytes.store(static_cast<int64_t>(engine_->scratch.bytes()), std::memory_order_relaxed);
    channel_->post(EventKind::Settled, shared_from_this());
}

}  // namespace attune::binding
