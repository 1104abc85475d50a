// A file that appears complete or not at all: written beside its place, synced, then renamed over it.
// Knows no format; POSIX calls and std only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// Errors are Error(Output) with the path, the reason and what was being done. Until publish() has renamed it
// the temporary file is removed by the destructor, so that whatever throws leaves the old file, or none.
class AtomicFile {
  public:
    explicit AtomicFile(std::string path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    const std::string& path() const noexcept { return path_; }
    // Takes the disk space now, where the file system can, so that a full disk is noticed before anything is
    // written.
    void reserve(int64_t bytes);
    void write_at(int64_t offset, const void* data, int64_t bytes);
    // Makes the content durable; nothing can be written afterwards.
    void seal();
    // seal() if that was not done, then the rename, then the folder is synced.
    void publish();

  private:
    [[noreturn]] void fail(std::string_view doing, int error_number) const;
    void close_and_remove() noexcept;

    std::string path_;
    std::string temporary_;
    int file_ = -1;
};

void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace attune
