// Parses safetensors headers: 8 bytes of length, JSON, then the data of all tensors without gaps.
// Reads mapped bytes only; folders and shards are safetensors_folder.cpp.
#include "formats/safetensors.h"

#include <algorithm>

#include "core/error.h"
#include "formats/json.h"

namespace attune {

namespace {

// Longest header that the format allows.
constexpr int64_t header_limit = 100'000'000;

// Types without a decoder occur as buffers beside the weights (masks, position ids): listed, but not
// readable.
constexpr ElementType element_types[] = {
    {"F32", 1, 4, decode_f32},
    {"F16", 1, 2, decode_f16},
    {"BF16", 1, 2, decode_bf16},
    {"F64", 1, 8},
    {"I64", 1, 8},
    {"U64", 1, 8},
    {"I32", 1, 4},
    {"U32", 1, 4},
    {"I16", 1, 2},
    {"U16", 1, 2},
    {"I8", 1, 1},
    {"U8", 1, 1},
    {"BOOL", 1, 1},
    {"F8_E4M3", 1, 1},
    {"F8_E5M2", 1, 1},
    {"F8_E8M0", 1, 1},
};

const ElementType* find_element_type(const std::string& name) noexcept {
    for (const ElementType& type : element_types) {
        if (name == type.name) return &type;
    }
    return nullptr;
}

const JsonValue& field(const JsonValue& entry, const char* name, const std::string& where) {
    const JsonValue* value = entry.member(name);
    if (value == nullptr) {
        raise(Code::Format, where, "expected dtype, shape and data_offsets but found no ", name, ".");
    }
    return *value;
}

// An array of whole numbers >= 0
std::vector<int64_t> sizes_of(const JsonValue& value, const char* name, const std::string& where) {
    const JsonArray* items = value.array();
    if (items == nullptr) {
        raise(Code::Format, where, "expected ", name, " to be an array but found ", value.kind(), ".");
    }
    std::vector<int64_t> sizes;
    for (const JsonValue& item : *items) {
        const int64_t* size = item.integer();
        if (size == nullptr) {
            raise(Code::Format, where, "expected ", name, " to hold whole numbers below 2^63 but found ",
                  item.kind(), ".");
        }
        if (*size < 0) {
            raise(Code::Format, where, "expected ", name, " to hold sizes of at least 0 but found ", *size,
                  ".");
        }
        sizes.push_back(*size);
    }
    return sizes;
}

TensorInfo parse_tensor(const std::string& name, const JsonValue& entry, ByteView data,
                        const std::string& source) {
    const std::string where = source + ": tensor " + quoted(name) + ": ";
    if (entry.object() == nullptr)
        raise(Code::Format, where, "expected an object but found ", entry.kind(), ".");
    TensorInfo tensor;
    tensor.name = name;
    const JsonValue& dtype = field(entry, "dtype", where);
    if (dtype.string() == nullptr) {
        raise(Code::Format, where, "expected dtype to be a string but found ", dtype.kind(), ".");
    }
    tensor.type = find_element_type(*dtype.string());
    if (tensor.type == nullptr) {
        raise(Code::Format, where, "expected dtype F32, F16 or BF16 but found ", quoted(*dtype.string()),
              ".");
    }
    tensor.shape = sizes_of(field(entry, "shape", where), "shape", where);
    const int64_t values = set_rows_and_columns(tensor);
    if (values < 0 || __builtin_mul_overflow(values, tensor.type->block_bytes, &tensor.bytes)) {
        raise(Code::Format, where, "expected a shape of fewer than 2^63 bytes but found ",
              shape_text(tensor.shape), ".");
    }
    const std::vector<int64_t> offsets = sizes_of(field(entry, "data_offsets", where), "data_offsets", where);
    if (offsets.size() != 2) {
        raise(Code::Format, where, "expected data_offsets to be a begin and an end but found ",
              offsets.size(), " numbers.");
    }
    if (offsets[0] > offsets[1] || offsets[1] > data.size) {
        raise(Code::Format, where, "expected data_offsets within the ", data.size,
              " bytes of data but found ", shape_text(offsets), ". The file is truncated or damaged.");
    }
    if (offsets[1] - offsets[0] != tensor.bytes) {
        raise(Code::Format, where, "expected ", tensor.bytes, " bytes (", tensor.type->name, " ",
              shape_text(tensor.shape), ") but data_offsets ", shape_text(offsets), " hold ",
              offsets[1] - offsets[0], ".");
    }
    tensor.data = data.data + offsets[0];
    return tensor;
}

void check_metadata(const JsonValue& metadata, const std::string& source) {
    if (metadata.object() == nullptr) {
        raise(Code::Format, source, ": expected __metadata__ to be an object but found ", metadata.kind(),
              ".");
    }
    for (const auto& [key, value] : *metadata.object()) {
        if (value.string() == nullptr) {
            raise(Code::Format, source, ": expected __metadata__ to hold strings but ", quoted(key), " is ",
                  value.kind(), ".");
        }
    }
}

// The format knows no gaps: what no tensor covers was cut out or appended.
void check_data_covered(const std::vector<TensorInfo>& tensors, ByteView data, const std::string& source) {
    int64_t covered = 0;
    for (const TensorInfo& tensor : tensors) covered += tensor.bytes;
    require(covered == data.size, Code::Format, source, ": expected ", covered,
            " bytes of data behind the header (the sum of all tensors) but found ", data.size,
            ". The file is truncated or damaged.");
}

}  // namespace

std::vector<TensorInfo> parse_safetensors(ByteView file, const std::string& source) {
    require(file.size >= 8, Code::Format, source,
            ": expected at least the 8 bytes of a header length but found ", file.size, ".");
    const auto length = load_unaligned<uint64_t>(file.data);
    const int64_t longest = std::min(file.size - 8, header_limit);
    require(length <= static_cast<uint64_t>(longest), Code::Format, source, ": expected a header of at most ",
            longest, " bytes but its length says ", length,
            ". This is no safetensors file, or a truncated one.");
    const auto header_size = static_cast<int64_t>(length);
    const std::string_view header(reinterpret_cast<const char*>(file.data + 8), length);
    const JsonValue root = parse_json(header, source + ": header");
    if (root.object() == nullptr) {
        raise(Code::Format, source, ": expected the header to be an object but found ", root.kind(), ".");
    }
    const ByteView data = {file.data + 8 + header_size, file.size - 8 - header_size};
    std::vector<TensorInfo> tensors;
    for (const auto& [name, entry] : *root.object()) {
        if (name == "__metadata__") {
            check_metadata(entry, source);
        } else {
            tensors.push_back(parse_tensor(name, entry, data, source));
        }
    }
    check_tensors_apart(tensors, source);
    check_data_covered(tensors, data, source);
    return tensors;
}

std::unique_ptr<const TensorSource> open_safetensors(MappedFile file) {
    file.advise(AccessPattern::Sequential);
    std::vector<TensorInfo> tensors = parse_safetensors(file.bytes(), file.path());
    const std::string path = file.path();
    std::vector<MappedFile> files;
    files.push_back(std::move(file));
    return std::make_unique<const TensorSource>(path, std::move(files), std::move(tensors));
}

}  // namespace attune
