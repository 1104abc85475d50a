// Lays out and streams one safetensors file. Reading is safetensors.cpp.
#include "formats/safetensors_writer.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "formats/byte_view.h"
#include "formats/json.h"
#include "formats/tensor_source.h"

namespace attune {

namespace {

constexpr int64_t rounding_piece = 1 << 16;  // values converted at once

const char* file_type(DType dtype) noexcept {
    return dtype == DType::F32 ? "F32" : "BF16";
}

void check_names(const std::vector<TensorDeclaration>& tensors, const std::string& path) {
    std::unordered_set<std::string_view> names;
    for (const TensorDeclaration& tensor : tensors) {
        const bool usable = !tensor.name.empty() && tensor.name != "__metadata__";
        require(usable, Code::Internal, path, ": expected a tensor name but got ", quoted(tensor.name), ".");
        require(names.insert(tensor.name).second, Code::Internal, path,
                ": expected every tensor once but got ", quoted(tensor.name), " twice.");
    }
}

}  // namespace

int64_t declared_bytes(const TensorDeclaration& tensor) {
    int64_t bytes = dtype_size(tensor.dtype);
    for (const int64_t size : tensor.shape) {
        if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) {
            raise(Code::Shape, "tensor ", quoted(tensor.name),
                  ": expected a shape of fewer than 2^63 bytes but got ", shape_text(tensor.shape), ".");
        }
    }
    return bytes;
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorDeclaration> tensors,
                                     SafetensorsMetadata metadata)
    : file_(path), tensors_(std::move(tensors)) {
    check_names(tensors_, path);
    const std::string header = lay_out(metadata);
    const auto length = static_cast<uint64_t>(header.size());
    data_start_ = static_cast<int64_t>(sizeof length + header.size());
    file_.reserve(data_start_ + data_bytes_);
    file_.write_at(0, &length, sizeof length);
    file_.write_at(sizeof length, header.data(), static_cast<int64_t>(header.size()));
    skip_full_tensors();
}

// Gives every tensor its offset and returns the header. F32 lies before BF16, so that every tensor is aligned
// to its value size, whatever order they are declared and written in.
std::string SafetensorsWriter::lay_out(const SafetensorsMetadata& metadata) {
    std::string header = "{\"__metadata__\":{";
    for (size_t i = 0; i < metadata.size(); ++i) {
        if (i > 0) header += ',';
        header += json_quoted(metadata[i].first);
        header += ':';
        header += json_quoted(metadata[i].second);
    }
    header += "}";
    offsets_.assign(tensors_.size(), 0);
    for (const DType dtype : {DType::F32, DType::BF16}) {
        for (size_t i = 0; i < tensors_.size(); ++i) {
            if (tensors_[i].dtype != dtype) continue;
            offsets_[i] = data_bytes_;
            const bool overflow =
                __builtin_add_overflow(data_bytes_, declared_bytes(tensors_[i]), &data_bytes_);
            require(!overflow, Code::Shape, file_.path(),
                    ": expected fewer than 2^63 bytes of tensors but got more.");
            header += ',';
            header += json_quoted(tensors_[i].name) + ":{\"dtype\":\"" + file_type(dtype) +
                      "\",\"shape\":" + shape_text(tensors_[i].shape) + ",\"data_offsets\":[" +
                      std::to_string(offsets_[i]) + "," + std::to_string(data_bytes_) + "]}";
        }
    }
    header += "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    return header;
}

int64_t SafetensorsWriter::value_count(size_t tensor) const noexcept {
    int64_t count = 1;
    for (const int64_t size : tensors_[tensor].shape) count *= size;
    return count;
}

void SafetensorsWriter::skip_full_tensors() noexcept {
    while (current_ < tensors_.size() && written_ == value_count(current_)) {
        ++current_;
        written_ = 0;
    }
}

void SafetensorsWriter::write(std::string_view name, const float* values, int64_t count) {
    require(current_ < tensors_.size(), Code::Internal, file_.path(), ": expected no more tensors but got ",
            quoted(name), ".");
    const TensorDeclaration& tensor = tensors_[current_];
    require(name == tensor.name, Code::Internal, file_.path(), ": expected values of ", quoted(tensor.name),
            " next but got ", quoted(name), ".");
    const int64_t missing = value_count(current_) - written_;
    require(count >= 0 && count <= missing, Code::Internal, file_.path(), ": expected at most ", missing,
            " more values of ", quoted(tensor.name), " but got ", count, ".");
    const int64_t start = data_start_ + offsets_[current_] + written_ * dtype_size(tensor.dtype);
    if (tensor.dtype == DType::F32) {
        file_.write_at(start, values, count * dtype_size(DType::F32));
    } else {
        rounded_.resize(static_cast<size_t>(std::min(count, rounding_piece)));
        for (int64_t done = 0; done < count;) {
            const int64_t piece = std::min(count - done, rounding_piece);
            for (int64_t i = 0; i < piece; ++i)
                rounded_[static_cast<size_t>(i)] = float_to_bf16(values[done + i]);
            const int64_t size = dtype_size(DType::BF16);
            file_.write_at(start + done * size, rounded_.data(), piece * size);
            done += piece;
        }
    }
    written_ += count;
    skip_full_tensors();
}

void SafetensorsWriter::seal() {
    if (current_ < tensors_.size()) {
        raise(Code::Internal, file_.path(), ": expected ", value_count(current_), " values of ",
              quoted(tensors_[current_].name), " before the end but got ", written_, ".");
    }
    file_.seal();
}

void SafetensorsWriter::publish() {
    seal();
    file_.publish();
}

}  // namespace attune
