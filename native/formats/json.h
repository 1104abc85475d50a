// A small strict JSON reader for safetensors headers, index files and model settings: whole text in, a tree
// out. Not a writer, not a stream, no extensions (comments, NaN, trailing commas are errors).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace attune {

class JsonValue;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<std::pair<std::string, JsonValue>>;  // in file order, keys are unique

class JsonValue {
  public:
    // Whole numbers that fit are int64_t (or uint64_t above its range) and exact; all others are double.
    using Content =
        std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, JsonArray, JsonObject>;

    JsonValue() = default;
    explicit JsonValue(Content content) : content_(std::move(content)) {}

    const Content& content() const noexcept { return content_; }
    const std::string* string() const noexcept { return std::get_if<std::string>(&content_); }
    const int64_t* integer() const noexcept { return std::get_if<int64_t>(&content_); }
    const JsonArray* array() const noexcept { return std::get_if<JsonArray>(&content_); }
    const JsonObject* object() const noexcept { return std::get_if<JsonObject>(&content_); }
    // The member of that name, or nullptr when there is none or this is no object.
    const JsonValue* member(std::string_view name) const noexcept;
    // "an object", "a string", …: for error texts.
    const char* kind() const noexcept;

  private:
    Content content_ = nullptr;
};

// Throws Error(Format) that names `source` and the byte offset. Nesting deeper than 64 is an error.
JsonValue parse_json(std::string_view text, std::string_view source);

// `text` as a JSON string with its quotes; bytes above 0x7f pass through.
std::string json_quoted(std::string_view text);

}  // namespace attune
