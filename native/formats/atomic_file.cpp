// Temporary file, fsync, rename, fsync of the folder. Knows no format.
#include "formats/atomic_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/error.h"
#include "formats/system_text.h"

namespace attune {

namespace {

std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// The name says who wrote it, in case a killed process leaves one behind.
std::string temporary_name(const std::string& path, int attempt) {
    return path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
    constexpr int attempts = 1000;
    for (int attempt = 0; attempt < attempts && file_ < 0; ++attempt) {
        temporary_ = temporary_name(path_, attempt);
        file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file_ < 0 && errno != EEXIST) break;
    }
    if (file_ < 0) {
        const int reason = errno;
        temporary_.clear();
        fail("create a file in its folder", reason);
    }
}

AtomicFile::~AtomicFile() {
    close_and_remove();
}

void AtomicFile::close_and_remove() noexcept {
    if (file_ >= 0) ::close(file_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    file_ = -1;
    temporary_.clear();
}

void AtomicFile::fail(std::string_view doing, int error_number) const {
    std::string space;
    struct statvfs disk = {};
    if ((error_number == ENOSPC || error_number == EDQUOT) &&
        ::statvfs(folder_of(path_).c_str(), &disk) == 0) {
        const uint64_t free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
        space = " (" + std::to_string(free_bytes) + " bytes are free)";
    }
    raise(Code::Output, "Cannot write ", path_, ": failed to ", doing, ": ", system_text(error_number), space,
          ". Nothing was left behind; choose another output or make room.");
}

void AtomicFile::reserve(int64_t bytes) {
#if defined(__linux__)
    if (bytes <= 0 || ::fallocate(file_, 0, 0, bytes) == 0) return;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) {
        fail("reserve " + std::to_string(bytes) + " bytes", errno);
    }
#else
    (void)bytes;
#endif
}

void AtomicFile::write_at(int64_t offset, const void* data, int64_t bytes) {
    require(file_ >= 0, Code::Internal, "Cannot write ", path_, ": it was sealed already.");
    constexpr int64_t most_at_once = int64_t{1} << 30;  // Linux writes less than 2^31 bytes per call
    const char* from = static_cast<const char*>(data);
    for (int64_t done = 0; done < bytes;) {
        const auto now = static_cast<size_t>(std::min(bytes - done, most_at_once));
        const ssize_t written = ::pwrite(file_, from + done, now, static_cast<off_t>(offset + done));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            const int reason = written < 0 ? errno : ENOSPC;
            fail("write " + std::to_string(bytes) + " bytes at " + std::to_string(offset), reason);
        }
        done += written;
    }
}

void AtomicFile::seal() {
    if (file_ < 0) return;
    if (::fsync(file_) != 0) fail("sync it to the disk", errno);
    const int file = file_;
    file_ = -1;
    if (::close(file) != 0) fail("close it", errno);
}

void AtomicFile::publish() {
    seal();
    require(!temporary_.empty(), Code::Internal, "Cannot write ", path_, ": it was published already.");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the finished file to it", errno);
    temporary_.clear();
    const std::string folder = folder_of(path_);
    const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // A folder that can be written but not read (or a file system that can't sync one) keeps the rename
    // undurable for some seconds; the file itself is complete, so this is no failure.
    if (handle < 0) return;
    ::fsync(handle);
    ::close(handle);
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
    AtomicFile file(path);
    file.write_at(0, bytes.data(), static_cast<int64_t>(bytes.size()));
    file.publish();
}

}  // namespace attune
