// Implements file.h with POSIX calls, each of which tests can make fail.
#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain {
namespace {

FileFault g_fault;
std::mutex g_fault_mutex;

int injected_fault(FileOperation operation, const Path& path) {
  if (!g_fault) return 0;
  const std::lock_guard lock(g_fault_mutex);
  return g_fault(operation, path);
}

// Returns the errno of the operation, from the test hook or from the call itself, or 0 if it
// succeeded.
template <class Call>
int attempt(FileOperation operation, const Path& path, Call call) {
  if (const int injected = injected_fault(operation, path)) return injected;
  while (call() < 0)
    if (errno != EINTR) return errno;
  return 0;
}

[[noreturn]] void fail(const Path& path, const char* what, int code, std::uint64_t needed = 0) {
  Error error = resource_error("{}: cannot {}: {}", path.string(), what, std::strerror(code));
  if (code == ENOSPC || code == EDQUOT) {
    std::error_code ignored;
    const auto space =
        std::filesystem::space(path.parent_path().empty() ? "." : path.parent_path(), ignored);
    throw error.with_hint(fmt::format(
        "{} needed, {} free in {}; free some space and run the same command again",
        needed ? short_bytes(static_cast<double>(needed)) : std::string("more space is"),
        ignored ? std::string("?") : short_bytes(static_cast<double>(space.available)),
        path.parent_path().empty() ? "." : path.parent_path().string()));
  }
  if (code == EFBIG)
    throw error.with_hint(
        "this process may not write larger files: raise the limit (ulimit -f unlimited), or use a "
        "file system that allows files of this size");
  throw error;
}

int open_flags(OutputFile::Mode mode) {
  switch (mode) {
    case OutputFile::Mode::create_new:
      return O_WRONLY | O_CREAT | O_EXCL;
    case OutputFile::Mode::truncate:
      return O_WRONLY | O_CREAT | O_TRUNC;
    case OutputFile::Mode::existing:
      return O_WRONLY;
    case OutputFile::Mode::append:
      return O_WRONLY | O_CREAT | O_APPEND;
  }
  return O_WRONLY;
}

Error exists_already(const Path& path) {
  return usage_error("{}: exists already", path.string())
      .with_hint("give --force to replace it, or choose another name");
}

// Renames without replacing a file. Some file systems do not support RENAME_NOREPLACE (NFS, exFAT);
// a hard link does not replace a file either. Without hard links, the check and the rename are two
// steps.
int rename_without_replacing(const Path& from, const Path& to) {
  const int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (result == 0 || (errno != EINVAL && errno != ENOSYS)) return result;
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return 0;
  }
  if (errno == EEXIST) return -1;
  struct stat status {};
  if (::lstat(to.c_str(), &status) != 0) return ::rename(from.c_str(), to.c_str());
  errno = EEXIST;
  return -1;
}

}  // namespace

FileFault set_file_fault(FileFault fault) { return std::exchange(g_fault, std::move(fault)); }

OutputFile::OutputFile(Path path, Mode mode) : path_(std::move(path)) {
  const int code = attempt(FileOperation::open, path_, [&] {
    return fd_ = ::open(path_.c_str(), open_flags(mode) | O_CLOEXEC, 0666);
  });
  if (code) fail(path_, "open for writing", code);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (direct_fd_ >= 0) ::close(direct_fd_);
}

void OutputFile::allocate(std::uint64_t bytes) {
  if (bytes == 0) return;
  announced_ = bytes;
  const int code = attempt(FileOperation::allocate, path_,
                           [&] { return ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes)); });
  if (code && code != EOPNOTSUPP && code != ENOSYS) fail(path_, "reserve space", code, bytes);
}

int OutputFile::write_by(int fd, std::uint64_t& offset, std::span<const std::byte>& bytes) {
  while (!bytes.empty()) {
    ssize_t written = 0;
    const int code = attempt(FileOperation::write, path_, [&] {
      return written = ::pwrite(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30),
                                static_cast<off_t>(offset));
    });
    if (code) return code;
    if (written == 0) return ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return 0;
}

void OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  const std::uint64_t needed = announced_ ? announced_ : offset + bytes.size();
  if (const int code = write_by(fd_, offset, bytes)) fail(path_, "write", code, needed);
}

int OutputFile::direct_descriptor() {
  std::call_once(direct_once_,
                 [&] { direct_fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_DIRECT); });
  return direct_fd_;
}

void OutputFile::write_direct(std::uint64_t offset, std::span<const std::byte> bytes) {
  ST_CHECK(offset % kDirectUnit == 0 && bytes.size() % kDirectUnit == 0 &&
               reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectUnit == 0,
           "{} bytes at {}", bytes.size(), offset);
  const std::uint64_t needed = announced_ ? announced_ : offset + bytes.size();
  if (const int fd = direct_descriptor(); fd >= 0) {
    const int code = write_by(fd, offset, bytes);
    // EINVAL means that O_DIRECT was accepted at open, but that this file system has other units or
    // cut a write inside a unit.
    if (code && code != EINVAL) fail(path_, "write", code, needed);
  }
  if (bytes.empty()) return;
  const auto start = static_cast<off_t>(offset), size = static_cast<off_t>(bytes.size());
  write_at(offset, bytes);
  // This only starts writing back. sync() reports whether it succeeded.
  ::sync_file_range(fd_, start, size, SYNC_FILE_RANGE_WRITE);
}

void OutputFile::append(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = 0;
    const int code = attempt(FileOperation::write, path_,
                             [&] { return written = ::write(fd_, text.data(), text.size()); });
    if (code) fail(path_, "write", code, text.size());
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void OutputFile::truncate(std::uint64_t bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
    fail(path_, "set the length of", errno, bytes);
}

void OutputFile::sync() {
  if (const int code = attempt(FileOperation::sync, path_, [&] { return ::fsync(fd_); }))
    fail(path_, "sync", code, announced_);
}

void OutputFile::close() {
  if (const int fd = direct_fd_.exchange(-1); fd >= 0) ::close(fd);
  if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0 && errno != EINTR)
    fail(path_, "close", errno);
}

void rename_file(const Path& from, const Path& to, Replace replace) {
  const int code = attempt(FileOperation::rename, to, [&] {
    return replace == Replace::yes ? ::rename(from.c_str(), to.c_str())
                                   : rename_without_replacing(from, to);
  });
  if (code == EEXIST && replace == Replace::no) throw exists_already(to);
  if (code) fail(to, "rename into place", code);
}

void sync_folder(const Path& folder) {
  const Path place = folder.empty() ? Path(".") : folder;
  const int fd = ::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(place, "open", errno);
  const int code = attempt(FileOperation::sync_folder, place, [&] { return ::fsync(fd); });
  ::close(fd);
  if (code && code != EINVAL) fail(place, "sync", code);
}

void make_folders(const Path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) throw resource_error("{}: cannot make the folder: {}", folder.string(), code.message());
}

void refuse_overwrite(const Path& path, bool force) {
  std::error_code ignored;
  const bool exists = std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
  if (exists && !std::filesystem::is_regular_file(path, ignored))
    throw usage_error("{}: exists and is not a regular file, so it is never replaced",
                      path.string())
        .with_hint("choose another name");
  if (exists && !force) throw exists_already(path);
}

}  // namespace stagedtrain
