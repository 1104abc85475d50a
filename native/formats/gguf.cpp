// Parses GGUF headers with a cursor that can't leave the file.
// Decoding of blocks is gguf_dequantise.cpp; what a key means is for the caller.
#include "formats/gguf.h"

#include "core/error.h"

namespace attune {

namespace {

struct NumberedType {
    uint32_t number;  // of the format
    ElementType type;
};

constexpr NumberedType tensor_types[] = {
    {0, {"F32", 1, 4, decode_f32}},
    {1, {"F16", 1, 2, decode_f16}},
    {2, {"Q4_0", 32, 18, dequantise_q4_0}},
    {3, {"Q4_1", 32, 20, dequantise_q4_1}},
    {6, {"Q5_0", 32, 22, dequantise_q5_0}},
    {7, {"Q5_1", 32, 24, dequantise_q5_1}},
    {8, {"Q8_0", 32, 34, dequantise_q8_0}},
    {12, {"Q4_K", 256, 144, dequantise_q4_k}},
    {13, {"Q5_K", 256, 176, dequantise_q5_k}},
    {14, {"Q6_K", 256, 210, dequantise_q6_k}},
    {30, {"BF16", 1, 2, decode_bf16}},
};

// Names of the types that exist but are not read, so that an error can say what a file needs; "" was given
// up.
constexpr const char* type_names[] = {
    "F32",      "F16",      "Q4_0",    "Q4_1",  "Q4_2",       "Q4_3",       "Q5_0",       "Q5_1",
    "Q8_0",     "Q8_1",     "Q2_K",    "Q3_K",  "Q4_K",       "Q5_K",       "Q6_K",       "Q8_K",
    "IQ2_XXS",  "IQ2_XS",   "IQ3_XXS", "IQ1_S", "IQ4_NL",     "IQ3_S",      "IQ2_S",      "IQ4_XS",
    "I8",       "I16",      "I32",     "I64",   "F64",        "IQ1_M",      "BF16",       "Q4_0_4_4",
    "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",   "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
};
constexpr uint32_t named_types = sizeof type_names / sizeof type_names[0];

constexpr int64_t largest_text = 65535;  // of a key or tensor name
constexpr uint32_t most_dimensions = 4;
constexpr int deepest_array = 4;
constexpr int64_t smallest_pair = 8 + 1 + 4 + 1;  // key length, key, type, value
constexpr int64_t smallest_tensor =
    8 + 1 + 4 + 8 + 4 + 8;  // name length, name, rank, dimension, type, offset

const ElementType* find_tensor_type(uint32_t number) noexcept {
    for (const NumberedType& entry : tensor_types) {
        if (entry.number == number) return &entry.type;
    }
    return nullptr;
}

class GgufParser {
  public:
    GgufParser(ByteView file, const std::string& source) : file_(file), source_(source) {}

    GgufContents parse() {
        GgufContents out;
        out.version = parse_version();
        const int64_t tensors = take_count(smallest_tensor, "tensors");
        const int64_t pairs = take_count(smallest_pair, "metadata pairs");
        for (int64_t i = 0; i < pairs; ++i) {
            std::string key = take_text("a metadata key", largest_text);
            GgufValue value = take_value(key);
            if (!out.metadata.insert(key, std::move(value))) {
                raise(Code::Format, source_, ": expected every metadata key once but found ", quoted(key),
                      " twice.");
            }
        }
        alignment_ = find_alignment(out.metadata);
        std::vector<uint64_t> offsets;
        for (int64_t i = 0; i < tensors; ++i) out.tensors.push_back(take_tensor(offsets));
        place_tensors(out.tensors, offsets);
        check_tensors_apart(out.tensors, source_);
        return out;
    }

  private:
    int64_t left() const noexcept { return file_.size - at_; }

    // Moves over `bytes` bytes and returns their start.
    const uint8_t* take(int64_t bytes, const char* what) {
        if (bytes > left()) {
            raise(Code::Format, source_, ": expected ", bytes, " bytes of ", what, " at byte ", at_,
                  " but found ", left(), " until the end of the file. The file is truncated or damaged.");
        }
        const uint8_t* start = file_.data + at_;
        at_ += bytes;
        return start;
    }

    template <class T>
    T take_number(const char* what) {
        return load_unaligned<T>(take(sizeof(T), what));
    }

    // A count of things of which each takes at least `smallest` bytes.
    int64_t take_count(int64_t smallest, const char* what) {
        const auto count = take_number<uint64_t>(what);
        const int64_t most = left() / smallest;
        require(count <= static_cast<uint64_t>(most), Code::Format, source_, ": expected at most ", most, " ",
                what, " in the ", left(), " bytes from byte ", at_, " on but the file says ", count,
                ". The file is truncated or damaged.");
        return static_cast<int64_t>(count);
    }

    std::string_view take_string(const char* what) {
        const int64_t length = take_count(1, what);
        return {reinterpret_cast<const char*>(take(length, what)), static_cast<size_t>(length)};
    }

    std::string take_text(const char* what, int64_t longest) {
        const std::string_view text = take_string(what);
        require(!text.empty() && static_cast<int64_t>(text.size()) <= longest, Code::Format, source_,
                ": expected ", what, " of 1 to ", longest, " bytes before byte ", at_, " but found ",
                text.size(), ".");
        return std::string(text);
    }

    int64_t parse_version() {
        const std::string_view magic(reinterpret_cast<const char*>(take(4, "\"GGUF\"")), 4);
        require(magic == "GGUF", Code::Format, source_,
                ": expected the file to start with \"GGUF\" but found ", quoted(magic), ".");
        const auto version = take_number<uint32_t>("version");
        const bool swapped = (version & 0xffff) == 0 && version != 0;
        require(version == 2 || version == 3, Code::Format, source_,
                ": expected GGUF version 2 or 3 but found ", version,
                swapped ? " (a big-endian file). Use the little-endian one." : ".");
        return version;
    }

    GgufValueType take_value_type(const std::string& key) {
        const auto type = take_number<uint32_t>("a value type");
        require(type <= static_cast<uint32_t>(GgufValueType::F64), Code::Format, source_,
                ": expected a value type of 0 to 12 for metadata ", quoted(key), " but found ", type, ".");
        return static_cast<GgufValueType>(type);
    }

    GgufValue take_value(const std::string& key) {
        const GgufValueType type = take_value_type(key);
        if (type == GgufValueType::String) return std::string(take_string("a metadata string"));
        if (type == GgufValueType::Array) return take_array(key, 1);
        return load_gguf_value(type, take(gguf_value_size(type), "a metadata value"));
    }

    GgufArray take_array(const std::string& key, int depth) {
        if (depth > deepest_array) {
            raise(Code::Format, source_, ": expected arrays nested at most ", deepest_array,
                  " deep in metadata ", quoted(key), " but found more.");
        }
        GgufArray array;
        array.items = take_value_type(key);
        const int64_t size = gguf_value_size(array.items);
        // An inner string takes at least its length, an inner array its type and count.
        const int64_t smallest = size > 0 ? size : array.items == GgufValueType::String ? 8 : 12;
        array.count = take_count(smallest, "array items");
        const int64_t start = at_;
        if (size > 0) {
            take(array.count * size, "array items");
        } else {
            for (int64_t i = 0; i < array.count; ++i) {
                if (array.items == GgufValueType::String) {
                    take_string("an array's string");
                } else {
                    take_array(key, depth + 1);
                }
            }
        }
        array.bytes = {file_.data + start, at_ - start};
        return array;
    }

    int64_t find_alignment(const GgufMetadata& metadata) const {
        if (metadata.find("general.alignment") == nullptr) return 32;
        const int64_t alignment = metadata.integer("general.alignment").value_or(0);
        const bool power_of_two = alignment > 0 && (alignment & (alignment - 1)) == 0;
        require(power_of_two && alignment <= (int64_t{1} << 30), Code::Format, source_,
                ": expected general.alignment to be a power of two up to 2^30 but found ", alignment, ".");
        return alignment;
    }

    TensorInfo take_tensor(std::vector<uint64_t>& offsets) {
        TensorInfo tensor;
        tensor.name = take_text("a tensor name", largest_text);
        const std::string where = source_ + ": tensor " + quoted(tensor.name) + ": ";
        const auto rank = take_number<uint32_t>("a tensor's rank");
        if (rank < 1 || rank > most_dimensions) {
            raise(Code::Format, where, "expected 1 to ", most_dimensions, " dimensions but found ", rank,
                  ".");
        }
        // The file lists the innermost dimension first.
        tensor.shape.resize(rank);
        for (uint32_t i = 0; i < rank; ++i) {
            const auto size = take_number<uint64_t>("a tensor's dimension");
            if (size < 1 || size >> 63 != 0) {
                raise(Code::Format, where, "expected dimensions of 1 to 2^63 - 1 but found ", size, ".");
            }
            tensor.shape[rank - 1 - i] = static_cast<int64_t>(size);
        }
        const auto type = take_number<uint32_t>("a tensor's type");
        tensor.type = find_tensor_type(type);
        if (tensor.type == nullptr) fail_type(where, type);
        set_size(tensor, where);
        offsets.push_back(take_number<uint64_t>("a tensor's offset"));
        return tensor;
    }

    [[noreturn]] static void fail_type(const std::string& where, uint32_t type) {
        std::string known;
        for (const NumberedType& entry : tensor_types)
            known += std::string(known.empty() ? "" : ", ") + entry.type.name;
        raise(Code::Format, where, "expected one of the types ", known, " but found ",
              type < named_types ? type_names[type] : "an unknown type", " (number ", type, ").");
    }

    static void set_size(TensorInfo& tensor, const std::string& where) {
        const int64_t values = set_rows_and_columns(tensor);
        const ElementType& type = *tensor.type;
        if (tensor.shape.back() % type.block_values != 0) {
            raise(Code::Format, where, "expected rows of a multiple of ", type.block_values,
                  " values for type ", type.name, " but found ", tensor.shape.back(), ".");
        }
        if (values < 0 ||
            __builtin_mul_overflow(values / type.block_values, type.block_bytes, &tensor.bytes)) {
            raise(Code::Format, where, "expected a shape of fewer than 2^63 bytes but found ",
                  shape_text(tensor.shape), ".");
        }
    }

    // Tensor data starts at the next multiple of the alignment after the table.
    void place_tensors(std::vector<TensorInfo>& tensors, const std::vector<uint64_t>& offsets) const {
        const int64_t start = (at_ + alignment_ - 1) / alignment_ * alignment_;
        const int64_t room = start < file_.size ? file_.size - start : 0;
        for (size_t i = 0; i < tensors.size(); ++i) {
            TensorInfo& tensor = tensors[i];
            const uint64_t offset = offsets[i];
            if (offset % static_cast<uint64_t>(alignment_) != 0) {
                raise(Code::Format, source_, ": tensor ", quoted(tensor.name),
                      ": expected an offset that is a multiple of ", alignment_, " but found ", offset, ".");
            }
            if (tensor.bytes > room || offset > static_cast<uint64_t>(room - tensor.bytes)) {
                raise(Code::Format, source_, ": tensor ", quoted(tensor.name), ": expected ", tensor.bytes,
                      " bytes at offset ", offset, " of the data but found ", room,
                      " bytes of data in all. The file is truncated or damaged.");
            }
            tensor.data = file_.data + start + static_cast<int64_t>(offset);
        }
    }

    ByteView file_;
    const std::string& source_;
    int64_t at_ = 0;
    int64_t alignment_ = 32;
};

}  // namespace

GgufContents parse_gguf(ByteView file, const std::string& source) {
    return GgufParser(file, source).parse();
}

std::unique_ptr<const TensorSource> open_gguf(MappedFile file) {
    file.advise(AccessPattern::Sequential);
    GgufContents contents = parse_gguf(file.bytes(), file.path());
    if (const int64_t parts = contents.metadata.integer("split.count").value_or(1); parts > 1) {
        raise(Code::Format, file.path(), ": expected a whole model but found one of ", parts,
              " parts. Merge the parts first (gguf-split --merge).");
    }
    const std::string path = file.path();
    std::vector<MappedFile> files;
    files.push_back(std::move(file));
    return std::make_unique<const TensorSource>(path, std::move(files), std::move(contents.tensors),
                                                std::move(contents.metadata));
}

}  // namespace attune
