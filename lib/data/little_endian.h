// How are integers read from and written to files? Little endian, at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace stagedtrain::data {

static_assert(std::endian::native == std::endian::little, "token files are mapped as they are");

// Reads a T at byte `offset`. Requires offset + sizeof(T) <= bytes.size().
template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

}  // namespace stagedtrain::data
