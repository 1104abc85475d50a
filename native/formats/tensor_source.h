// The named tensors of a model on disk, whatever format holds them, read as fp32 rows.
// Knows no model: names are the file's own, and nothing is permuted, transposed or split here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/element_type.h"
#include "formats/gguf_metadata.h"
#include "formats/mapped_file.h"

namespace attune {

struct TensorInfo {
    std::string name;
    std::vector<int64_t> shape;         // outermost first, in every format
    const ElementType* type = nullptr;  // static data
    const uint8_t* data = nullptr;      // borrowed from the file; any alignment
    int64_t bytes = 0;
    int64_t rows = 1;     // shape[0]; 1 for a vector or a single number
    int64_t columns = 1;  // product of the other dimensions; the length of a vector
};

// Sets rows and columns from the shape and returns the count of all values; -1 where it exceeds int64_t.
int64_t set_rows_and_columns(TensorInfo& tensor) noexcept;

// "[49152, 576]"
std::string shape_text(const std::vector<int64_t>& shape);

// Throws Error(Format) when two tensors share bytes or a name; `source` is named in it.
void check_tensors_apart(const std::vector<TensorInfo>& tensors, const std::string& source);

class TensorSource {
  public:
    TensorSource(std::string path, std::vector<MappedFile> files, std::vector<TensorInfo> tensors,
                 GgufMetadata metadata = {});

    const std::string& path() const noexcept { return path_; }
    const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
    const GgufMetadata& metadata() const noexcept { return metadata_; }  // empty for safetensors

    // The place of that tensor in tensors(), or -1.
    int64_t find(std::string_view name) const noexcept;
    // The same; throws Error(Model) that says what the file holds instead.
    int64_t at(std::string_view name) const;

    // out[rows * columns] = rows [first_row, first_row + rows) of tensor `index`. May be called from several
    // threads.
    void read_rows(int64_t index, int64_t first_row, int64_t rows, float* out) const;
    // out[rows * columns of the tensor]
    void read_all(int64_t index, float* out) const;

  private:
    std::string path_;
    std::vector<MappedFile> files_;
    std::vector<TensorInfo> tensors_;
    GgufMetadata metadata_;
    std::unordered_map<std::string_view, int64_t> by_name_;  // keys point into tensors_
};

// Opens a Hugging Face folder, a .safetensors file or a .gguf file. Every count and offset is checked here;
// values are not looked at.
std::unique_ptr<const TensorSource> open_tensor_source(const std::string& path);

}  // namespace attune
