// Maps files read-only with POSIX calls. Knows no format.
#include "formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/error.h"
#include "formats/system_text.h"

namespace attune {

MappedFile::MappedFile(const std::string& path) : path_(path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) raise(Code::File, "Cannot open ", path, ": ", system_text(errno), ".");
    struct stat status = {};
    const int stat_error = ::fstat(file, &status) == 0 ? 0 : errno;
    const bool regular = stat_error == 0 && S_ISREG(status.st_mode);
    size_ = regular ? static_cast<int64_t>(status.st_size) : 0;
    void* mapped = MAP_FAILED;
    int map_error = 0;
    if (size_ > 0) {
        mapped = ::mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_PRIVATE, file, 0);
        if (mapped == MAP_FAILED) map_error = errno;
    }
    ::close(file);
    if (stat_error != 0) raise(Code::File, "Cannot read ", path, ": ", system_text(stat_error), ".");
    require(regular, Code::File, "Expected ", path, " to be a file but it is a folder or a device.");
    require(size_ > 0, Code::File, path, " is empty (0 bytes). Download or write it again.");
    if (mapped == MAP_FAILED) {
        raise(Code::File, "Cannot map ", path, " (", size_, " bytes): ", system_text(map_error), ".");
    }
    data_ = static_cast<const uint8_t*>(mapped);
}

MappedFile::~MappedFile() {
    unmap();
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    if (this != &other) {
        unmap();
        path_ = std::move(other.path_);
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

void MappedFile::unmap() noexcept {
    if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), static_cast<size_t>(size_));
    data_ = nullptr;
}

void MappedFile::advise(AccessPattern pattern) const noexcept {
    const int advice = pattern == AccessPattern::Sequential ? MADV_SEQUENTIAL : MADV_RANDOM;
    ::madvise(const_cast<uint8_t*>(data_), static_cast<size_t>(size_), advice);
}

}  // namespace attune
