// Typed look-ups in GGUF metadata. Parses nothing from files; gguf.cpp fills the table.
#include "formats/gguf_metadata.h"

#include <limits>
#include <utility>

namespace attune {

namespace {

template <class T>
const T* value_as(const GgufValue* value) noexcept {
    return value == nullptr ? nullptr : std::get_if<T>(value);
}

std::optional<double> as_number(const GgufValue* value) noexcept {
    if (const auto* whole = value_as<int64_t>(value)) return static_cast<double>(*whole);
    if (const auto* large = value_as<uint64_t>(value)) return static_cast<double>(*large);
    if (const auto* real = value_as<double>(value)) return *real;
    return std::nullopt;
}

}  // namespace

bool GgufMetadata::insert(std::string key, GgufValue value) {
    return values_.emplace(std::move(key), std::move(value)).second;
}

const GgufValue* GgufMetadata::find(std::string_view key) const noexcept {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

const std::string* GgufMetadata::string(std::string_view key) const noexcept {
    return value_as<std::string>(find(key));
}

std::optional<int64_t> GgufMetadata::integer(std::string_view key) const noexcept {
    const auto* value = value_as<int64_t>(find(key));
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> GgufMetadata::number(std::string_view key) const noexcept {
    return as_number(find(key));
}

std::optional<bool> GgufMetadata::boolean(std::string_view key) const noexcept {
    const auto* value = value_as<bool>(find(key));
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<int64_t> GgufMetadata::array_count(std::string_view key) const noexcept {
    const auto* array = value_as<GgufArray>(find(key));
    return array == nullptr ? std::nullopt : std::optional(array->count);
}

std::optional<std::vector<double>> GgufMetadata::array_numbers(std::string_view key) const {
    const auto* array = value_as<GgufArray>(find(key));
    const int64_t size = array == nullptr ? 0 : gguf_value_size(array->items);
    if (size == 0 || array->items == GgufValueType::Bool) return std::nullopt;
    std::vector<double> numbers;
    for (int64_t i = 0; i < array->count; ++i) {
        const GgufValue item = load_gguf_value(array->items, array->bytes.data + i * size);
        numbers.push_back(as_number(&item).value_or(0));
    }
    return numbers;
}

std::optional<std::vector<std::string>> GgufMetadata::array_strings(std::string_view key) const {
    const auto* array = value_as<GgufArray>(find(key));
    if (array == nullptr || array->items != GgufValueType::String) return std::nullopt;
    std::vector<std::string> strings;
    const uint8_t* at = array->bytes.data;  // the parser saw that all lengths stay within the bytes
    for (int64_t i = 0; i < array->count; ++i) {
        const auto length = load_unaligned<uint64_t>(at);
        at += sizeof length;
        strings.emplace_back(reinterpret_cast<const char*>(at), length);
        at += length;
    }
    return strings;
}

int64_t gguf_value_size(GgufValueType type) noexcept {
    switch (type) {
        case GgufValueType::U8:
        case GgufValueType::I8:
        case GgufValueType::Bool:
            return 1;
        case GgufValueType::U16:
        case GgufValueType::I16:
            return 2;
        case GgufValueType::U32:
        case GgufValueType::I32:
        case GgufValueType::F32:
            return 4;
        case GgufValueType::U64:
        case GgufValueType::I64:
        case GgufValueType::F64:
            return 8;
        default:
            return 0;
    }
}

GgufValue load_gguf_value(GgufValueType type, const uint8_t* at) noexcept {
    switch (type) {
        case GgufValueType::I8:
            return int64_t{load_unaligned<int8_t>(at)};
        case GgufValueType::U16:
            return int64_t{load_unaligned<uint16_t>(at)};
        case GgufValueType::I16:
            return int64_t{load_unaligned<int16_t>(at)};
        case GgufValueType::U32:
            return int64_t{load_unaligned<uint32_t>(at)};
        case GgufValueType::I32:
            return int64_t{load_unaligned<int32_t>(at)};
        case GgufValueType::F32:
            return double{load_unaligned<float>(at)};
        case GgufValueType::Bool:
            return *at != 0;
        case GgufValueType::I64:
            return load_unaligned<int64_t>(at);
        case GgufValueType::F64:
            return load_unaligned<double>(at);
        case GgufValueType::U64: {
            const auto value = load_unaligned<uint64_t>(at);
            if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
                return static_cast<int64_t>(value);
            return value;
        }
        default:
            return int64_t{*at};
    }
}

}  // namespace attune
