// Checks the fast decoders bit for bit: against plain definitions value by value, and against values of the
// gguf package where the folder of expected values is there.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>

#include "formats/half_float.h"
#include "formats/json.h"
#include "formats/not_finite.h"
#include "formats_check.h"

namespace attune::formats_test {

namespace {

// A half by its definition.
float plain_half(uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const int mantissa = bits & 1023;
    const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31 && mantissa != 0) return std::numeric_limits<float>::quiet_NaN();
    if (exponent == 31) return sign * std::numeric_limits<float>::infinity();
    return sign * static_cast<float>(exponent == 0 ? std::ldexp(mantissa, -24)
                                                   : std::ldexp(mantissa + 1024, exponent - 25));
}

float half_at(const uint8_t* x) {
    return plain_half(static_cast<uint16_t>(x[0] | (x[1] << 8)));
}

// Bits [first, first + count) of little-endian bytes.
int bits_at(const uint8_t* x, int first, int count) {
    int out = 0;
    for (int i = 0; i < count; ++i) out |= ((x[(first + i) / 8] >> ((first + i) % 8)) & 1) << i;
    return out;
}

// volatile keeps product and sum apart, whatever the compiler may fuse
float scaled(float scale, int q, float offset) {
    volatile float product = scale * static_cast<float>(q);
    return product + offset;
}

float plain_five(const uint8_t* x, int i, bool with_minimum) {
    const uint8_t* fifth = x + (with_minimum ? 4 : 2);
    const int q = bits_at(fifth + 4, (i % 16) * 8 + (i / 16) * 4, 4) + 16 * bits_at(fifth, i, 1);
    return with_minimum ? scaled(half_at(x), q, half_at(x + 2)) : half_at(x) * static_cast<float>(q - 16);
}

float plain_k(const uint8_t* x, int i, bool five) {
    const int part = i / 32;
    const uint8_t* six = x + 4;
    const int scale = part < 4 ? bits_at(six, part * 8, 6)
                               : bits_at(six, 64 + (part - 4) * 8, 4) + 16 * (six[part - 4] >> 6);
    const int minimum =
        part < 4 ? bits_at(six, 32 + part * 8, 6) : (six[part + 4] >> 4) + 16 * (six[part] >> 6);
    const uint8_t* low = x + (five ? 48 : 16);
    int q = bits_at(low, (part / 2 * 32 + i % 32) * 8 + part % 2 * 4, 4);
    if (five) q += 16 * bits_at(x + 16, i % 32 * 8 + part, 1);
    return scaled(half_at(x) * static_cast<float>(scale), q, -(half_at(x + 2) * static_cast<float>(minimum)));
}

float plain_q6_k(const uint8_t* x, int i) {
    const int inner = i % 128;
    const int low = bits_at(x, (i / 128 * 64 + inner % 64) * 8 + inner / 64 * 4, 4);
    const int high = bits_at(x + 128, (i / 128 * 32 + inner % 32) * 8 + inner / 32 * 2, 2);
    const float scale = half_at(x + 208) * static_cast<float>(static_cast<int8_t>(x[192 + i / 16]));
    return scale * static_cast<float>(low + 16 * high - 32);
}

float plain_q4(const uint8_t* x, int i, bool with_minimum) {
    const int q = bits_at(x + (with_minimum ? 4 : 2), (i % 16) * 8 + (i / 16) * 4, 4);
    return with_minimum ? scaled(half_at(x), q, half_at(x + 2)) : half_at(x) * static_cast<float>(q - 8);
}

struct Format {
    const char* name;
    DequantiseBlocks fast;
    float (*plain)(const uint8_t* block, int i);
    int values;
    int bytes;
    int half_offsets[2];  // where finite scales must stand; the same twice where there is one
};

const Format formats[] = {
    {"Q4_0", dequantise_q4_0, [](const uint8_t* x, int i) { return plain_q4(x, i, false); }, 32, 18, {0, 0}},
    {"Q4_1", dequantise_q4_1, [](const uint8_t* x, int i) { return plain_q4(x, i, true); }, 32, 20, {0, 2}},
    {"Q5_0",
     dequantise_q5_0,
     [](const uint8_t* x, int i) { return plain_five(x, i, false); },
     32,
     22,
     {0, 0}},
    {"Q5_1", dequantise_q5_1, [](const uint8_t* x, int i) { return plain_five(x, i, true); }, 32, 24, {0, 2}},
    {"Q8_0",
     dequantise_q8_0,
     [](const uint8_t* x, int i) { return half_at(x) * static_cast<float>(static_cast<int8_t>(x[2 + i])); },
     32,
     34,
     {0, 0}},
    {"Q4_K", dequantise_q4_k, [](const uint8_t* x, int i) { return plain_k(x, i, false); }, 256, 144, {0, 2}},
    {"Q5_K", dequantise_q5_k, [](const uint8_t* x, int i) { return plain_k(x, i, true); }, 256, 176, {0, 2}},
    {"Q6_K", dequantise_q6_k, plain_q6_k, 256, 210, {208, 208}},
};

void test_format(const Format& format) {
    Random random(11);
    for (const int blocks : {0, 1, 3, 16, 37}) {
        std::vector<uint8_t> x(static_cast<size_t>(blocks * format.bytes));
        for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.bits());
        for (int b = 0; b < blocks; ++b) {
            for (const int at : format.half_offsets) {
                uint8_t& upper = x[static_cast<size_t>(b * format.bytes + at + 1)];
                upper =
                    static_cast<uint8_t>((upper & 0xbf));  // exponent below 16: finite, subnormals included
            }
        }
        const auto values = static_cast<size_t>(blocks * format.values);
        std::vector<float> got(values + 1, 4711.0f);
        format.fast(got.data(), x.data(), blocks);
        size_t wrong = values;
        for (size_t i = 0; i < values && wrong == values; ++i) {
            const size_t block = i / static_cast<size_t>(format.values);
            const float want = format.plain(x.data() + block * static_cast<size_t>(format.bytes),
                                            static_cast<int>(i) % format.values);
            if (std::memcmp(&got[i], &want, sizeof want) != 0 && !(got[i] == 0 && want == 0)) wrong = i;
        }
        const std::string name = std::string(format.name) + " with " + std::to_string(blocks) + " blocks";
        check(name + " equals its definition bit for bit", wrong == values, "value " + std::to_string(wrong));
        check(name + " writes nothing behind its values", got[values] == 4711.0f);
    }
}

int hex_digit(char letter) {
    return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

void test_oracle_file(const std::string& json_path) {
    const JsonValue expected = parse_json(read_bytes(json_path), json_path);
    const std::string folder = std::filesystem::path(json_path).parent_path();
    const auto source = open_tensor_source(folder + "/" + *expected.member("file")->string());
    const std::string& type = *expected.member("type")->string();
    const int64_t rows = *expected.member("rows")->integer();
    const int64_t columns = *expected.member("columns")->integer();
    const int64_t index = source->at(*expected.member("name")->string());
    const TensorInfo& tensor = source->tensors()[static_cast<size_t>(index)];
    check("oracle " + type + " has its type and shape",
          tensor.type->name == type && tensor.shape == std::vector<int64_t>{rows, columns},
          shape_text(tensor.shape));
    const std::string& hex = *expected.member("values_hex")->string();
    std::string want;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        want += static_cast<char>(hex_digit(hex[i]) * 16 + hex_digit(hex[i + 1]));
    }
    std::vector<float> got(static_cast<size_t>(rows * columns));
    source->read_all(index, got.data());
    check("oracle " + type + " has the expected number of values",
          want.size() == got.size() * 4 && !got.empty());
    check("oracle " + type + " is equal bit for bit", std::memcmp(got.data(), want.data(), want.size()) == 0);
    std::vector<float> row(static_cast<size_t>(columns));
    source->read_rows(index, rows - 1, 1, row.data());
    check("oracle " + type + " gives its last row alone",
          std::memcmp(row.data(), want.data() + (rows - 1) * columns * 4, row.size() * 4) == 0);
    const JsonValue& metadata = *expected.member("metadata");
    check("oracle " + type + " has its whole number in the metadata",
          source->metadata().integer("test.seed") == *metadata.member("test.seed")->integer());
    std::vector<std::string> words;
    for (const JsonValue& word : *metadata.member("test.words")->array()) words.push_back(*word.string());
    check("oracle " + type + " has its strings in the metadata",
          source->metadata().array_strings("test.words") == words);
}

void test_oracle() {
    const std::string folder = oracle_folder();
    if (folder.empty()) {
        std::printf("pending: no folder of expected values (ATTUNE_ORACLE)\n");
        return;
    }
    int64_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder + "/gguf")) {
        if (entry.path().extension() != ".json") continue;
        test_oracle_file(entry.path());
        ++files;
    }
    check("the folder of expected values holds GGUF cases", files > 0);
    std::printf("gguf: %lld files of expected values\n", static_cast<long long>(files));
}

}  // namespace

void test_dequantise() {
    int64_t wrong = 0;
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const float got = half_to_float(static_cast<uint16_t>(bits));
        const float want = plain_half(static_cast<uint16_t>(bits));
        const bool same = std::isnan(want) ? std::isnan(got) : std::memcmp(&got, &want, sizeof got) == 0;
        wrong += same ? 0 : 1;
    }
    check("all 65536 halves are exact", wrong == 0, std::to_string(wrong) + " differ");
    for (const Format& format : formats) test_format(format);
    test_oracle();
    std::vector<float> values(10000, 1.0f);
    check("finite values are all finite", find_not_finite(values.data(), 10000) == -1);
    values[9000] = -std::numeric_limits<float>::infinity();
    values[9500] = std::numeric_limits<float>::quiet_NaN();
    check("the first value that is not finite is found", find_not_finite(values.data(), 10000) == 9000);
    check("a NaN is found", find_not_finite(values.data() + 9001, 999) == 499);
}

}  // namespace attune::formats_test
