// What goes wrong on a device, made to go wrong on the simulated machine: memory that is missing, a GPU that
// is lost, kernels for another one, several devices and engines, the host without memory. Each must end in
// its named error, leave nothing behind, and let what can go on go on.
#ifdef ATTUNE_SIMT
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "core/tensor_memory.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.h"
#include "cuda/simt/machine_simt.h"
#include "cuda/simt/runtime_simt.h"
#include "cuda/simt/work_queue.h"
#include "tool/check.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

// The machine of a check; afterwards the ordinary one.
struct Plan {
    explicit Plan(const std::string& words) { simt::set_plan(words); }
    ~Plan() { simt::set_plan(""); }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
};

// As an engine has it.
struct Engine {
    explicit Engine(int index = 0, const Ops* table = nullptr) : ops(table) {
        stream.pool = &pool;
        stream.scratch = &scratch;
        device.reset(gpu::Device::open(index));
        require(device != nullptr, Code::Backend, gpu::last_failure().text);
        stream.device = device.get();
        if (ops == nullptr) ops = &guarded();
        model = load_tiny(*ops, stream, DType::BF16, tiny_config(), folder);
    }
    static const Ops& guarded() {
        static const Ops all = gpu::make_ops("simt");
        return all;
    }

    // The same for every engine, whatever happened before: gradients go, weights stay.
    double loss() {
        const PackedBatch batch = tiny_batch(model->config(), {3, 12, 2, 9, 4}, 1);
        model->clear_gradients(stream);
        model->step(result, batch, dpo_of(batch), stream);
        return result.loss;
    }

    const Ops* ops;
    TemporaryFolder folder;
    ThreadPool pool{1};
    Scratch scratch;
    std::unique_ptr<gpu::Device> device;
    Stream stream;
    StepResult result;
    std::unique_ptr<Session> model;
};

// Error code and text of what the body throws; what the device said stands behind.
template <class Body>
void expect_fault(Checks& checks, const std::string& name, Code code, const std::string& part, Body&& body) {
    try {
        body();
        checks.expect(name, false, "nothing was thrown");
    } catch (const Error& error) {
        const std::string text = error.text + " " + gpu::last_failure().text;
        checks.expect(name, error.code == code && text.find(part) != std::string::npos,
                      std::string(code_name(error.code)) + ": " + text);
    }
}

double want_loss() {
    static const double loss = Engine().loss();
    return loss;
}

void expect_works(Checks& checks, const std::string& name, Engine& engine) {
    const double got = engine.loss(), want = want_loss();
    checks.expect_same(name, {&got, 1}, {&want, 1});
}

// ---- memory

// All that the arena has free, so that whatever comes next must ask the device.
std::vector<TensorMemory> fill(Engine& engine) {
    std::vector<TensorMemory> filler;
    for (size_t bytes = size_t{64} << 20; bytes >= 512; bytes /= 2)
        for (;;) {
            const int64_t before = engine.device->reserved_bytes();
            try {
                filler.emplace_back(*engine.ops, engine.stream, bytes);
            } catch (const Error&) {
                break;
            }
            if (engine.device->reserved_bytes() != before) break;
        }
    return filler;
}

void check_memory(Checks& checks) {
    want_loss();
    Engine engine;
    {
        const Plan plan("allocate=2");
        std::vector<TensorMemory> filler = fill(engine);
        expect_fault(checks, "a step without memory", Code::Memory, "that this engine holds",
                     [&] { engine.loss(); });
        expect_fault(checks, "the next one", Code::Memory, "cudaErrorMemoryAllocation",
                     [&] { engine.loss(); });
        filler.clear();
        expect_works(checks, "once there is memory the step", engine);
    }
    {
        Engine other;
        const Plan plan("pinned=2");
        expect_fault(checks, "a step without pinned memory", Code::Memory, "cudaMallocHost",
                     [&] { other.loss(); });
        simt::set_plan("");
        expect_works(checks, "once there is pinned memory the step", other);
    }
    {
        const Plan plan("memory=96");
        const int64_t free = engine.device->available_bytes();
        expect_fault(checks, "more than the device has is not reserved", Code::Memory, "of the GPU's 4.29 GB",
                     [&] { engine.model->prepare(free + (1 << 20), 8, 8, false, engine.stream); });
    }
    engine.model.reset();
    checks.expect("without a model nothing is kept", engine.device->reserved_bytes() == 0);
}

// What is reserved and laid out before the run is all that it takes.
void check_reserve(Checks& checks) {
    Engine engine;
    const PackedBatch batch = tiny_batch(engine.model->config(), {3, 12, 2, 9, 4}, 1);
    const auto targets = static_cast<int64_t>(batch.targets.size());
    const int64_t needed =
        engine.model->plan(batch.rows(), targets, true).total() - engine.model->memory().total();
    engine.model->prepare(needed + (int64_t{32} << 20), batch.rows(), targets, true, engine.stream);
    checks.expect("what was planned is laid out",
                  engine.model->memory().total() == engine.model->plan(batch.rows(), targets, true).total());
    const int64_t before = engine.device->reserved_bytes();
    {
        const Plan plan("allocate=2");
        engine.loss();
        UpdateOptions still;
        still.learning_rate = 0;
        engine.model->update(still, engine.stream);
    }
    checks.expect("a planned run asks the device for nothing", engine.device->reserved_bytes() == before);
    check(engine.ops->memory_reserve(int64_t{256} << 20, &engine.stream), "memory_reserve");
    checks.expect("what is reserved is the engine's",
                  engine.device->reserved_bytes() >= before + (int64_t{256} << 20));
    check(engine.ops->memory_trim(&engine.stream), "memory_trim");
    checks.expect("what nothing uses goes back", engine.device->reserved_bytes() <= before);
    expect_works(checks, "after that the step", engine);
}

// Steps of a few ops, as often as asked: how many ran as a graph that was made for them, and again as that.
struct Steps {
    int64_t ordinary, recorded, replayed;
    bool operator==(const Steps&) const = default;
};
Steps run_steps(Checks& checks, Engine& engine, int count) {
    TensorMemory numbers(*engine.ops, engine.stream, 4096);
    const gpu::StepCounts before = engine.device->step_counts();
    for (int i = 0; i < count; ++i) {
        checks.expect_ok("begin_step", engine.ops->begin_step(5, &engine.stream));
        checks.expect_ok("fill", engine.ops->fill(numbers.floats(), 1, 1024, &engine.stream));
        checks.expect_ok("finish", engine.ops->finish(&engine.stream));
    }
    const gpu::StepCounts& after = engine.device->step_counts();
    return {after.ordinary - before.ordinary, after.recorded - before.recorded,
            after.replayed - before.replayed};
}

// The memory of steps is the engine's: counted, given back, and not asked for at every step once it is
// refused.
void check_step_memory(Checks& checks) {
    Engine engine;
    const int64_t taken = gpu::free_memory_of(0) + engine.device->reserved_bytes();
    {
        const Plan plan("pinned@1=2");
        checks.expect("steps without memory are ordinary, and ask once",
                      run_steps(checks, engine, 4) == Steps{4, 0, 0});
        checks.expect_ok("memory_trim", engine.ops->memory_trim(&engine.stream));
        checks.expect("afterwards they take it", run_steps(checks, engine, 4) == Steps{1, 1, 2});
    }
    checks.expect("no memory is taken beside what is counted",
                  taken == gpu::free_memory_of(0) + engine.device->reserved_bytes());
    checks.expect_ok("memory_trim", engine.ops->memory_trim(&engine.stream));
    checks.expect("what was given back is made again", run_steps(checks, engine, 3) == Steps{1, 1, 1});
    engine.model.reset();
    checks.expect("without a model nothing is kept of steps", engine.device->reserved_bytes() == 0);
}

// ---- devices

void check_lost(Checks& checks) {
    for (const char* plan_words :
         {"launch@1=700", "launch@7=214", "launch@40=46", "wait@3=719", "copy@5=999"}) {
        const std::string name = std::string(" (") + plan_words + ")";
        Engine engine;
        engine.loss();
        {
            const Plan plan(plan_words);
            std::string first;
            expect_fault(checks, "a step on a lost device" + name, Code::DeviceLost, "simulated", [&] {
                for (int i = 0; i < 4; ++i) engine.loss();  // a step may end before it shows
            });
            first = gpu::last_failure().text;
            expect_fault(checks, "every later op" + name, Code::DeviceLost, first,
                         [&] { engine.model->parameter("model.norm.weight", engine.stream); });
            if (std::string(plan_words).find("=46") == std::string::npos)
                checks.expect("another engine on it" + name, gpu::Device::open(0) == nullptr);
            engine.model.reset();
            checks.expect("its memory is given back" + name, engine.device->reserved_bytes() == 0);
            engine.device.reset();
        }
        Engine later;
        expect_works(checks, "on a machine that works again the step" + name, later);
    }
}

void check_architecture(Checks& checks) {
    want_loss();
    Engine engine;
    const Plan plan("launch@5=209");
    expect_fault(checks, "a kernel for another GPU", Code::Backend, "was not compiled for this GPU",
                 [&] { engine.loss(); });
    expect_works(checks, "the next step", engine);
}

void check_devices(Checks& checks) {
    want_loss();
    const Plan plan("devices=2");
    const int64_t misplaced = simt::misplaced_releases();
    Engine first(0), second(1), third(1);
    // One thread for all: each op enters its device.
    for (int i = 0; i < 2; ++i) {
        expect_works(checks, "the step on device 0", first);
        expect_works(checks, "the step on device 1", second);
        expect_works(checks, "the step of another engine on device 1", third);
    }
    const int64_t held = third.device->reserved_bytes();
    std::thread([&] { second.model.reset(); }).join();
    checks.expect("memory goes back from another thread", second.device->reserved_bytes() == 0);
    checks.expect("the other engine's stays", held > 0 && third.device->reserved_bytes() == held);
    expect_works(checks, "the other engine's step", third);
    std::thread([&] {
        third.model.reset();
        third.device.reset();
        second.device.reset();
    }).join();
    expect_works(checks, "the step on device 0 after all", first);
    checks.expect("nothing is given back to the wrong device", simt::misplaced_releases() == misplaced);
}

// Engines of several threads on one device or on two, whose queues run as late or as early as they may.
void check_engines(Checks& checks, simt::Lag lag) {
    want_loss();
    const Plan plan("devices=2");
    simt::set_lag(lag);
    double losses[3] = {};
    int next = 0;
    std::vector<std::thread> threads;
    for (double& loss : losses)
        threads.emplace_back([&loss, index = next++ / 2] {
            Engine engine(index);
            for (int i = 0; i < 2; ++i) loss = engine.loss();
        });
    for (std::thread& thread : threads) thread.join();
    simt::set_lag(simt::Lag::Late);
    for (const double& loss : losses) {
        const double want = want_loss();
        checks.expect_same("the step of one of three engines", {&loss, 1}, {&want, 1});
    }
}

void check_faults(Checks& checks) {
    check_memory(checks);
    check_reserve(checks);
    check_step_memory(checks);
    check_lost(checks);
    check_architecture(checks);
    check_devices(checks);
    for (const simt::Lag lag : {simt::Lag::Late, simt::Lag::Early}) check_engines(checks, lag);
}

const Register faults("device_faults", Runs::PerDevice, check_faults);

}  // namespace

}  // namespace attune::tool

#endif
