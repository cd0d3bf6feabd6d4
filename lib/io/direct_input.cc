// Reads parts of a file past the page cache, as whole units of the disk around what was requested.
#include "io/direct_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/unit_buffer.h"

namespace stagedtrain {

DirectInput::Buffer::Buffer(std::size_t most)
    : size_(up_to_unit(most) + OutputFile::kDirectUnit), bytes_(large_memory(size_)) {}

DirectInput::DirectInput(const Path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd_ < 0) fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw input_error("{}: cannot read: {}", path.string(), std::strerror(errno));
}

DirectInput::~DirectInput() { ::close(fd_); }

std::span<const std::byte> DirectInput::read(std::uint64_t offset, std::size_t size,
                                             Buffer& buffer) const {
  const std::uint64_t start = down_to_unit(offset), before = offset - start;
  const std::size_t wanted = up_to_unit(before + size);
  ST_CHECK(wanted <= buffer.size_, "{} bytes into a buffer of {}", wanted, buffer.size_);
  std::size_t done = 0;
  while (done < before + size) {
    const ssize_t got =
        ::pread(fd_, buffer.bytes_.get() + done, wanted - done, static_cast<off_t>(start + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw input_error("{}: cannot read: {}", path_.string(), std::strerror(errno));
    if (got == 0) throw input_error("{}: ends before byte {}", path_.string(), offset + size);
    done += static_cast<std::size_t>(got);
  }
  return {buffer.bytes_.get() + before, size};
}

}  // namespace stagedtrain
