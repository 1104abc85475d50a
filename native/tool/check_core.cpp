// The core without any op: thread pool, Philox, PackedBatch's contract, dtype rounding, scratch memory.
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "core/batch.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/job_queue.h"
#include "core/philox.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "tool/check.h"

namespace attune::tool {

namespace {

// ---- threads

// Every task of every round runs exactly once, on a worker that exists.
void check_rounds(Checks& checks, int threads) {
    const std::string name = "pool of " + std::to_string(threads);
    ThreadPool pool(threads);
    checks.expect(name + " has its threads", pool.threads() == threads);
    bool once = true;
    std::atomic<bool> workers_exist{true};
    int64_t ran = 0;
    for (int round = 0; round < 2000; ++round) {
        const int64_t tasks = round % 40 == 0 ? 300 : round % 9;
        std::vector<std::atomic<int>> counts(static_cast<size_t>(tasks));
        pool.parallel(tasks, [&](int64_t task, int worker) {
            counts[static_cast<size_t>(task)].fetch_add(1);
            if (worker < 0 || worker >= threads) workers_exist = false;
        });
        for (const std::atomic<int>& count : counts) once = once && count == 1;
        ran += tasks;
    }
    checks.expect(name + " runs each task once", once && ran > 0);
    checks.expect(name + " names existing workers", workers_exist);
}

// Workers that went to sleep (the spin lasts 30 microseconds) wake up again.
void check_sleep(Checks& checks) {
    ThreadPool pool(3);
    std::atomic<int> ran{0};
    for (int round = 0; round < 20; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        pool.parallel(6, [&](int64_t, int) {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            ran.fetch_add(1);
        });
    }
    checks.expect("pool wakes after sleeping", ran == 120);
}

// Callers on several threads share one pool: each gets all of its own tasks, and no two runs overlap.
void check_callers(Checks& checks) {
    ThreadPool pool(2);
    std::vector<std::atomic<int>> running(4);
    std::atomic<bool> alone{true};
    std::vector<std::atomic<int64_t>> sums(4);
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 4; ++caller)
        callers.emplace_back([&, caller] {
            for (int round = 0; round < 300; ++round)
                pool.parallel(5, [&](int64_t task, int) {
                    running[caller].fetch_add(1);
                    for (size_t other = 0; other < 4; ++other)
                        if (other != caller && running[other] != 0) alone = false;
                    sums[caller].fetch_add(task);
                    running[caller].fetch_sub(1);
                });
        });
    for (std::thread& caller : callers) caller.join();
    bool complete = true;
    for (const std::atomic<int64_t>& sum : sums) complete = complete && sum == 300 * 10;
    checks.expect("pool gives concurrent callers all their tasks", complete);
    checks.expect("pool serves concurrent callers one after another", alone);
}

void expect_error(Checks& checks, const std::string& name, Code code, const std::string& part,
                  void (*body)()) {
    try {
        body();
        checks.expect(name, false, "nothing was thrown");
    } catch (const Error& error) {
        checks.expect(name, error.code == code && error.text.find(part) != std::string::npos, error.text);
    }
}

// With room for a few stacks only: an error, no end of the process, and no thread is left behind.
void check_refused_threads(Checks& checks) {
    int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit old{};
    getrlimit(RLIMIT_AS, &old);
    rlimit low = old;
    low.rlim_cur = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE)) + (64u << 20);
    setrlimit(RLIMIT_AS, &low);
    rlimit held{};
    getrlimit(RLIMIT_AS, &held);
    if (held.rlim_cur != low.rlim_cur) {  // qemu-user says that it set the limit, and leaves it as it was
        std::printf("not checked: a pool that the system refuses threads (no limit of memory holds here)\n");
        return;
    }
    expect_error(checks, "pool says that the system has no more threads", Code::Backend, "Use fewer threads",
                 [] { ThreadPool pool(1024); });
    setrlimit(RLIMIT_AS, &old);
    ThreadPool after(3);
    std::atomic<int> ran{0};
    after.parallel(5, [&](int64_t, int) { ran.fetch_add(1); });
    checks.expect("pool works after a refusal", ran == 5);
}

void check_threads(Checks& checks) {
    for (const int threads : {1, 2, 3, 8}) check_rounds(checks, threads);
    check_sleep(checks);
    check_callers(checks);
    for (int i = 0; i < 200; ++i) ThreadPool pool(3);  // closing at once must not hang
    checks.expect("pool closes at once", true);
    expect_error(checks, "pool refuses no threads", Code::Option, "received 0", [] { ThreadPool pool(0); });
    check_refused_threads(checks);
}

// ---- philox

void expect_words(Checks& checks, const std::string& name, const std::array<uint32_t, 4>& got,
                  const std::array<uint32_t, 4>& want) {
    checks.expect(name, got == want);
}

void check_philox(Checks& checks) {
    const auto draw = [](uint64_t seed, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
        return Philox{seed}(static_cast<RandomStream>(a), b, c, d);
    };
    // Known answers of Random123 (kat_vectors, philox4x32 10)
    expect_words(checks, "philox of zeros", draw(0, 0, 0, 0, 0),
                 {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    const uint32_t ones = 0xffffffff;
    expect_words(checks, "philox of ones", draw(~uint64_t{0}, ones, ones, ones, ones),
                 {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    expect_words(checks, "philox of pi",
                 draw(0x299f31d0a4093822u, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
                 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
    checks.expect("philox uniform stays below 1", Philox::uniform(ones) < 1.0f && Philox::uniform(0) == 0.0f);
    double sum = 0;
    for (uint32_t row = 0; row < 20000; ++row)
        for (const uint32_t word : draw(7, 2, 1, row, 3)) sum += static_cast<double>(Philox::uniform(word));
    // 80,000 draws: the mean's standard deviation is 0.001
    checks.expect("philox uniform has mean 1/2", std::abs(sum / 80000 - 0.5) < 0.005,
                  std::to_string(sum / 80000));
}

// ---- batches

PackedBatch good_batch() {
    PackedBatch batch;
    batch.tokens = {1, 2, 3, 4, 5, 6};
    batch.positions = {0, 1, 2, 3, 2, 3};
    batch.segments = {{0, 2, -1}, {2, 2, 0}, {4, 2, 0}};
    batch.targets = {{1, 3}, {2, 4}, {1, 5}, {4, 6}};
    batch.completions = {{0, 2}, {2, 2}};
    batch.groups = {{0, 2}};
    return batch;
}

struct BadBatch {
    const char* part;  // of the message
    void (*spoil)(PackedBatch&);
};

const BadBatch kBadBatches[] = {
    {"positions: expected 6 but got 5", [](PackedBatch& b) { b.positions.pop_back(); }},
    {"tokens[3]: expected an id in [0, 10) but got 10", [](PackedBatch& b) { b.tokens[3] = 10; }},
    {"tokens[0]: expected an id in [0, 10) but got -1", [](PackedBatch& b) { b.tokens[0] = -1; }},
    {"positions[5]: expected a position below the model's 8 but got 8",
     [](PackedBatch& b) { b.positions[5] = 8; }},
    {"segments[1]: expected start 2", [](PackedBatch& b) { b.segments[1].start = 3; }},
    {"segments[2]: expected start 4 and a positive length but got start 4, length 0",
     [](PackedBatch& b) { b.segments[2].length = 0; }},
    {"segments[1]: expected prefix -1 or an earlier segment but got 1",
     [](PackedBatch& b) { b.segments[1].prefix = 1; }},
    {"segments[2]: prefix 1 has a prefix itself", [](PackedBatch& b) { b.segments[2].prefix = 1; }},
    {"segments: expected to cover 6 rows but cover 4", [](PackedBatch& b) { b.segments.pop_back(); }},
    {"positions[1]: expected 1 from its segment", [](PackedBatch& b) { b.positions[1] = 0; }},
    {"positions[4]: expected 2 from its segment", [](PackedBatch& b) { b.positions[4] = 4; }},
    {"targets[2]: expected a row in [0, 6) but got 6", [](PackedBatch& b) { b.targets[2].row = 6; }},
    {"targets[0]: expected an id in [0, 10) but got 12", [](PackedBatch& b) { b.targets[0].token = 12; }},
    {"completions[1]: expected first 2", [](PackedBatch& b) { b.completions[1].first = 1; }},
    {"completions: expected to cover 4 targets but cover 2",
     [](PackedBatch& b) { b.completions.pop_back(); }},
    {"groups: expected to cover 2 completions but cover 1", [](PackedBatch& b) { b.groups[0].count = 1; }},
};

void check_batch(Checks& checks) {
    good_batch().check(10, 8);  // throws when it refuses
    checks.expect("batch accepts a pair that shares its prompt", true);
    PackedBatch bare;
    bare.check(10, 8);
    checks.expect("batch accepts no rows", true);
    for (const BadBatch& bad : kBadBatches) {
        PackedBatch batch = good_batch();
        bad.spoil(batch);
        const std::string name = std::string("batch says: ") + bad.part;
        try {
            batch.check(10, 8);
            checks.expect(name, false, "it was accepted");
        } catch (const Error& error) {
            checks.expect(name, error.code == Code::Shape && error.text.find(bad.part) != std::string::npos,
                          error.text);
        }
    }
}

// ---- dtype

// Every bf16 value survives the way to float and back; every midpoint goes to the even neighbour, its own
// neighbours to the nearer one.
void check_dtype(Checks& checks) {
    bool same = true, midpoints = true, nan = true;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto value = static_cast<bf16_t>(bits);
        const float wide = bf16_to_float(value);
        if (std::isnan(wide)) {
            nan = nan && std::isnan(bf16_to_float(float_to_bf16(wide)));
            continue;
        }
        same = same && float_to_bf16(wide) == value;
        if (std::isinf(wide)) continue;
        const uint32_t middle = (bits << 16) | 0x8000u;
        const auto above = static_cast<bf16_t>(bits + 1);
        const auto even_one = bits % 2 == 0 ? value : above;
        midpoints = midpoints && float_to_bf16(std::bit_cast<float>(middle)) == even_one &&
                    float_to_bf16(std::bit_cast<float>(middle - 1)) == value &&
                    float_to_bf16(std::bit_cast<float>(middle + 1)) == above;
    }
    checks.expect("bf16 round trip", same);
    checks.expect("bf16 rounds to nearest, ties to even", midpoints);
    checks.expect("bf16 keeps NaN", nan);
    // A NaN whose payload lies in the lower half alone must not become infinity.
    checks.expect("bf16 keeps a NaN of low payload",
                  std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

// ---- job queue

struct CountingJob final : JobQueue::Job {
    CountingJob(std::vector<int>* ran_list, int job_number) : ran(ran_list), number(job_number) {}
    void run() noexcept override { ran->push_back(cancelled ? -number : number); }
    std::vector<int>* ran;
    int number;
};

// Holds the command thread until it is let go.
struct GateJob final : JobQueue::Job {
    void run() noexcept override {
        begun = true;
        while (!open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::atomic<bool> begun{false};
    std::atomic<bool> open{false};
};

void check_job_queue(Checks& checks) {
    std::vector<int> ran;
    const auto job = [&](int number) { return std::make_shared<CountingJob>(&ran, number); };
    JobQueue queue;
    auto gate = std::make_shared<GateJob>();
    queue.push(gate);
    while (!gate->begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (int number = 1; number <= 3; ++number) queue.push(job(number));
    queue.cancel_all();
    queue.push(job(4));
    checks.expect("cancelling reaches the running job", gate->cancelled);
    gate->open = true;
    auto last = std::make_shared<GateJob>();
    last->open = true;
    queue.push(last);
    while (!last->begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    queue.close();
    checks.expect("jobs run in order, and cancelled ones report it", ran == std::vector<int>{-1, -2, -3, 4});
    checks.expect("a closed queue takes no job", !queue.push(job(5)));
    queue.close();
    checks.expect("closing twice does no harm", ran.size() == 4);
}

// ---- scratch

void check_scratch(Checks& checks) {
    Scratch scratch;
    void* first = scratch.slot(0, 1000);
    void* second = scratch.slot(1, 5000);
    std::memset(first, 1, 1000);
    std::memset(second, 2, 5000);
    checks.expect("scratch is aligned", reinterpret_cast<uintptr_t>(first) % 64 == 0 &&
                                            reinterpret_cast<uintptr_t>(second) % 64 == 0);
    checks.expect("scratch slots do not overlap", static_cast<unsigned char*>(first)[999] == 1);
    checks.expect("scratch keeps a slot for smaller requests", scratch.slot(0, 10) == first);
    const size_t before = scratch.bytes();
    std::memset(scratch.slot(0, 100000), 3, 100000);
    checks.expect("scratch grows",
                  scratch.bytes() > before && static_cast<unsigned char*>(second)[4999] == 2);
    // More than an address space: refused without a throw, and the slot still works afterwards.
    checks.expect("scratch says null when memory is short", scratch.try_slot(0, size_t{1} << 60) == nullptr);
    checks.expect("scratch recovers", scratch.try_slot(0, 64) != nullptr);
    scratch.poison();
    checks.expect("scratch is poisoned", std::isnan(scratch.slot_of<float>(1, 7)[6]));
    expect_error(checks, "scratch throws when memory is short", Code::Memory, "1152921504.61 GB", [] {
        Scratch other;
        other.slot(0, size_t{1} << 60);
    });
}

const Register threads("threads", Runs::Once, check_threads);
const Register job_queue("job_queue", Runs::Once, check_job_queue);
const Register philox("philox", Runs::Once, check_philox);
const Register batch("batch", Runs::Once, check_batch);
const Register dtype("dtype", Runs::Once, check_dtype);
const Register scratch("scratch", Runs::Once, check_scratch);

}  // namespace

}  // namespace attune::tool
