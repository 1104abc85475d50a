// Splits tensors over shards in their order and writes the index last. One shard at a time is open for
// writing.
#include "formats/safetensors_folder_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "core/error.h"
#include "formats/byte_view.h"
#include "formats/json.h"

namespace attune {

namespace {

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

// "model-00002-of-00005.safetensors"
std::string shard_name(size_t shard, size_t shards) {
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
    return name;
}

}  // namespace

SafetensorsFolderWriter::SafetensorsFolderWriter(std::string folder, std::vector<TensorDeclaration> tensors,
                                                 int64_t max_shard_bytes)
    : folder_(std::move(folder)) {
    require(max_shard_bytes > 0, Code::Option, "Expected a shard size above 0 bytes but got ",
            max_shard_bytes, ".");
    plan(std::move(tensors), max_shard_bytes);
    const char* other = shards_.size() > 1 ? single_name : index_name;
    struct stat status = {};
    require(::stat((folder_ + "/" + other).c_str(), &status) != 0, Code::Output, "Expected ", folder_,
            " to hold no ", other,
            ", which would be read in place of the new weights, but it does. Choose an empty folder.");
    open_shard(0);
}

void SafetensorsFolderWriter::plan(std::vector<TensorDeclaration> tensors, int64_t max_shard_bytes) {
    shards_.emplace_back();
    int64_t filled = 0;
    for (TensorDeclaration& tensor : tensors) {
        const int64_t bytes = declared_bytes(tensor);
        if (!shards_.back().tensors.empty() && bytes > max_shard_bytes - filled) {
            shards_.emplace_back();
            filled = 0;
        }
        filled = bytes > max_shard_bytes ? max_shard_bytes : filled + bytes;
        total_bytes_ += bytes;
        const bool first = shard_of_.emplace(tensor.name, shards_.size() - 1).second;
        require(first, Code::Internal, folder_, ": expected every tensor once but got ", quoted(tensor.name),
                " twice.");
        shards_.back().tensors.push_back(std::move(tensor));
    }
    for (size_t i = 0; i < shards_.size(); ++i) {
        shards_[i].file_name = shards_.size() == 1 ? single_name : shard_name(i, shards_.size());
    }
}

void SafetensorsFolderWriter::open_shard(size_t index) {
    Shard& shard = shards_[index];
    shard.writer = std::make_unique<SafetensorsWriter>(folder_ + "/" + shard.file_name, shard.tensors);
    current_ = index;
}

void SafetensorsFolderWriter::write(std::string_view name, const float* values, int64_t count) {
    const auto found = shard_of_.find(std::string(name));
    require(found != shard_of_.end(), Code::Internal, folder_, ": expected a declared tensor but got ",
            quoted(name), ".");
    if (found->second == current_ + 1) {
        shards_[current_].writer->seal();
        open_shard(current_ + 1);
    }
    shards_[current_].writer->write(name, values, count);
}

std::string SafetensorsFolderWriter::index_text() const {
    std::string out = "{\"metadata\":{\"total_size\":" + std::to_string(total_bytes_) + "},\"weight_map\":{";
    bool first = true;
    for (const Shard& shard : shards_) {
        for (const TensorDeclaration& tensor : shard.tensors) {
            out += (first ? "\n" : ",\n") + json_quoted(tensor.name) + ":" + json_quoted(shard.file_name);
            first = false;
        }
    }
    return out + "}}\n";
}

void SafetensorsFolderWriter::finish() {
    require(current_ + 1 == shards_.size(), Code::Internal, folder_, ": expected ", shards_.size(),
            " shards to be written but got ", current_ + 1, ".");
    for (Shard& shard : shards_) shard.writer->seal();
    size_t published = 0;
    try {
        for (Shard& shard : shards_) {
            shard.writer->publish();
            ++published;
        }
        if (shards_.size() > 1) write_file_atomically(folder_ + "/" + index_name, index_text());
    } catch (...) {
        for (size_t i = 0; i < published; ++i) ::unlink((folder_ + "/" + shards_[i].file_name).c_str());
        throw;
    }
}

}  // namespace attune
