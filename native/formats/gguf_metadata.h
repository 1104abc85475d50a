// Metadata of a GGUF file: typed key-value pairs. Arrays stay in the file; only their place is kept.
// Knows no key by meaning, except through its callers.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/byte_view.h"

namespace attune {

// The numbers are those of the format.
enum class GgufValueType : uint32_t {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12
};

struct GgufArray {
    GgufValueType items = GgufValueType::U8;
    int64_t count = 0;
    ByteView bytes;  // borrowed from the file
};

// uint64_t only above the range of int64_t
using GgufValue = std::variant<int64_t, uint64_t, double, bool, std::string, GgufArray>;

class GgufMetadata {
  public:
    // false when the key is there already
    bool insert(std::string key, GgufValue value);

    const std::map<std::string, GgufValue, std::less<>>& values() const noexcept { return values_; }
    // The value of that key and kind; nullptr or nothing when it is absent or of another kind.
    const GgufValue* find(std::string_view key) const noexcept;
    const std::string* string(std::string_view key) const noexcept;
    std::optional<int64_t> integer(std::string_view key) const noexcept;
    std::optional<double> number(std::string_view key) const noexcept;  // whole numbers too
    std::optional<bool> boolean(std::string_view key) const noexcept;
    // Length of an array, for example the vocabulary's in "tokenizer.ggml.tokens".
    std::optional<int64_t> array_count(std::string_view key) const noexcept;
    // All items of an array of numbers; nothing for arrays of strings and arrays.
    std::optional<std::vector<double>> array_numbers(std::string_view key) const;
    // All items of an array of strings; nothing for other arrays.
    std::optional<std::vector<std::string>> array_strings(std::string_view key) const;

  private:
    std::map<std::string, GgufValue, std::less<>> values_;
};

// Bytes of one value, 0 for strings and arrays.
int64_t gguf_value_size(GgufValueType type) noexcept;

// One number or boolean at `at`; `type` must have a size.
GgufValue load_gguf_value(GgufValueType type, const uint8_t* at) noexcept;

}  // namespace attune
