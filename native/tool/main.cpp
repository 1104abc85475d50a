// The plain runner: `check` compares every op with its reference, `bench` times ops, `case` runs one of those
// whose instructions are counted, all without Node. Must not know an op: families and cases register
// themselves, benchmarks are listed in bench/.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "core/backend.h"
#include "core/error.h"
#include "tool/bench_command.h"
#include "tool/case.h"
#include "tool/check.h"
#include "tool/device_tables.h"

namespace attune::tool {

namespace {

struct Options {
    std::string command;
    std::string isa;
    int threads = 0;  // 0 = all processors
    std::vector<std::string> names;
};

constexpr const char* kUsage =
    "usage: attune_tool check [NAME...] [--isa NAME|all]\n"
    "       attune_tool bench NAME [ARGUMENT...] [--isa NAME] [--threads N]\n"
    "       attune_tool case NAME [--isa NAME]\n"
    "       attune_tool list\n";

Options parse(int count, char** values) {
    Options options;
    if (const char* isa = std::getenv("ATTUNE_ISA")) options.isa = isa;
    for (int i = 1; i < count; ++i) {
        const std::string word = values[i];
        if (word == "--isa" || word == "--threads") {
            require(i + 1 < count, Code::Option, "Expected a value after ", word, ".\n", kUsage);
            const std::string value = values[++i];
            if (word == "--isa") {
                options.isa = value;
                continue;
            }
            options.threads = std::atoi(value.c_str());
            require(options.threads > 0, Code::Option, "Expected --threads >= 1 but received \"", value,
                    "\".");
        } else if (word.starts_with("--")) {
            raise(Code::Option, "Unknown option ", word, ".\n", kUsage);
        } else if (options.command.empty()) {
            options.command = word;
        } else {
            options.names.push_back(word);
        }
    }
    return options;
}

std::vector<Family> chosen_families(const std::vector<std::string>& names) {
    const std::vector<Family> all = families();
    if (names.empty()) return all;
    std::vector<Family> chosen;
    for (const std::string& name : names) {
        const size_t before = chosen.size();
        std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                     [&](const Family& family) { return family.name == name; });
        require(chosen.size() > before, Code::Option, "Unknown check \"", name,
                "\"; `list` prints the names.");
    }
    return chosen;
}

bool is_device(const std::string& isa) {
    return (isa == "simt" || isa == "cuda") && device_table() != nullptr && device_table()->name == isa;
}

const Ops& table_of(const std::string& isa) {
    return is_device(isa) ? *device_table()->staged : cpu_ops(isa);
}

// Names of the tables to check. Prints one line per known ISA, so that the log shows what did not run.
std::vector<std::string> chosen_isas(const std::string& wanted) {
    if (is_device(wanted)) {
        std::printf("isa %s: CUDA's kernels\n", wanted.c_str());
        return {wanted};
    }
    if (wanted != "all") {
        const std::string name = cpu_ops(wanted).name;  // throws for what cannot run here
        for (const IsaInfo& isa : list_isas())
            if (isa.name == name)
                std::printf("isa %s: %s\n", name.c_str(), isa.native ? "native" : "emulated");
        return {name};
    }
    std::vector<std::string> names;
    for (const IsaInfo& isa : list_isas()) {
        const char* state = !isa.built      ? "not run (not built)"
                            : !isa.runnable ? "not run (the processor lacks it)"
                            : isa.native    ? "native"
                                            : "emulated";
        std::printf("isa %s: %s\n", isa.name.c_str(), state);
        if (isa.built && isa.runnable) names.push_back(isa.name);
    }
    if (const DeviceTable* device = device_table()) {
        std::printf("isa %s: CUDA's kernels\n", device->name.c_str());
        names.push_back(device->name);
    }
    return names;
}

void run_family(const Family& family, Checks& checks) {
    try {
        family.body(checks);
    } catch (const Error& error) {
        checks.expect(family.name, false, error.text + " " + device_failure());
    } catch (const std::exception& error) {
        checks.expect(family.name, false, error.what());
    }
}

int run_checks(const Options& options) {
    Checks::explain(device_failure);
    const std::vector<Family> chosen = chosen_families(options.names);
    int64_t passed = 0, failed = 0;
    const auto run = [&](const Ops* ops, Runs runs) {
        for (const Family& family : chosen) {
            if (family.runs != runs) continue;
            Checks checks(ops);
            run_family(family, checks);
            // A family that looked at nothing has not passed.
            if (checks.passed() + checks.failed() == 0) checks.expect(family.name, false, "compared nothing");
            passed += checks.passed();
            failed += checks.failed();
        }
    };
    run(nullptr, Runs::Once);
    if (std::any_of(chosen.begin(), chosen.end(),
                    [](const Family& family) { return family.runs != Runs::Once; }))
        for (const std::string& isa : chosen_isas(options.isa)) {
            const int64_t passed_before = passed, failed_before = failed;
            run(&table_of(isa), Runs::PerIsa);
            run(&table_of(isa), is_device(isa) ? Runs::PerDevice : Runs::PerCpuIsa);
            std::printf("isa %s: %lld passed, %lld failed\n", isa.c_str(),
                        static_cast<long long>(passed - passed_before),
                        static_cast<long long>(failed - failed_before));
        }
    std::printf("%lld passed, %lld failed\n", static_cast<long long>(passed), static_cast<long long>(failed));
    return failed > 0 || passed == 0 ? 1 : 0;
}

int run_benchmark(const Options& options) {
    require(!options.names.empty(), Code::Option, "Expected the name of a benchmark.\n", kUsage);
    run_bench(options.isa, options.threads, options.names);
    return 0;
}

int run_counted_case(const Options& options) {
    require(options.names.size() == 1, Code::Option, "Expected the name of one case.\n", kUsage);
    require(options.threads <= 1, Code::Option, "Expected one thread for a case but received --threads ",
            options.threads, ".");
    run_case(options.names[0], cpu_ops(options.isa));
    return 0;
}

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

int run_list() {
    std::printf("compiler %s\n", kCompiler);
    for (const Family& family : families()) std::printf("check %s\n", family.name.c_str());
    for (const bench::Benchmark& benchmark : bench::benchmarks())
        std::printf("bench %s: %s\n", benchmark.name, benchmark.what);
    for (const std::string& name : case_names()) std::printf("case %s\n", name.c_str());
    for (const IsaInfo& isa : list_isas())
        std::printf("isa %s%s%s%s\n", isa.name.c_str(), isa.built ? "" : " (not built)",
                    isa.native ? "" : " (emulated)", isa.runnable ? "" : " (cannot run here)");
    return 0;
}

int run(int count, char** values) {
    const Options options = parse(count, values);
    if (options.command == "check") return run_checks(options);
    if (options.command == "bench") return run_benchmark(options);
    if (options.command == "case") return run_counted_case(options);
    if (options.command == "list") return run_list();
    raise(Code::Option, "Expected a command.\n", kUsage);
}

}  // namespace

}  // namespace attune::tool

int main(int count, char** values) {
    try {
        return attune::tool::run(count, values);
    } catch (const attune::Error& error) {
        std::fprintf(stderr, "%s\n", error.text.c_str());
        return error.code == attune::Code::Option ? 2 : 1;
    }
}
