// Checks that safetensors files and folders are read exactly and that every lie in them is found and
// explained.
#include "formats/safetensors.h"

#include <limits>

#include "formats_check.h"

namespace attune::formats_test {

namespace {

// A file whose header is `entries` inside braces, over `data_bytes` bytes.
void check_lie(const std::string& claim, const std::string& entries, int64_t data_bytes,
               std::initializer_list<std::string_view> words) {
    check_error(claim, Code::Format, words, [&] {
        const std::string bytes = safetensors_bytes("{" + entries + "}", data_bytes);
        parse_safetensors(view_of(bytes), "a.safetensors");
    });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
}

void test_reading() {
    const TemporaryFolder folder;
    const std::string path = folder.file("model.safetensors");
    const std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," +
                               entry("h", "F16", "[2,3]", "[1,13]") + "," + entry("m", "U8", "[1]", "[0,1]") +
                               "," + entry("b", "BF16", "[2]", "[13,17]") + "," +
                               entry("one", "F32", "[]", "[17,21]") + "}";
    const std::string data(
        "\x07\x00\x3c\x00\xc0\x00\x00\x01\x00\x00\x7c\xff\x7b\x80\x3f\x00\xc0\x00\x00\x00\x41", 21);
    write_bytes(path, safetensors_bytes(header, 0) + data);
    const auto source = open_tensor_source(path);
    float got[6];
    source->read_all(source->at("h"), got);
    const float want[6] = {1, -2, 0, 0x1p-24f, std::numeric_limits<float>::infinity(), 65504};
    check("unaligned F16 is read exactly", std::equal(got, got + 6, want));
    source->read_rows(source->at("h"), 1, 1, got);
    check("one row is read alone", got[0] == 0x1p-24f && got[2] == 65504);
    source->read_all(source->at("b"), got);
    check("BF16 is read exactly", got[0] == 1 && got[1] == -2);
    source->read_all(source->at("one"), got);
    check("a tensor without dimensions is one number", got[0] == 8);
    check("a folder with model.safetensors opens", open_tensor_source(folder.path())->find("h") >= 0);
    check_error("a type that holds no weights is named when read", Code::Format,
                {"\"m\"", "U8", "F32, F16 or BF16"}, [&] { source->read_all(source->at("m"), got); });
    check_error("rows beyond the tensor are refused", Code::Shape, {"\"h\"", "[2, 3]", "2 rows from 1"},
                [&] { source->read_rows(source->at("h"), 1, 2, got); });
    check_error("a missing tensor is named with what is there", Code::Model, {"\"x\"", "4 others", "\"h\""},
                [&] { source->at("x"); });
}

void test_header_lies() {
    const std::string good = entry("w", "F32", "[2,2]", "[0,16]");
    check("the file without a lie is accepted",
          parse_safetensors(view_of(safetensors_bytes("{" + good + "}", 16)), "a").size() == 1);
    check_lie("truncated data is found", good, 15,
              {"a.safetensors", "\"w\"", "15 bytes of data", "[0, 16]", "truncated"});
    check_lie("bytes after the last tensor are found", good, 20, {"expected 16", "found 20"});
    check_lie("a gap between tensors is found", good + "," + entry("v", "F32", "[1]", "[20,24]"), 24,
              {"expected 20", "found 24"});
    check_lie("overlapping tensors are found", good + "," + entry("v", "F32", "[2]", "[12,20]"), 20,
              {"\"w\" and \"v\"", "overlap by 4 bytes"});
    check_lie("offsets in reverse are found", entry("w", "F32", "[2,2]", "[16,0]"), 16, {"\"w\"", "[16, 0]"});
    check_lie("a size that is not shape times type is found", entry("w", "F32", "[2,3]", "[0,16]"), 16,
              {"\"w\"", "expected 24 bytes", "F32 [2, 3]", "hold 16"});
    check_lie("a shape whose product overflows is found",
              entry("w", "F32", "[4294967296,4294967296]", "[0,16]"), 16,
              {"\"w\"", "fewer than 2^63", "[4294967296, 4294967296]"});
    check_lie("a shape whose bytes overflow is found", entry("w", "F32", "[4611686018427387904]", "[0,0]"), 0,
              {"\"w\"", "fewer than 2^63"});
    check_lie("a size above 2^63 is found", entry("w", "F32", "[18446744073709551615]", "[0,0]"), 0,
              {"\"w\"", "shape", "below 2^63"});
    check_lie("a negative size is found", entry("w", "F32", "[-1]", "[0,4]"), 4,
              {"\"w\"", "at least 0", "found -1"});
    check_lie("a fractional size is found", entry("w", "F32", "[1.5]", "[0,4]"), 4,
              {"whole numbers", "a number"});
    check_lie("an unknown type is named", entry("w", "F13", "[1]", "[0,4]"), 4,
              {"F32, F16 or BF16", "\"F13\""});
    check_lie("a tensor given twice is found", good + "," + good, 16, {"once", "\"w\" twice"});
    check_lie("a missing field is named", "\"w\":{\"dtype\":\"F32\",\"shape\":[1]}", 4,
              {"\"w\"", "no data_offsets"});
    check_lie("three offsets are found", entry("w", "F32", "[1]", "[0,4,8]"), 4,
              {"a begin and an end", "3 numbers"});
    check_lie("a tensor that is no object is found", "\"w\":3", 4, {"\"w\"", "an object", "a whole number"});
    check_lie("metadata that is no string is found", "\"__metadata__\":{\"a\":1}", 0,
              {"__metadata__", "strings"});
    check_lie("a broken header is found at its byte", "\"w\":}", 0, {"a.safetensors: header", "byte 5"});
    const auto parse = [](const std::string& bytes) {
        return [bytes] { parse_safetensors(view_of(bytes), "a"); };
    };
    check_error("a file of 5 bytes is refused", Code::Format, {"8 bytes", "found 5"}, parse("abcde"));
    check_error("a header longer than the file is found", Code::Format, {"at most 2 bytes", "says 1000"},
                parse(std::string("\xe8\x03\0\0\0\0\0\0{}", 10)));
    check_error("a header length of 2^64 - 1 is found", Code::Format,
                {"at most 2 bytes", "18446744073709551615"},
                parse(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)));
}

void write_index(const TemporaryFolder& folder, const std::string& map) {
    write_bytes(folder.file("model.safetensors.index.json"),
                "{\"metadata\":{},\"weight_map\":{" + map + "}}");
}

void test_shards() {
    const TemporaryFolder folder;
    const auto open = [&folder] { open_tensor_source(folder.path()); };
    write_bytes(folder.file("1.safetensors"),
                safetensors_bytes("{" + entry("a", "F32", "[1]", "[0,4]") + "}", 4));
    write_bytes(folder.file("2.safetensors"),
                safetensors_bytes("{" + entry("b", "F32", "[1]", "[0,4]") + "}", 4));
    write_index(folder, "\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"");
    check("shards open as one model", open_tensor_source(folder.path())->tensors().size() == 2);
    write_index(folder, "\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"");
    check_error("a missing shard is named", Code::File, {"\"3.safetensors\"", "no such file"}, open);
    write_index(folder, "\"a\":\"1.safetensors\",\"c\":\"2.safetensors\"");
    check_error("a tensor missing from its shard is named", Code::Format,
                {"2.safetensors", "\"c\"", "1 others"}, open);
    write_index(folder, "\"a\":\"1.safetensors\",\"b\":\"../2.safetensors\"");
    check_error("a shard outside the folder is refused", Code::Format,
                {"plain file name", "../2.safetensors"}, open);
    write_index(folder, "");
    check_error("an index without tensors is refused", Code::Format, {"at least one tensor"}, open);
    write_index(folder, "\"a\":7");
    check_error("a shard that is no name is refused", Code::Format, {"\"a\"", "a whole number"}, open);
    write_bytes(folder.file("model.safetensors.index.json"), "{}");
    check_error("an index without weight_map is refused", Code::Format, {"weight_map", "none"}, open);
    write_bytes(folder.file("2.safetensors"),
                safetensors_bytes("{" + entry("a", "F32", "[1]", "[0,4]") + "}", 4));
    write_index(folder, "\"a\":\"1.safetensors\",\"a2\":\"2.safetensors\"");
    check_error("a shard with another's tensor is refused", Code::Format, {"\"a2\""}, open);
}

void test_paths() {
    const TemporaryFolder folder;
    const auto open = [&folder](const std::string& name) {
        return [path = folder.file(name)] { open_tensor_source(path); };
    };
    check_error("a missing path is named", Code::File, {"/none", "No such file"}, open("none"));
    write_bytes(folder.file("empty.safetensors"), "");
    check_error("an empty file is said plainly", Code::File, {"empty.safetensors", "is empty"},
                open("empty.safetensors"));
    write_bytes(folder.file("model.bin"), "PK\x03\x04....");
    check_error("another format is refused with its first bytes", Code::Format, {"model.bin", "PK\\x03\\x04"},
                open("model.bin"));
    check_error("a folder without safetensors says what it holds", Code::File,
                {"model.safetensors", "model.bin"}, [&folder] { open_tensor_source(folder.path()); });
}

}  // namespace

void test_safetensors() {
    test_reading();
    test_header_lies();
    test_shards();
    test_paths();
}

}  // namespace attune::formats_test
