// Opens a Hugging Face folder: its one safetensors file, or all shards of its index.
// Decides nothing about names beyond what index and shards say of each other.
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "core/error.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace attune {

namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    struct stat status = {};
    return ::stat(path.c_str(), &status) == 0;
}

// What to do when no safetensors is there depends on what else is.
[[noreturn]] void fail_without_weights(const std::string& folder) {
    std::string found;
    std::string remedy = "Pass a folder with weights.";
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        const std::string extension = entry.path().extension().string();
        if (extension == ".gguf") remedy = "To use " + name + ", pass the path of that file.";
        if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
            remedy = "Convert " + name + " to safetensors first.";
        }
        if (extension == ".gguf" || extension == ".bin" || extension == ".pt" || extension == ".pth" ||
            extension == ".safetensors") {
            found += (found.empty() ? "" : ", ") + name;
        }
    }
    raise(Code::File, folder, ": expected model.safetensors or model.safetensors.index.json but found ",
          found.empty() ? "no weights" : found, ". ", remedy);
}

// shard file -> names that the index places there
std::map<std::string, std::vector<std::string>> read_index(const std::string& path) {
    const MappedFile file(path);
    const std::string_view text(reinterpret_cast<const char*>(file.bytes().data),
                                static_cast<size_t>(file.size()));
    const JsonValue root = parse_json(text, path);
    const JsonValue* weights = root.member("weight_map");
    if (weights == nullptr || weights->object() == nullptr) {
        raise(Code::Format, path, ": expected an object weight_map but found ",
              weights == nullptr ? "none" : weights->kind(), ".");
    }
    std::map<std::string, std::vector<std::string>> shards;
    for (const auto& [name, shard] : *weights->object()) {
        if (shard.string() == nullptr) {
            raise(Code::Format, path, ": expected a file name for tensor ", quoted(name), " but found ",
                  shard.kind(), ".");
        }
        const std::string& file_name = *shard.string();
        const bool plain = !file_name.empty() &&
                           file_name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos &&
                           file_name != "." && file_name != "..";
        require(plain, Code::Format, path, ": expected a plain file name for tensor ", quoted(name),
                " but found ", quoted(file_name), ".");
        shards[file_name].push_back(name);
    }
    require(!shards.empty(), Code::Format, path,
            ": expected at least one tensor in weight_map but found none.");
    return shards;
}

void check_indexed_names(const std::vector<std::string>& names, const std::vector<TensorInfo>& tensors,
                         const std::string& shard) {
    std::unordered_map<std::string_view, int> held;
    for (const TensorInfo& tensor : tensors) held.emplace(tensor.name, 1);
    for (const std::string& name : names) {
        require(held.contains(name), Code::Format, shard, ": expected tensor ", quoted(name),
                " (the index places it here) but found ", tensors.size(), " others.");
    }
}

std::unique_ptr<const TensorSource> open_shards(const std::string& folder, const std::string& index) {
    std::vector<MappedFile> files;
    std::vector<TensorInfo> all;
    for (const auto& [file_name, names] : read_index(index)) {
        const std::string path = folder + "/" + file_name;
        require(exists(path), Code::File, index, ": expected the shard ", quoted(file_name), " beside it (",
                names.size(), " tensors are in it) but found no such file. Download it again.");
        MappedFile file(path);
        file.advise(AccessPattern::Sequential);
        std::vector<TensorInfo> tensors = parse_safetensors(file.bytes(), path);
        check_indexed_names(names, tensors, path);
        for (TensorInfo& tensor : tensors) all.push_back(std::move(tensor));
        files.push_back(std::move(file));
    }
    check_tensors_apart(all, folder);
    return std::make_unique<const TensorSource>(folder, std::move(files), std::move(all));
}

}  // namespace

std::unique_ptr<const TensorSource> open_safetensors_folder(const std::string& folder) {
    const std::string single = folder + "/model.safetensors";
    if (exists(single)) return open_safetensors(MappedFile(single));
    const std::string index = folder + "/model.safetensors.index.json";
    if (exists(index)) return open_shards(folder, index);
    fail_without_weights(folder);
}

}  // namespace attune
