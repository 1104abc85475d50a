// Counting checks, temporary folders and file builders for the tests of native/formats.
// Includes core and formats only; each formats_*_test.cpp holds the checks of one subject.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "formats/byte_view.h"
#include "formats/gguf_metadata.h"
#include "formats/tensor_source.h"

namespace attune::formats_test {

// One claim: printed when it doesn't hold, counted in any case.
void check(const std::string& claim, bool holds, const std::string& detail = "");

// `action` throws Error of that code, and its text holds every one of `words`.
void check_error(const std::string& claim, Code code, std::initializer_list<std::string_view> words,
                 const std::function<void()>& action);

struct Counts {
    int64_t passed = 0;
    int64_t failed = 0;
};
Counts counts();

// A new empty folder that is removed with everything in it at the end.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    std::vector<std::string> names() const;  // sorted

  private:
    std::string path_;
};

void write_bytes(const std::string& path, std::string_view bytes);
std::string read_bytes(const std::string& path);
ByteView view_of(std::string_view bytes);

// A safetensors file: length, header, `data_bytes` bytes counting up.
std::string safetensors_bytes(const std::string& header, int64_t data_bytes);

// Writes GGUF piece by piece; any piece may lie.
class GgufBytes {
  public:
    GgufBytes(uint32_t version, uint64_t tensors, uint64_t pairs);
    template <class T>
    GgufBytes& number(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    GgufBytes& text(std::string_view value);
    // key and type; the value follows
    GgufBytes& pair(std::string_view key, GgufValueType type);
    // `sizes` innermost first, as in the file
    GgufBytes& tensor(std::string_view name, std::initializer_list<uint64_t> sizes, uint32_t type,
                      uint64_t offset);
    // Pads to the alignment and appends `data_bytes` bytes counting up.
    std::string with_data(int64_t data_bytes, int64_t alignment = 32) const;

  private:
    std::string bytes_;
};

// Numbers that repeat on every machine (splitmix64).
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t bits();
    int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }

  private:
    uint64_t state_;
};

// ATTUNE_ORACLE or ../shared/oracle; "" where there is none.
std::string oracle_folder();

void test_json();
void test_dequantise();
void test_safetensors();
void test_safetensors_writer();
void test_gguf();
void test_fuzz();
void test_model(const std::string& gguf_path);

}  // namespace attune::formats_test
