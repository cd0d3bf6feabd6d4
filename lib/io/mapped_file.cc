// Reads whole files, as a mapping or as text.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "io/file.h"
#include "io/memory_advice.h"
#include "text/text.h"

namespace stagedtrain {
namespace {

// The mappings that the SIGBUS handler can name. A file that finds no place here is still read, but
// the message about it has no name.
struct Mapping {
  std::atomic<const std::byte*> data{nullptr};
  std::size_t size = 0;
  std::array<char, 1024> name{};
};
std::array<Mapping, 64> g_mappings;

void enlist(const std::byte* data, std::size_t size, const Path& path) {
  static const std::byte kTaken{};
  for (Mapping& mapping : g_mappings) {
    const std::byte* free = nullptr;
    if (!mapping.data.compare_exchange_strong(free, &kTaken)) continue;
    mapping.size = size;
    const std::string& name = path.native();
    const std::size_t length = std::min(name.size(), mapping.name.size() - 1);
    std::copy_n(name.begin(), length, mapping.name.begin());
    mapping.name[length] = '\0';
    mapping.data = data;
    return;
  }
}

void strike_off(const std::byte* data) {
  for (Mapping& mapping : g_mappings) {
    const std::byte* expected = data;
    if (mapping.data.compare_exchange_strong(expected, nullptr)) return;
  }
}

// Ends the process because a page of a mapped file is missing: the file was shortened, or the disk
// cannot read it. Makes only calls that POSIX allows in a signal handler.
void on_bus_error(int, siginfo_t* info, void*) {
  const auto* place = static_cast<const std::byte*>(info->si_addr);
  for (const Mapping& mapping : g_mappings) {
    const std::byte* data = mapping.data;
    if (!data || place < data || place >= data + mapping.size) continue;
    say_and_leave({"stagedtrain: ", mapping.name.data(),
                   ": can no longer be read: it was shortened, or the disk failed, while it was in "
                   "use\n  restore the whole file, then run the same command again\n"},
                  static_cast<int>(ErrorKind::input));
  }
  ::signal(SIGBUS, SIG_DFL);  // not a mapped file: the fault recurs and ends the process
}

// Having too few descriptors or too little memory is not a fault of the file.
Error read_failure(const Path& path, const char* what, int code) {
  const bool resource = code == EMFILE || code == ENFILE || code == ENOMEM || code == EAGAIN;
  return make_error(resource ? ErrorKind::resource : ErrorKind::input, "{}: cannot {}: {}",
                    path.string(), what, std::strerror(code));
}

struct OpenFile {
  int fd = -1;
  std::uint64_t size = 0;
};

OpenFile open_regular(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw read_failure(path, "read", errno);
  struct stat status {};
  const int code = ::fstat(fd, &status) == 0 ? 0 : errno;
  if (code != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    if (code != 0) throw read_failure(path, "read", code);
    throw input_error("{}: cannot read: not a regular file", path.string());
  }
  return {fd, static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace

void guard_mapped_files() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

InputFile::InputFile(Path path) : path_(std::move(path)), fd_(open_regular(path_).fd) {}
InputFile::~InputFile() { ::close(fd_); }

std::uint64_t InputFile::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) throw read_failure(path_, "read", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw read_failure(path_, "read", errno);
    if (got == 0)
      throw input_error(
          "{}: has {} bytes, expected at least {}: it was shortened while it was in use",
          path_.string(), size(), offset + bytes.size())
          .with_hint("restore the whole file, then run the same command again");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string read_text_file(const Path& path, std::uint64_t max_bytes) {
  const InputFile file(path);
  const std::uint64_t size = file.size();
  if (size > max_bytes)
    throw input_error("{}: is {}, expected at most {}", path.string(),
                      short_bytes(static_cast<double>(size)),
                      short_bytes(static_cast<double>(max_bytes)));
  std::string text(size, '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

MappedFile::MappedFile(const Path& path) {
  const auto [fd, size] = open_regular(path);
  size_ = static_cast<std::size_t>(size);
  void* place = size_ ? ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
  const int code = errno;
  ::close(fd);
  if (place == MAP_FAILED) throw read_failure(path, "map", code);
  data_ = static_cast<const std::byte*>(place);
  if (data_) enlist(data_, size_, path);
}

MappedFile::~MappedFile() {
  if (!data_) return;
  strike_off(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::prefetch(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t start = offset / kPage * kPage,
                      end = std::min<std::uint64_t>(offset + size, size_);
  if (start < end) ::madvise(const_cast<std::byte*>(data_) + start, end - start, MADV_WILLNEED);
}

void MappedFile::release(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t start = (offset + kPage - 1) / kPage * kPage,
                      end = std::min<std::uint64_t>(offset + size, size_) / kPage * kPage;
  if (start < end) ::madvise(const_cast<std::byte*>(data_) + start, end - start, MADV_DONTNEED);
}

}  // namespace stagedtrain
