// Runs all checks of native/formats: `formats_test [model.gguf]` also reads a whole model and times it.
// Holds the counting and the file builders; knows no format's details.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "formats_check.h"

namespace attune::formats_test {

namespace {

Counts total;

}  // namespace

Counts counts() {
    return total;
}

void check(const std::string& claim, bool holds, const std::string& detail) {
    ++(holds ? total.passed : total.failed);
    if (!holds) std::printf("FAILED %s%s%s\n", claim.c_str(), detail.empty() ? "" : ": ", detail.c_str());
}

void check_error(const std::string& claim, Code code, std::initializer_list<std::string_view> words,
                 const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        if (error.code != code) {
            return check(claim, false, std::string("code ") + code_name(error.code) + ", text " + error.text);
        }
        for (const std::string_view word : words) {
            if (error.text.find(word) == std::string::npos) {
                return check(claim, false, "no \"" + std::string(word) + "\" in: " + error.text);
            }
        }
        return check(claim, true);
    }
    check(claim, false, "no error was thrown");
}

TemporaryFolder::TemporaryFolder() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/attune-formats-XXXXXX";
    require(::mkdtemp(path_.data()) != nullptr, Code::Internal, "Cannot create ", path_);
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryFolder::names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
        found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
}

void write_bytes(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

ByteView view_of(std::string_view bytes) {
    return {reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int64_t>(bytes.size())};
}

std::string safetensors_bytes(const std::string& header, int64_t data_bytes) {
    const uint64_t length = header.size();
    std::string out(reinterpret_cast<const char*>(&length), sizeof length);
    out += header;
    for (int64_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i & 63);
    return out;
}

GgufBytes::GgufBytes(uint32_t version, uint64_t tensors, uint64_t pairs) : bytes_("GGUF") {
    number(version).number(tensors).number(pairs);
}

GgufBytes& GgufBytes::text(std::string_view value) {
    number(uint64_t{value.size()});
    bytes_ += value;
    return *this;
}

GgufBytes& GgufBytes::pair(std::string_view key, GgufValueType type) {
    return text(key).number(static_cast<uint32_t>(type));
}

GgufBytes& GgufBytes::tensor(std::string_view name, std::initializer_list<uint64_t> sizes, uint32_t type,
                             uint64_t offset) {
    text(name).number(static_cast<uint32_t>(sizes.size()));
    for (const uint64_t size : sizes) number(size);
    return number(type).number(offset);
}

std::string GgufBytes::with_data(int64_t data_bytes, int64_t alignment) const {
    std::string out = bytes_;
    while (static_cast<int64_t>(out.size()) % alignment != 0) out += '\0';
    for (int64_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i & 63);
    return out;
}

uint64_t Random::bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

std::string oracle_folder() {
    const char* named = std::getenv("ATTUNE_ORACLE");
    const std::string folder = named == nullptr ? "../shared/oracle" : named;
    return std::filesystem::is_directory(folder) ? folder : "";
}

}  // namespace attune::formats_test

int main(int count, char** values) {
    using namespace attune::formats_test;
    try {
        test_json();
        test_dequantise();
        test_safetensors();
        test_safetensors_writer();
        test_gguf();
        test_fuzz();
        if (count > 1) test_model(values[1]);
    } catch (const std::exception& error) {
        check("no check ends in an exception", false, error.what());
    }
    std::printf("%lld passed, %lld failed\n", static_cast<long long>(counts().passed),
                static_cast<long long>(counts().failed));
    return counts().failed == 0 && counts().passed > 0 ? 0 : 1;
}
