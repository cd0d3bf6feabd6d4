// Writes files. Every write, sync and rename of the project goes through here, so that tests can
// make each of them fail, and so that a file is either complete or absent.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/signals.h"

namespace stagedtrain {

using Path = std::filesystem::path;

enum class FileOperation { open, allocate, write, sync, rename, sync_folder };

// For tests: called before each operation. A non-zero return value is taken as that operation's
// errno. Returns the previous hook. It is called by one thread at a time, and must not be set while
// operations run.
using FileFault = std::function<int(FileOperation, const Path&)>;
FileFault set_file_fault(FileFault fault);

// A file open for writing. Errors are Error(resource) with path, reason and, if the disk is full,
// the bytes that are needed. The destructor closes the file without syncing it.
class OutputFile {
 public:
  enum class Mode { create_new, truncate, existing, append };
  OutputFile(Path path, Mode mode);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const Path& path() const { return path_; }
  int descriptor() const { return fd_; }
  // Reserves disk space for [0, bytes), so that a full disk is found before the work and not after
  // it. Later messages about a full disk say that this many bytes are needed.
  void allocate(std::uint64_t bytes);
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // Writes past the page cache (O_DIRECT), at the disk's own speed. If the file system refuses
  // that, writes through the cache and starts writing back. offset, size and address must be
  // multiples of kDirectUnit. Several threads may call this and write_at at the same time.
  static constexpr std::size_t kDirectUnit = 4096;
  void write_direct(std::uint64_t offset, std::span<const std::byte> bytes);
  void append(std::string_view text);  // makes one write call, so whole lines stay whole
  void truncate(std::uint64_t bytes);
  void sync();
  void close();

 private:
  int direct_descriptor();
  // Writes with one descriptor and returns 0 or errno. Advances offset and bytes past what was
  // written.
  int write_by(int fd, std::uint64_t& offset, std::span<const std::byte>& bytes);

  Path path_;
  int fd_ = -1;
  std::once_flag direct_once_;
  std::atomic<int> direct_fd_ = -1;  // -1 if not opened or refused
  std::uint64_t announced_ = 0;      // the bytes that allocate() reserved
};

// What to do with a file that already has the target's name.
enum class Replace { yes, no };
// With Replace::no, throws Error(usage) if a file of that name exists, even if it appeared a moment
// ago: of several processes that rename to one name, exactly one succeeds.
void rename_file(const Path& from, const Path& to, Replace replace = Replace::yes);
void sync_folder(const Path& folder);
void make_folders(const Path& folder);
// Throws Error(usage) if the path exists and force is false. Even with force it throws if the path
// is not a regular file (a folder, a device, a pipe, a link to one of these or to nothing).
void refuse_overwrite(const Path& path, bool force);

// A file that appears completely or not at all. Write to path(), then call commit(), which syncs
// the file, renames it and syncs the folder. Without commit() the temporary file is removed, even
// if a signal ends the process.
//
// path() is beside the target and has the name TARGET.tmp-RANDOM. It exists and is empty when the
// constructor returns, so open it with Mode::existing. It is locked (flock) for the life of this
// object. By that lock another process distinguishes a file that is being written from what a
// killed process left behind.
class AtomicFile {
 public:
  // First removes what killed processes left of the same target.
  explicit AtomicFile(Path target, Replace replace = Replace::yes);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  const Path& path() const { return temporary_; }
  // Everything written to path() must be closed.
  void commit();

 private:
  Path target_, temporary_;
  Replace replace_;
  std::unique_ptr<OutputFile> held_;
  std::optional<RemovedBySignal> removed_;
  bool committed_ = false;
};
// Writes the whole text as an atomic file. For small files: the text is read back from the disk and
// compared before the file gets its name.
void write_file_atomically(const Path& target, std::string_view text,
                           Replace replace = Replace::yes);
// Removes temporary files of AtomicFile, and folders of AtomicFolder, that no process holds: all
// in this folder, or those of one target. On file systems without locks they stay. Never throws.
void remove_leftovers(const Path& folder);
void remove_leftovers_of(const Path& target);

// A regular file that several threads may read at the same time. Use it for files that others may
// change in the meantime: a shortened file causes an Error here, but ends the process in a
// MappedFile.
class InputFile {
 public:
  // Throws Error(input) if the file cannot be opened or is not a regular file.
  explicit InputFile(Path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  std::uint64_t size() const;
  // Fills the span. Throws Error(input) if the file ends before that or the disk fails.
  void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  Path path_;
  int fd_ = -1;
};

// Returns the whole file as text. Throws Error(input) if it is not a readable regular file or is
// larger than max_bytes.
std::string read_text_file(const Path& path, std::uint64_t max_bytes = std::uint64_t{1} << 33);

// A read-only mapping of a whole regular file, whose pages are loaded when they are touched.
// Move-only. The bytes stay valid for the life of the object. Throws Error(input) if the file
// cannot be opened.
//
// If another process shortens the file or the disk fails, touching a missing page raises SIGBUS,
// and guard_mapped_files() ends the process with exit code 3 and the file's name. So map only what
// a command reads before it has something to lose, and use InputFile otherwise.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Hints to the kernel to read this part of the file ahead.
  void prefetch(std::uint64_t offset, std::uint64_t size) const;
  // Lets the pages that lie entirely in this part leave memory until they are touched again.
  void release(std::uint64_t offset, std::uint64_t size) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};
// Installs the handler of SIGBUS. main calls this once.
void guard_mapped_files();

}  // namespace stagedtrain
