// Finds out which format a path holds, and reads rows of any of them.
// Knows how a tensor is laid out, not what it is for.
#include "formats/tensor_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "formats/system_text.h"

namespace attune {

int64_t set_rows_and_columns(TensorInfo& tensor) noexcept {
    int64_t columns = 1;
    for (size_t i = tensor.shape.size() > 1 ? 1 : 0; i < tensor.shape.size(); ++i) {
        if (__builtin_mul_overflow(columns, tensor.shape[i], &columns)) return -1;
    }
    tensor.rows = tensor.shape.size() > 1 ? tensor.shape[0] : 1;
    tensor.columns = columns;
    int64_t values = 0;
    return __builtin_mul_overflow(tensor.rows, columns, &values) ? -1 : values;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string out = "[";
    for (size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return out + "]";
}

void check_tensors_apart(const std::vector<TensorInfo>& tensors, const std::string& source) {
    std::vector<const TensorInfo*> order;
    for (const TensorInfo& tensor : tensors) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    for (size_t i = 1; i < order.size(); ++i) {
        require(order[i]->name != order[i - 1]->name, Code::Format, source,
                ": expected every tensor once but found ", quoted(order[i]->name), " twice.");
    }
    std::erase_if(order, [](const auto* tensor) { return tensor->bytes == 0; });
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->data < b->data; });
    for (size_t i = 1; i < order.size(); ++i) {
        const TensorInfo& before = *order[i - 1];
        const int64_t shared = before.data + before.bytes - order[i]->data;
        require(shared <= 0, Code::Format, source, ": expected tensors apart but found that ",
                quoted(before.name), " and ", quoted(order[i]->name), " overlap by ", shared, " bytes.");
    }
}

TensorSource::TensorSource(std::string path, std::vector<MappedFile> files, std::vector<TensorInfo> tensors,
                           GgufMetadata metadata)
    : path_(std::move(path)),
      files_(std::move(files)),
      tensors_(std::move(tensors)),
      metadata_(std::move(metadata)) {
    for (size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, static_cast<int64_t>(i));
}

int64_t TensorSource::find(std::string_view name) const noexcept {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? -1 : found->second;
}

int64_t TensorSource::at(std::string_view name) const {
    const int64_t index = find(name);
    if (index >= 0) return index;
    std::string held;
    for (size_t i = 0; i < std::min<size_t>(tensors_.size(), 4); ++i) held += ", " + quoted(tensors_[i].name);
    raise(Code::Model, path_, ": expected a tensor ", quoted(name), " but found ", tensors_.size(), " others",
          held.empty() ? "" : " (", held.empty() ? "" : held.substr(2),
          held.empty()          ? ""
          : tensors_.size() > 4 ? ", …)"
                                : ")",
          ".");
}

void TensorSource::read_rows(int64_t index, int64_t first_row, int64_t rows, float* out) const {
    require(index >= 0 && index < static_cast<int64_t>(tensors_.size()), Code::Internal, path_,
            ": expected a tensor number below ", tensors_.size(), " but got ", index, ".");
    const TensorInfo& tensor = tensors_[static_cast<size_t>(index)];
    const bool inside =
        first_row >= 0 && rows >= 0 && first_row <= tensor.rows && rows <= tensor.rows - first_row;
    if (!inside) {
        raise(Code::Shape, path_, ": expected rows within the ", tensor.rows, " of ", quoted(tensor.name),
              " ", shape_text(tensor.shape), " but got ", rows, " rows from ", first_row, ".");
    }
    if (tensor.type->decode == nullptr) {
        raise(Code::Format, path_, ": expected weights in F32, F16 or BF16 but tensor ", quoted(tensor.name),
              " is ", tensor.type->name, ".");
    }
    const int64_t blocks_per_row = tensor.columns / tensor.type->block_values;
    const uint8_t* from = tensor.data + first_row * blocks_per_row * tensor.type->block_bytes;
    tensor.type->decode(out, from, rows * blocks_per_row);
}

void TensorSource::read_all(int64_t index, float* out) const {
    require(index >= 0 && index < static_cast<int64_t>(tensors_.size()), Code::Internal, path_,
            ": expected a tensor number below ", tensors_.size(), " but got ", index, ".");
    read_rows(index, 0, tensors_[static_cast<size_t>(index)].rows, out);
}

std::unique_ptr<const TensorSource> open_tensor_source(const std::string& path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) {
        raise(Code::File, "Cannot open the model ", path, ": ", system_text(errno),
              ". Expected a Hugging Face folder, a .safetensors file or a .gguf file.");
    }
    if (S_ISDIR(status.st_mode)) return open_safetensors_folder(path);
    MappedFile file(path);
    const ByteView bytes = file.bytes();
    const bool magic = bytes.size >= 4 && std::memcmp(bytes.data, "GGUF", 4) == 0;
    const std::string_view name = path;
    if (magic || name.ends_with(".gguf")) return open_gguf(std::move(file));
    if (name.ends_with(".safetensors")) return open_safetensors(std::move(file));
    raise(Code::Format, "Expected ", path, " to be a .safetensors or .gguf file but it starts with ",
          quoted({reinterpret_cast<const char*>(bytes.data),
                  static_cast<size_t>(std::min<int64_t>(bytes.size, 8))}),
          ". Pass the model's folder, or convert it to safetensors.");
}

}  // namespace attune
