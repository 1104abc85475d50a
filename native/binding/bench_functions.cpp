// The benchmarks of native/bench for `attune bench`: benchmarks, benchmark.
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "binding/arguments.h"
#include "binding/functions.h"
#include "binding/values.h"

namespace attune::binding {

namespace {

// benchmarks(): { name, what }[]
Napi::Value list_benchmarks(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::span<const bench::Benchmark> all = bench::benchmarks();
    Napi::Array list = Napi::Array::New(env, all.size());
    for (size_t i = 0; i < all.size(); ++i) {
        Napi::Object benchmark = Napi::Object::New(env);
        benchmark.Set("name", all[i].name);
        benchmark.Set("what", all[i].what);
        list.Set(static_cast<uint32_t>(i), benchmark);
    }
    return list;
}

Napi::Value rows_value(Napi::Env env, std::vector<bench::Row>& rows) {
    Napi::Array list = Napi::Array::New(env, rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
        bench::Row& row = rows[i];
        Napi::Object object = Napi::Object::New(env);
        object.Set("op", row.op);
        object.Set("shape", row.shape);
        object.Set("dtype", dtype_name(row.dtype));
        object.Set("isa", row.isa);
        object.Set("ms", float64_value(env, std::move(row.ms)));
        object.Set("flop", row.flop);
        object.Set("bytes", row.bytes);
        object.Set("extraBytes", row.extra_bytes);
        list.Set(static_cast<uint32_t>(i), object);
    }
    return list;
}

// benchmark(engine, job, name, arguments, seconds): one row per op, shape and dtype
Napi::Value run_named(const Napi::CallbackInfo& info) {
    EngineCore& engine = *engine_of(info[0]).core;
    auto work = [ops = engine.ops, threads = engine.pool->threads(), name = text_from(info[2], "name"),
                 arguments = texts_from(info[3], "arguments"),
                 seconds = number_from(info[4], "seconds")](Stream& stream, Job&) {
        std::vector<bench::Row> rows;
        bench::run_benchmark(name, {.ops = *ops,
                                    .stream = &stream,
                                    .threads = threads,
                                    .seconds = seconds,
                                    .arguments = arguments,
                                    .report = [&](const bench::Row& row) { rows.push_back(row); }});
        return rows;
    };
    return run(info.Env(), integer_from(info[1], "job"), engine, std::move(work), rows_value);
}

}  // namespace

void export_bench_functions(Napi::Env env, Napi::Object exports) {
    export_function<list_benchmarks>(env, exports, "benchmarks");
    export_function<run_named>(env, exports, "benchmark");
}

}  // namespace attune::binding
