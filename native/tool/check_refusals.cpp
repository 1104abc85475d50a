// The host without memory, at each op in turn: nothing but a status may leave the backend, and what was begun
// can be done again. And its functions beside the ops.
#ifdef ATTUNE_SIMT
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "core/backend_abi.h"
#include "core/error.h"
#include "core/every_op.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"
#include "cuda/simt/machine_simt.h"
#include "generate/generation.h"
#include "tool/allocation_count.h"
#include "tool/check.h"
#include "tool/tiny_model.h"

extern "C" int32_t attune_backend_entry(uint32_t host_abi, attune::BackendTable* out, char* error,
                                        size_t size);

namespace attune::tool {

namespace {

// Which call of an op meets a host without memory, and what came of it.
struct Refusal {
    int64_t calls = 0;   // so far
    int64_t refuse = 0;  // 0: none
    int64_t after = 0;   // allocations that it is still given
    bool met = false;    // an op returned Memory
    bool other = false;  // or something else that is no success
    // Of each op its first call and its last one.
    std::map<const void*, std::pair<int64_t, int64_t>> seen;
};
Refusal refusal;

const Ops& guarded_ops() {
    static const Ops all = gpu::make_ops("simt");
    return all;
}

template <auto kOp>
struct Refused;
template <class... Operands, Status (*Ops::*kOp)(Operands...)>
struct Refused<kOp> {
    static Status call(Operands... operands) {
        const bool now = ++refusal.calls == refusal.refuse;
        if (refusal.refuse == 0)
            refusal.seen.try_emplace(&kIdentity, refusal.calls, 0).first->second.second = refusal.calls;
        if (now) refuse_allocations(refusal.after);
        const Status status = (guarded_ops().*kOp)(operands...);
        if (!now) return status;
        allow_allocations();
        refusal.met = status == Status::Memory;
        refusal.other = status != Status::Memory && status != Status::Ok;
        return status;
    }
    static constexpr char kIdentity = 0;
};

struct Trainee {
    Trainee() {
        ops = guarded_ops();
        replace_every_op<Refused>(ops);
        stream.pool = &pool;
        stream.scratch = &scratch;
        device.reset(gpu::Device::open(0));
        require(device != nullptr, Code::Backend, gpu::last_failure().text);
        stream.device = device.get();
        base = load_tiny(ops, stream, DType::BF16, tiny_config(), folder);
        adapter = add_tiny_adapter(*base, stream);
    }

    // Gradients of an adapter, divergences and tokens: most ops that a run has.
    double run() {
        adapter->clear_gradients(stream);
        adapter->step(result, batch, policy_of(batch), stream);
        double sum = result.loss;
        adapter->kl_step(result, batch, *base, {}, stream);
        sum += result.loss;
        const ModelView view = base->view();
        Generation generation(view.config, DType::BF16, view.ops, {{1, 2, 3}, {4}}, options);
        DecodedTokens decoded;
        for (int i = 0; i < 2; ++i) {
            generation.next(
                decoded,
                {view.ops, view.config, DType::BF16, view.weights, view.trunk, view.head, nullptr, 0},
                stream);
            for (const float logprob : decoded.logprobs) sum += logprob;
        }
        return sum;
    }

    Ops ops;
    TemporaryFolder folder;
    ThreadPool pool{1};
    Scratch scratch;
    std::unique_ptr<gpu::Device> device;
    Stream stream;
    StepResult result;
    GenerationOptions options;
    std::unique_ptr<Session> base, adapter;
    PackedBatch batch = tiny_batch(tiny_config(), {2, 5, 3, 4, 2}, 1);
};

// The op of that number, and what the run comes to.
void refuse_once(Checks& checks, Trainee& trainee, int64_t number, int64_t after, int64_t& met) {
    const std::string name = "op " + std::to_string(number) + " after " + std::to_string(after);
    refusal = {};
    refusal.refuse = number;
    refusal.after = after;
    try {
        trainee.run();
        checks.expect(name + " went on though memory was refused", !refusal.met && !refusal.other);
    } catch (const Error& error) {
        checks.expect(name, refusal.met && error.code == Code::Memory,
                      std::string(code_name(error.code)) + ": " + error.text);
        ++met;
    } catch (const std::exception& error) {
        checks.expect(name + ", an exception crossed the table", false, error.what());
    }
    refusal = {};
}

void check_refusals(Checks& checks) {
    Trainee trainee;
    refusal = {};
    const double want = trainee.run();
    const auto seen = refusal.seen;
    int64_t met = 0;
    for (const auto& [op, calls] : seen) {
        refuse_once(checks, trainee, calls.first, 0, met);
        if (calls.second != calls.first) refuse_once(checks, trainee, calls.second, 1, met);
    }
    checks.expect("memory was refused to most ops", seen.size() > 20 && met > 20,
                  std::to_string(met) + " times, " + std::to_string(seen.size()) + " ops");
    const double got = trainee.run();
    checks.expect_same("the run after all refusals", {&got, 1}, {&want, 1});
}

// ---- the functions beside the ops

void check_table(Checks& checks) {
    BackendTable table{};
    char text[512] = "";
    checks.expect("the entry gives its table",
                  attune_backend_entry(kBackendAbi, &table, text, sizeof text) == 0);
    const auto says = [&](const std::string& name, const char* plan, const std::string& part, auto&& body) {
        text[0] = 0;
        simt::set_plan(plan);
        body();
        simt::set_plan("");
        checks.expect(name, std::string(text).find(part) != std::string::npos, text);
    };
    const auto count = [&] { checks.expect("no device", table.device_count(text, sizeof text) == 0); };
    says("no driver", "count=35 driver=0", "no NVIDIA driver is installed", count);
    says("an old driver", "count=35 driver=12040", "the driver knows CUDA 12.4, the library needs 13.0",
         count);
    says("an old driver for CUDA 13", "count=35 driver=12040", "of version 580 or newer", count);
    says("an old driver for CUDA 12", "count=35 driver=11080 toolkit=12060",
         "the driver knows CUDA 11.8, the library needs 12.0", count);
    says("what to install for CUDA 12", "count=35 driver=11080 toolkit=12060", "of version 525 or newer",
         count);
    says("no device", "count=100", "cudaErrorNoDevice", count);
    BackendDevice found{};
    const auto info = [&] { checks.expect("refused", table.device_info(0, &found, text, sizeof text) != 0); };
    says("a device that cannot be looked at", "properties=100", "cudaErrorNoDevice", info);
    // Nothing is taken of a device that nobody opens.
    says("looking at a device", "use=46 code=46 queue=46 allocate=46 pinned=46 launch=46", "", [&] {
        std::thread([&] {
            checks.expect("looks", table.device_info(0, &found, text, sizeof text) == 0 &&
                                       table.free_bytes(0) > 0 && found.memory_bytes > 0);
        }).join();
    });
    const auto open = [&] { checks.expect("not opened", table.open(0, text, sizeof text) == nullptr); };
    says("another architecture", "code=209 capability=75",
         "simt, compute capability 7.5: cudaFuncGetAttributes: cudaErrorNoKernelImageForDevice", open);
    says("a device that is taken", "use=46", "cudaErrorDevicesUnavailable", [&] {
        std::thread(open).join();  // whose device is none yet
    });
    says("no pinned memory", "pinned=2", "cudaMallocHost", open);
    says("the host without memory", "", "the system refused memory of the host", [&] {
        refuse_allocations(0);
        void* device = table.open(0, text, sizeof text);
        allow_allocations();
        checks.expect("not opened", device == nullptr);
    });
    void* device = table.open(0, text, sizeof text);
    says("a lost device", "free=700", "start it again",
         [&] { checks.expect("says no number", table.available_bytes(device, text, sizeof text) < 0); });
    table.close(device);
}

void check_all(Checks& checks) {
    check_refusals(checks);
    check_table(checks);
}

const Register refusals("device_refusals", Runs::PerDevice, check_all);

}  // namespace

}  // namespace attune::tool

#endif
