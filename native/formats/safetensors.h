// Reads safetensors: one file, or a folder with one file or an index and shards.
// Checks every number of a header; never looks at values. Writing is safetensors_writer.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/tensor_source.h"

namespace attune {

// The tensors of one whole file, in the order of its header; they point into `file`. `source` is named in
// errors.
std::vector<TensorInfo> parse_safetensors(ByteView file, const std::string& source);

std::unique_ptr<const TensorSource> open_safetensors(MappedFile file);

// `folder` holds model.safetensors, or model.safetensors.index.json and the shards that it names.
std::unique_ptr<const TensorSource> open_safetensors_folder(const std::string& folder);

}  // namespace attune
