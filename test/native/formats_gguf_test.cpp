// Checks that GGUF headers are read exactly and that every lie in them is found and explained.
#include "formats/gguf.h"

#include <chrono>
#include <cstdio>

#include "formats/not_finite.h"
#include "formats_check.h"

namespace attune::formats_test {

namespace {

using Type = GgufValueType;

void check_lie(const std::string& claim, const std::string& bytes,
               std::initializer_list<std::string_view> words) {
    check_error(claim, Code::Format, words, [&bytes] { parse_gguf(view_of(bytes), "a.gguf"); });
}

// One F32 tensor "w" with the given sizes (innermost first), type and offset over `data_bytes` bytes.
std::string one_tensor(std::initializer_list<uint64_t> sizes, uint32_t type, uint64_t offset,
                       int64_t data_bytes) {
    return GgufBytes(3, 1, 0).tensor("w", sizes, type, offset).with_data(data_bytes);
}

void test_metadata() {
    GgufBytes bytes(2, 0, 9);
    bytes.pair("general.architecture", Type::String).text("llama");
    bytes.pair("i8", Type::I8).number(int8_t{-3});
    bytes.pair("u64", Type::U64).number(uint64_t{1} << 63);
    bytes.pair("f32", Type::F32).number(0.5f);
    bytes.pair("f64", Type::F64).number(0.1);
    bytes.pair("yes", Type::Bool).number(uint8_t{1});
    bytes.pair("words", Type::Array).number(uint32_t{8}).number(uint64_t{2}).text("one").text("");
    bytes.pair("heads", Type::Array)
        .number(uint32_t{5})
        .number(uint64_t{2})
        .number(int32_t{9})
        .number(int32_t{-1});
    bytes.pair("nested", Type::Array).number(uint32_t{9}).number(uint64_t{1});
    bytes.number(uint32_t{0}).number(uint64_t{3}).number(uint16_t{0x0201}).number(uint8_t{3});
    const std::string text = bytes.with_data(0);
    const GgufContents contents = parse_gguf(view_of(text), "a.gguf");
    const GgufMetadata& metadata = contents.metadata;
    check("version 2 is read", contents.version == 2);
    check("a string is read", *metadata.string("general.architecture") == "llama");
    check("a negative byte is read", metadata.integer("i8") == -3);
    check("2^63 stays exact", std::get<uint64_t>(*metadata.find("u64")) == uint64_t{1} << 63);
    check("floats are read", metadata.number("f32") == 0.5 && metadata.number("f64") == 0.1);
    check("a whole number counts as a number", metadata.number("i8") == -3.0);
    check("a boolean is read", metadata.boolean("yes") == true);
    check("strings of an array are read",
          metadata.array_strings("words") == std::vector<std::string>{"one", ""});
    check("numbers of an array are read", metadata.array_numbers("heads") == std::vector<double>{9, -1});
    check("the length of an array is known",
          metadata.array_count("words") == 2 && metadata.array_count("nested") == 1);
    check("another kind is no value", !metadata.integer("f32") && metadata.string("i8") == nullptr &&
                                          !metadata.array_numbers("words") &&
                                          !metadata.array_strings("heads"));
}

void test_tensors() {
    GgufBytes bytes(3, 2, 1);
    bytes.pair("general.alignment", Type::U32).number(uint32_t{64});
    bytes.tensor("a", {32, 2, 3}, 8, 64).tensor("b", {5}, 0, 0);
    const std::string text = bytes.with_data(64 + 6 * 34, 64);
    const GgufContents contents = parse_gguf(view_of(text), "a.gguf");
    const TensorInfo& a = contents.tensors[0];
    check("sizes are turned to outermost first", a.shape == std::vector<int64_t>{3, 2, 32},
          shape_text(a.shape));
    check("rows are the outermost size", a.rows == 3 && a.columns == 64 && a.bytes == 6 * 34);
    check("offsets count from the aligned start",
          contents.tensors[1].data == view_of(text).data + text.size() - 6 * 34 - 64);
}

void test_header_lies() {
    check_lie("another magic is found", "GGML....................", {"a.gguf", "\"GGUF\"", "\"GGML\""});
    check_lie("version 1 is refused", GgufBytes(1, 0, 0).with_data(0), {"version 2 or 3", "found 1"});
    check_lie("a big-endian file is named", GgufBytes(0x03000000, 0, 0).with_data(0), {"big-endian"});
    check_lie("a file cut in its header is found", "GGUF\x03",
              {"4 bytes of version", "found 1", "truncated"});
    check_lie("a tensor count that lies is found", GgufBytes(3, uint64_t{1} << 60, 0).with_data(0),
              {"tensors", "1152921504606846976", "expected at most"});
    check_lie("a pair count that lies is found", GgufBytes(3, 0, UINT64_MAX).with_data(0),
              {"metadata pairs", "18446744073709551615"});
    check_lie("a key length that lies is found", GgufBytes(3, 0, 1).number(uint64_t{1} << 62).with_data(32),
              {"a metadata key", "4611686018427387904"});
    check_lie("an empty key is found", GgufBytes(3, 0, 1).text("").with_data(32),
              {"a metadata key", "found 0"});
    check_lie("a key given twice is found",
              GgufBytes(3, 0, 2)
                  .pair("k", Type::U8)
                  .number(uint8_t{1})
                  .pair("k", Type::U8)
                  .number(uint8_t{1})
                  .with_data(0),
              {"once", "\"k\" twice"});
    check_lie("an unknown value type is found",
              GgufBytes(3, 0, 1).text("k").number(uint32_t{13}).with_data(32),
              {"0 to 12", "\"k\"", "found 13"});
    check_lie("an array length that lies is found",
              GgufBytes(3, 0, 1)
                  .pair("k", Type::Array)
                  .number(uint32_t{10})
                  .number(uint64_t{1} << 61)
                  .with_data(32),
              {"array items", "2305843009213693952"});
    GgufBytes deep(3, 0, 1);
    deep.pair("k", Type::Array);
    for (int i = 0; i < 100; ++i) deep.number(uint32_t{9}).number(uint64_t{1});
    check_lie("arrays nested without end are found", deep.with_data(32), {"nested at most 4", "\"k\""});
    for (const uint32_t alignment : {0u, 24u, 0x80000000u}) {
        check_lie("an alignment of " + std::to_string(alignment) + " is refused",
                  GgufBytes(3, 0, 1).pair("general.alignment", Type::U32).number(alignment).with_data(0),
                  {"general.alignment", "power of two", std::to_string(alignment)});
    }
}

void test_tensor_lies() {
    check("the file without a lie is accepted",
          parse_gguf(view_of(one_tensor({4}, 0, 0, 16)), "a").tensors.size() == 1);
    check_lie("truncated data is found", one_tensor({4, 2}, 0, 0, 31),
              {"\"w\"", "expected 32 bytes", "found 31", "truncated"});
    check_lie("an offset beyond the file is found", one_tensor({4}, 0, 64, 32),
              {"\"w\"", "offset 64", "found 32"});
    check_lie("an offset near 2^64 is found", one_tensor({4}, 0, UINT64_MAX - 31, 32),
              {"\"w\"", "18446744073709551584"});
    check_lie("an offset off the alignment is found", one_tensor({4}, 0, 8, 32),
              {"\"w\"", "a multiple of 32", "found 8"});
    check_lie("a product that overflows is found",
              one_tensor({uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0, 32),
              {"\"w\"", "2^63", "[4294967296, 4294967296]"});
    check_lie("a size of 0 is found", one_tensor({0}, 0, 0, 32), {"\"w\"", "dimensions of 1", "found 0"});
    check_lie("a size of 2^63 is found", one_tensor({uint64_t{1} << 63}, 0, 0, 32), {"9223372036854775808"});
    check_lie("five dimensions are found", one_tensor({1, 1, 1, 1, 1}, 0, 0, 32),
              {"\"w\"", "1 to 4", "found 5"});
    check_lie("a row that is no multiple of the block is found", one_tensor({48}, 3, 0, 64),
              {"\"w\"", "multiple of 32", "Q4_1", "found 48"});
    check_lie("an unsupported type is named", one_tensor({256}, 10, 0, 96),
              {"\"w\"", "Q4_1, Q5_0", "Q2_K (number 10)"});
    check_lie("an unknown type is numbered", one_tensor({256}, 999, 0, 96),
              {"\"w\"", "an unknown type (number 999)"});
    check_lie("a name given twice is found",
              GgufBytes(3, 2, 0).tensor("w", {4}, 0, 0).tensor("w", {4}, 0, 32).with_data(64),
              {"\"w\" twice"});
    check_lie("overlapping tensors are found",
              GgufBytes(3, 2, 0).tensor("w", {16}, 0, 0).tensor("v", {4}, 0, 32).with_data(64),
              {"\"w\" and \"v\"", "overlap by 32 bytes"});
    const TemporaryFolder folder;
    write_bytes(folder.file("part.gguf"),
                GgufBytes(3, 0, 1).pair("split.count", Type::U16).number(uint16_t{3}).with_data(0));
    check_error("one of several parts is refused", Code::Format, {"part.gguf", "3 parts", "Merge"},
                [&folder] { open_tensor_source(folder.file("part.gguf")); });
    write_bytes(folder.file("empty.gguf"), "");
    check_error("an empty GGUF is said plainly", Code::File, {"empty.gguf", "is empty"},
                [&folder] { open_tensor_source(folder.file("empty.gguf")); });
}

}  // namespace

void test_gguf() {
    test_metadata();
    test_tensors();
    test_header_lies();
    test_tensor_lies();
}

void test_model(const std::string& gguf_path) {
    const auto begin = std::chrono::steady_clock::now();
    const auto source = open_tensor_source(gguf_path);
    const auto opened = std::chrono::steady_clock::now();
    int64_t values = 0;
    bool finite = true;
    std::vector<float> buffer;
    for (size_t i = 0; i < source->tensors().size(); ++i) {
        const TensorInfo& tensor = source->tensors()[i];
        const int64_t at_once = std::max<int64_t>(1, 65536 / tensor.columns);
        buffer.resize(static_cast<size_t>(at_once * tensor.columns));
        for (int64_t row = 0; row < tensor.rows; row += at_once) {
            const int64_t rows = std::min(at_once, tensor.rows - row);
            source->read_rows(static_cast<int64_t>(i), row, rows, buffer.data());
            finite &= find_not_finite(buffer.data(), rows * tensor.columns) < 0;
        }
        values += tensor.rows * tensor.columns;
    }
    const auto end = std::chrono::steady_clock::now();
    const double open_ms = std::chrono::duration<double, std::milli>(opened - begin).count();
    const double read_ms = std::chrono::duration<double, std::milli>(end - opened).count();
    std::printf("%s: opened in %.2f ms; %lld values decoded and scanned in %.0f ms, %.2f ns each\n",
                gguf_path.c_str(), open_ms, static_cast<long long>(values), read_ms,
                read_ms * 1e6 / static_cast<double>(values));
    check("a whole model is finite", finite && values > 0);
}

}  // namespace attune::formats_test
