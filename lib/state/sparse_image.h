// A file of which only the written bytes are kept: HDF5 lays checkpoints of any size out in it.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>

namespace stagedtrain::state {

// Memory is a page for each page written to, however large the file is said to be.
class SparseImage {
 public:
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  // Bytes never written read as zero.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  // The end of the file: the furthest byte written, or what set_size made it.
  std::uint64_t size() const { return size_; }
  void set_size(std::uint64_t size) { size_ = size; }
  // Every unbroken run of written bytes, in order; nothing between the runs was ever written.
  void for_each_run(
      const std::function<void(std::uint64_t, std::span<const std::byte>)>& use) const;

 private:
  static constexpr std::uint64_t kPage = 4096;
  struct Page {
    std::array<std::byte, kPage> bytes{};
    std::bitset<kPage> written;
  };
  std::map<std::uint64_t, Page> pages_;
  std::uint64_t size_ = 0;
};

}  // namespace stagedtrain::state
