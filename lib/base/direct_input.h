// Reading a file past the page cache: what the disk holds, at the disk's own speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/file.h"
#include "base/memory_advice.h"

namespace stagedtrain {

// A file open for reading by several threads at a time. Where the file system refuses O_DIRECT it
// reads through the cache.
class DirectInput {
 public:
  // Throws Error(input) if the file cannot be opened.
  explicit DirectInput(const Path& path);
  ~DirectInput();
  DirectInput(const DirectInput&) = delete;
  DirectInput& operator=(const DirectInput&) = delete;

  // Where read() puts what it reads; one for each thread.
  class Room {
   public:
    explicit Room(std::size_t most);  // bytes of the longest read

   private:
    friend class DirectInput;
    std::size_t size_;
    LargeMemory bytes_;
  };
  // Any place, any size up to the room's; the bytes stay in the room until its next read. Throws
  // Error(input) if the file ends before, or the disk fails.
  std::span<const std::byte> read(std::uint64_t offset, std::size_t size, Room& room) const;

 private:
  Path path_;
  int fd_ = -1;
};

}  // namespace stagedtrain
