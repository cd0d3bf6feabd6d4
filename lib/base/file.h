// The only door to the disk: every write, sync and rename of the project passes here, so that tests
// can make each of them fail, and so that a file is either whole or not there.
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

// For tests: called before each operation; a non-zero return is taken as that operation's errno.
// Returns the previous hook. Called by one thread at a time; not to be set while operations run.
using FileFault = std::function<int(FileOperation, const Path&)>;
FileFault set_file_fault(FileFault fault);

// A file open for writing. Errors throw Error(resource) with path, reason and, where the disk is
// full, the bytes that were needed. Closed (not synced) by the destructor.
class OutputFile {
 public:
  enum class Mode { create_new, truncate, existing, append };
  OutputFile(Path path, Mode mode);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const Path& path() const { return path_; }
  int descriptor() const { return fd_; }
  // Reserves disk space for [0, bytes), so that a full disk is met before the work, not after.
  // From then on every message about a full disk says that so many bytes are needed.
  void allocate(std::uint64_t bytes);
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // The same past the page cache (O_DIRECT), at the disk's own speed; where the file system refuses
  // that, through the cache with writing back begun at once. Requires that offset, size and address
  // are multiples of kDirectUnit. May be called from several threads at a time, as write_at may.
  static constexpr std::size_t kDirectUnit = 4096;
  void write_direct(std::uint64_t offset, std::span<const std::byte> bytes);
  void append(std::string_view text);  // one write call: whole lines stay whole
  void truncate(std::uint64_t bytes);
  void sync();
  void close();

 private:
  int direct_descriptor();
  // Writes by one descriptor until done; 0 or errno. What was written is taken off bytes.
  int write_by(int fd, std::uint64_t& offset, std::span<const std::byte>& bytes);

  Path path_;
  int fd_ = -1;
  std::once_flag direct_once_;
  std::atomic<int> direct_fd_ = -1;  // -1: not opened, or refused
  std::uint64_t announced_ = 0;      // what allocate() was asked for
};

// What happens to a file that already has the target's name.
enum class Replace { yes, no };
// With Replace::no, throws Error(usage) if a file of that name exists, even if it appeared a moment
// ago: of several processes that rename to one name, exactly one succeeds.
void rename_file(const Path& from, const Path& to, Replace replace = Replace::yes);
void sync_folder(const Path& folder);
void make_folders(const Path& folder);
// Throws Error(usage) if the path exists and force is false, and always if it is anything but a
// regular file (a folder, a device, a pipe, a link that leads to one or nowhere).
void refuse_overwrite(const Path& path, bool force);

// A file that appears whole or not at all: write to path(), then commit(): sync, rename, sync the
// folder. Without commit the temporary file is removed, also when a signal ends the process.
//
// path() is beside the target and called TARGET.tmp-RANDOM. It exists and is empty when the
// constructor returns, so it is opened with Mode::existing. It is locked (flock) for the life of
// this object, which is how another process tells one that is being written from what a killed
// process left behind.
class AtomicFile {
 public:
  // Removes what killed processes left of the same target first.
  explicit AtomicFile(Path target, Replace replace = Replace::yes);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  const Path& path() const { return temporary_; }
  // Requires that everything written to path() is closed.
  void commit();

 private:
  Path target_, temporary_;
  Replace replace_;
  std::unique_ptr<OutputFile> held_;
  std::optional<RemovedBySignal> removed_;
  bool committed_ = false;
};
// The whole text as a file, atomically. For small files: what the disk gives back is compared with
// the text before the file takes its name.
void write_file_atomically(const Path& target, std::string_view text,
                           Replace replace = Replace::yes);
// Removes temporary files of AtomicFile that no process holds any more: all in the folder, or those
// of one target. Where the file system has no locks they stay. Never throws.
void remove_leftovers(const Path& folder);
void remove_leftovers_of(const Path& target);

// A regular file open for reading by several threads at a time. For files that others may change
// meanwhile: one that was shortened is an Error, where a MappedFile ends the process.
class InputFile {
 public:
  // Throws Error(input) if it cannot be opened or is not a regular file.
  explicit InputFile(Path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  std::uint64_t size() const;
  // Fills the span. Throws Error(input) if the file ends before or the disk fails.
  void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  Path path_;
  int fd_ = -1;
};

// The whole file as text. Throws Error(input) if it is not a readable regular file, or is larger
// than max_bytes.
std::string read_text_file(const Path& path, std::uint64_t max_bytes = std::uint64_t{1} << 33);

// A read-only view of a whole regular file; pages are loaded as they are touched. Move-only. The
// bytes stay valid for the life of the object. Throws Error(input) if it cannot be opened.
//
// If another process shortens the file, or the disk fails, the touch of a page that is gone raises
// SIGBUS, and guard_mapped_files() ends the process with exit code 3 and the file's name. So map
// only what a command reads before it has something to lose; else use InputFile.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Has the kernel read this part of the file ahead. Only a hint.
  void prefetch(std::uint64_t offset, std::uint64_t size) const;
  // Lets the pages that lie wholly in this part leave memory until they are touched again.
  void release(std::uint64_t offset, std::uint64_t size) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};
// Installs the handler of SIGBUS. Call once, from main.
void guard_mapped_files();

}  // namespace stagedtrain
