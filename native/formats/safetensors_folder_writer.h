// Writes the weights of a Hugging Face folder: model.safetensors, or shards with their index when they are
// large. Writes no settings and no tokenizer; the folder must exist.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/safetensors_writer.h"

namespace attune {

class SafetensorsFolderWriter {
  public:
    // Each shard holds tensors of at most `max_shard_bytes`, or a single larger one. Throws Error(Output)
    // when the folder already holds weights in the other form, which a reader would mix up with these.
    SafetensorsFolderWriter(std::string folder, std::vector<TensorDeclaration> tensors,
                            int64_t max_shard_bytes);

    // As SafetensorsWriter::write, over all shards.
    void write(std::string_view name, const float* values, int64_t count);
    // Only now do the files appear; when one can't, those that did are taken away again.
    void finish();

  private:
    struct Shard {
        std::string file_name;
        std::vector<TensorDeclaration> tensors;
        std::unique_ptr<SafetensorsWriter> writer;
    };

    void plan(std::vector<TensorDeclaration> tensors, int64_t max_shard_bytes);
    void open_shard(size_t index);
    std::string index_text() const;

    std::string folder_;
    std::vector<Shard> shards_;
    std::unordered_map<std::string, size_t> shard_of_;
    size_t current_ = 0;
    int64_t total_bytes_ = 0;
};

}  // namespace attune
