// Damages valid files in thousands of fixed ways: each must be read, or refused with Error(Format), and
// nothing else. The bytes lie in heap blocks of exactly their size, so that the address sanitiser sees any
// read beyond them.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "formats/gguf.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "formats_check.h"

namespace attune::formats_test {

namespace {

struct Outcomes {
    int64_t read = 0;
    int64_t refused = 0;
};

// Numbers that a size, count or offset must not be trusted with.
uint64_t awkward_number(Random& random, size_t file_size) {
    const uint64_t choices[] = {0,
                                1,
                                31,
                                32,
                                255,
                                file_size,
                                file_size + 1,
                                uint64_t{1} << 31,
                                uint64_t{1} << 32,
                                uint64_t{1} << 61,
                                uint64_t{1} << 62,
                                uint64_t{1} << 63,
                                UINT64_MAX,
                                UINT64_MAX - 31};
    return choices[random.below(sizeof choices / sizeof choices[0])];
}

std::string damaged(const std::string& valid, Random& random) {
    std::string out = valid;
    const int64_t header = std::min<int64_t>(static_cast<int64_t>(out.size()), 400);
    for (int64_t change = random.below(3); change >= 0 && !out.empty(); --change) {
        const auto size = static_cast<int64_t>(out.size());
        const auto at =
            static_cast<size_t>(random.below(random.below(8) == 0 ? size : std::min(size, header)));
        switch (random.below(7)) {
            case 0:
                out[at] = static_cast<char>(random.bits());
                break;
            case 1:
                out[at] = static_cast<char>(out[at] ^ (1 << random.below(8)));
                break;
            case 2:
                out[at] = static_cast<char>('0' + random.below(10));
                break;
            case 3:
                out.resize(at);
                break;
            case 4:
                out.erase(at, static_cast<size_t>(1 + random.below(16)));
                break;
            case 5:
                out.insert(at, out.substr(at, static_cast<size_t>(1 + random.below(32))));
                break;
            default: {
                const uint64_t number = awkward_number(random, out.size());
                const size_t room = std::min<size_t>(sizeof number, out.size() - at);
                std::memcpy(out.data() + at, &number, room);
            }
        }
    }
    return out;
}

using Parse = std::vector<TensorInfo> (*)(ByteView bytes);

void read_everything(std::vector<TensorInfo> tensors) {
    const TensorSource source("fuzz", {}, std::move(tensors));
    std::vector<float> values;
    for (size_t i = 0; i < source.tensors().size(); ++i) {
        const TensorInfo& tensor = source.tensors()[i];
        if (tensor.type->decode == nullptr) continue;
        values.resize(static_cast<size_t>(tensor.rows * tensor.columns));
        source.read_all(static_cast<int64_t>(i), values.data());
    }
}

void try_bytes(const std::string& bytes, Parse parse, Outcomes& outcomes) {
    const auto block = std::make_unique<uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), block.get());
    try {
        read_everything(parse({block.get(), static_cast<int64_t>(bytes.size())}));
        ++outcomes.read;
    } catch (const Error& error) {
        if (error.code != Code::Format) {
            return check("damage is refused as Format", false,
                         std::string(code_name(error.code)) + ": " + error.text);
        }
        ++outcomes.refused;
    }
}

void fuzz(const std::string& name, const std::string& valid, Parse parse, int64_t rounds) {
    Random random(20240607);
    Outcomes outcomes;
    try_bytes(valid, parse, outcomes);
    check("the undamaged " + name + " is read", outcomes.read == 1);
    for (size_t size = 0; size < valid.size(); ++size) try_bytes(valid.substr(0, size), parse, outcomes);
    check("every shortened " + name + " is refused",
          outcomes.read == 1 && outcomes.refused == static_cast<int64_t>(valid.size()));
    for (int64_t i = 0; i < rounds; ++i) try_bytes(damaged(valid, random), parse, outcomes);
    std::printf("fuzz %s: %lld read, %lld refused\n", name.c_str(), static_cast<long long>(outcomes.read),
                static_cast<long long>(outcomes.refused));
    check("damage of " + name + " is often found and sometimes harmless",
          outcomes.refused > rounds / 10 && outcomes.read > rounds / 1000);
}

std::string valid_safetensors() {
    return safetensors_bytes(
        R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
        R"("b":{"dtype":"BF16","shape":[5],"data_offsets":[24,34]},"c":{"dtype":"F16","shape":[1,2,3],)"
        R"("data_offsets":[34,46]},"d":{"dtype":"I64","shape":[1],"data_offsets":[46,54]}})",
        54);
}

std::string valid_gguf() {
    using Type = GgufValueType;
    GgufBytes bytes(3, 3, 4);
    bytes.pair("general.alignment", Type::U32).number(uint32_t{32});
    bytes.pair("words", Type::Array).number(uint32_t{8}).number(uint64_t{2}).text("one").text("two");
    bytes.pair("lists", Type::Array).number(uint32_t{9}).number(uint64_t{2});
    bytes.number(uint32_t{4})
        .number(uint64_t{1})
        .number(uint32_t{7})
        .number(uint32_t{10})
        .number(uint64_t{0});
    bytes.pair("real", Type::F64).number(0.25);
    bytes.tensor("a", {32, 2}, 3, 0).tensor("b", {8}, 0, 64).tensor("c", {256}, 14, 96);
    return bytes.with_data(96 + 210);
}

// What the index and settings of a folder go through.
std::vector<TensorInfo> parse_as_json(ByteView bytes) {
    parse_json({reinterpret_cast<const char*>(bytes.data), static_cast<size_t>(bytes.size)}, "fuzz");
    return {};
}

// The same through files, as a user would meet it.
void fuzz_files(const std::string& name, const std::string& valid) {
    const TemporaryFolder folder;
    const std::string path = folder.file(name);
    Random random(7);
    int64_t refused = 0;
    for (int i = 0; i < 300; ++i) {
        write_bytes(path, damaged(valid, random));
        try {
            open_tensor_source(path);
        } catch (const Error& error) {
            ++refused;
            const bool named = error.text.find(name) != std::string::npos;
            const bool coded = error.code == Code::Format || error.code == Code::File;
            if (!named || !coded) check("a damaged file is named in its error", false, error.text);
        }
    }
    check("damaged files of " + name + " are refused by name", refused > 30, std::to_string(refused));
}

}  // namespace

void test_fuzz() {
    const Parse safetensors = [](ByteView bytes) { return parse_safetensors(bytes, "fuzz"); };
    const Parse gguf = [](ByteView bytes) { return parse_gguf(bytes, "fuzz").tensors; };
    fuzz("safetensors", valid_safetensors(), safetensors, 40000);
    fuzz("gguf", valid_gguf(), gguf, 40000);
    fuzz("json", R"({"a":[1,-2.5e3,true,null,{"b":"x\ud83d\ude00é"}],"weight_map":{"w":"1.safetensors"}})",
         parse_as_json, 40000);
    fuzz_files("a.safetensors", valid_safetensors());
    fuzz_files("a.gguf", valid_gguf());
}

}  // namespace attune::formats_test
