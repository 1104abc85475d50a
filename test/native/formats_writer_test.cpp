// Checks that what the safetensors writers leave is complete and exact, or not there at all.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <numeric>

#include "formats/safetensors_folder_writer.h"
#include "formats_check.h"

namespace attune::formats_test {

namespace {

using Names = std::vector<std::string>;

std::vector<float> values_of(const TensorSource& source, const std::string& name) {
    const int64_t index = source.at(name);
    const TensorInfo& tensor = source.tensors()[static_cast<size_t>(index)];
    std::vector<float> out(static_cast<size_t>(tensor.rows * tensor.columns));
    source.read_all(index, out.data());
    return out;
}

void test_round_trip() {
    const TemporaryFolder folder;
    const std::string path = folder.file("model.safetensors");
    std::vector<float> large(300 * 1000);
    std::iota(large.begin(), large.end(), -1000.0f);
    const std::vector<float> special = {1.00390625f, 1.01171875f, -0.0f, 3.4e38f, std::nanf("")};
    SafetensorsWriter writer(path, {{"special", DType::BF16, {5}},
                                    {"é \"quoted\"", DType::F32, {300, 1000}},
                                    {"none", DType::F32, {0, 7}},
                                    {"large", DType::BF16, {300, 1000}}});
    writer.write("special", special.data(), 5);
    for (int64_t done = 0; done < 300000; done += 100000)
        writer.write("é \"quoted\"", large.data() + done, 100000);
    writer.write("large", large.data(), 300000);
    check("nothing is at the path before the end", ::access(path.c_str(), F_OK) != 0);
    writer.finish();
    check("only the finished file remains", folder.names() == Names{"model.safetensors"});
    struct stat status = {};
    ::stat(path.c_str(), &status);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    check("the file has the usual permissions", (status.st_mode & 0777) == (0666 & ~mask));
    const auto source = open_tensor_source(path);
    check("fp32 reads back exactly", values_of(*source, "é \"quoted\"") == large);
    const std::vector<float> read = values_of(*source, "special");
    check("BF16 is rounded to nearest even",
          read[0] == 1.0f && read[1] == 1.015625f && std::signbit(read[2]) &&
              read[3] == std::numeric_limits<float>::infinity() - 0 && std::isnan(read[4]));
    const std::vector<float> rounded = values_of(*source, "large");
    bool near = true;
    for (size_t i = 0; i < large.size(); ++i)
        near &= std::abs(rounded[i] - large[i]) <= std::abs(large[i]) * 0x1p-8f;
    check("BF16 in several pieces is rounded everywhere", near);
    bool aligned = true;
    const std::string bytes = read_bytes(path);
    for (const TensorInfo& tensor : source->tensors()) {
        aligned &=
            reinterpret_cast<uintptr_t>(tensor.data) % static_cast<uintptr_t>(tensor.type->block_bytes) == 0;
    }
    check("every tensor is aligned to its values", aligned);
    check("the metadata says pt", bytes.find("{\"__metadata__\":{\"format\":\"pt\"}") == 8);
}

void test_misuse() {
    const TemporaryFolder folder;
    const std::vector<TensorDeclaration> two = {{"a", DType::F32, {2}}, {"b", DType::F32, {1}}};
    const float values[3] = {1, 2, 3};
    check_error("a tensor out of order is refused", Code::Internal, {"\"a\"", "\"b\""},
                [&] { SafetensorsWriter(folder.file("x"), two).write("b", values, 1); });
    check_error("too many values are refused", Code::Internal, {"at most 2", "got 3"},
                [&] { SafetensorsWriter(folder.file("x"), two).write("a", values, 3); });
    check_error("missing values are refused", Code::Internal, {"1 values of \"b\"", "got 0"}, [&] {
        SafetensorsWriter writer(folder.file("x"), two);
        writer.write("a", values, 2);
        writer.finish();
    });
    check_error("a name declared twice is refused", Code::Internal, {"\"a\" twice"}, [&] {
        SafetensorsWriter(folder.file("x"), {{"a", DType::F32, {1}}, {"a", DType::F32, {1}}});
    });
    check_error("a shape that overflows is refused", Code::Shape, {"\"a\"", "2^63"}, [&] {
        SafetensorsWriter(folder.file("x"), {{"a", DType::F32, {int64_t{1} << 40, int64_t{1} << 40}}});
    });
    check("every refusal leaves the folder empty", folder.names().empty());
}

// Runs `action` while files can't grow beyond `bytes`, which stands for a full disk.
void with_file_limit(int64_t bytes, const std::function<void()>& action) {
    struct rlimit before = {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = static_cast<rlim_t>(bytes);
    ::setrlimit(RLIMIT_FSIZE, &small);
    action();
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
}

void test_failures() {
    const TemporaryFolder folder;
    const std::string path = folder.file("model.safetensors");
    write_bytes(path, "the old file");
    with_file_limit(4096, [&path] {
        check_error("a disk without room is noticed before the first value", Code::Output,
                    {"model.safetensors", "reserve", "File too large"}, [&path] {
                        SafetensorsWriter(path, {{"a", DType::F32, {4096}}});
                    });
        check_error("a write that stops half-way is an error", Code::Output,
                    {"model.safetensors", "write 8000 bytes"},
                    [&path] { write_file_atomically(path, std::string(8000, 'x')); });
    });
    check("a failed write leaves the old file", read_bytes(path) == "the old file");
    check("a failed write leaves no temporary file", folder.names() == Names{"model.safetensors"});
    check_error("a missing folder is named", Code::Output, {"/none/x", "create", "No such file"},
                [&folder] { write_file_atomically(folder.file("none/x"), "x"); });
    ::mkdir(folder.file("taken").c_str(), 0777);
    check_error("a folder in the file's place is an error", Code::Output, {"/taken", "rename", "directory"},
                [&folder] { write_file_atomically(folder.file("taken"), "x"); });
    ::mkdir(folder.file("locked").c_str(), 0555);
    const bool root = ::geteuid() == 0;
    if (root && (::chmod(folder.path().c_str(), 0755) != 0 || ::seteuid(65534) != 0)) return;
    check_error("a folder without permission is an error", Code::Output, {"locked/x", "Permission denied"},
                [&folder] { write_file_atomically(folder.file("locked/x"), "x"); });
    if (root && ::seteuid(0) != 0) check("the rights come back", false);
    write_file_atomically(path, "the new file");
    check("a written file replaces the old one", read_bytes(path) == "the new file");
    check("no failure leaves anything else", folder.names() == Names{"locked", "model.safetensors", "taken"});
}

void write_folder(const std::string& folder, int64_t max_shard_bytes, const std::vector<float>& values) {
    SafetensorsFolderWriter writer(
        folder, {{"a", DType::F32, {100}}, {"b", DType::BF16, {100}}, {"c", DType::F32, {7, 2}}},
        max_shard_bytes);
    writer.write("a", values.data(), 60);
    writer.write("a", values.data() + 60, 40);
    writer.write("b", values.data(), 100);
    writer.write("c", values.data(), 14);
    writer.finish();
}

void test_folders() {
    std::vector<float> values(100);
    std::iota(values.begin(), values.end(), 0.0f);
    const TemporaryFolder one;
    write_folder(one.path(), 1000, values);
    check("weights that fit are one file without an index", one.names() == Names{"model.safetensors"});
    const TemporaryFolder many;
    write_folder(many.path(), 300, values);
    check("large weights are shards with an index",
          many.names() == Names{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                "model.safetensors.index.json"});
    for (const TemporaryFolder* folder : {&one, &many}) {
        const auto source = open_tensor_source(folder->path());
        check("a written folder reads back",
              values_of(*source, "a") == values && values_of(*source, "b") == values &&
                  values_of(*source, "c") == std::vector<float>(values.begin(), values.begin() + 14));
    }
    check_error("shards beside a single file are refused", Code::Output,
                {"model.safetensors", "empty folder"}, [&] { write_folder(one.path(), 300, values); });
    check_error("a single file beside shards is refused", Code::Output, {"index.json", "empty folder"},
                [&] { write_folder(many.path(), 1000, values); });
    const TemporaryFolder blocked;
    ::mkdir(blocked.file("model-00002-of-00002.safetensors").c_str(), 0777);
    check_error("a shard that can't appear is an error", Code::Output, {"model-00002-of-00002"},
                [&] { write_folder(blocked.path(), 300, values); });
    check("then no other shard remains", blocked.names() == Names{"model-00002-of-00002.safetensors"});
}

}  // namespace

void test_safetensors_writer() {
    test_round_trip();
    test_misuse();
    test_failures();
    test_folders();
}

}  // namespace attune::formats_test
