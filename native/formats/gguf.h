// Reads GGUF versions 2 and 3: metadata and the table of tensors.
// Checks every count, length, type, offset and alignment against the file; never looks at tensor values.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/tensor_source.h"

namespace attune {

struct GgufContents {
    int64_t version = 0;
    GgufMetadata metadata;            // arrays point into the file
    std::vector<TensorInfo> tensors;  // in the file's order, point into the file
};

// `source` is named in errors.
GgufContents parse_gguf(ByteView file, const std::string& source);

std::unique_ptr<const TensorSource> open_gguf(MappedFile file);

}  // namespace attune
