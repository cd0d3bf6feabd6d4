// DirectInput reads a file past the page cache, so it returns what the disk holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/file.h"
#include "io/memory_advice.h"

namespace stagedtrain {

// A file that several threads may read at the same time. If the file system refuses O_DIRECT, reads
// go through the page cache.
class DirectInput {
 public:
  // Throws Error(input) if the file cannot be opened.
  explicit DirectInput(const Path& path);
  ~DirectInput();
  DirectInput(const DirectInput&) = delete;
  DirectInput& operator=(const DirectInput&) = delete;

  // The buffer that read() fills. Each thread needs its own.
  class Buffer {
   public:
    explicit Buffer(std::size_t most);  // the size of the longest read, in bytes

   private:
    friend class DirectInput;
    std::size_t size_;
    LargeMemory bytes_;
  };
  // Reads any part of the file up to the buffer's size. The result stays in the buffer until its
  // next read. Throws Error(input) if the file ends earlier or the disk fails.
  std::span<const std::byte> read(std::uint64_t offset, std::size_t size, Buffer& buffer) const;

 private:
  Path path_;
  int fd_ = -1;
};

}  // namespace stagedtrain
