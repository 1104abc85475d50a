// A whole file mapped read-only into memory for as long as the object lives.
// Knows no format. A file that another process shortens while it is mapped is outside what can be caught
// here.
#pragma once

#include <string>

#include "formats/byte_view.h"

namespace attune {

enum class AccessPattern { Sequential, Random };

class MappedFile {
  public:
    // Throws Error(File) with path and reason; an empty file is an error.
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    ByteView bytes() const noexcept { return {data_, size_}; }
    int64_t size() const noexcept { return size_; }
    const std::string& path() const noexcept { return path_; }
    // Tells the kernel how the pages will be read; a hint, so its failure changes nothing.
    void advise(AccessPattern pattern) const noexcept;

  private:
    void unmap() noexcept;

    std::string path_;
    const uint8_t* data_ = nullptr;
    int64_t size_ = 0;
};

}  // namespace attune
