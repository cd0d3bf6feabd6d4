// How wide are the token ids of a file without a header, judged by a sample of the file?
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace stagedtrain::data {

// A file of raw token ids does not say how wide they are, and reading it with the wrong width still
// yields ids, which train to a plausible loss. The widths can be told apart: ids are far smaller
// than the maximum of a 32-bit or 64-bit number, so the upper halves of wide ids are (nearly) zero,
// whereas in a sequence of 16-bit ids all places have similar statistics.
enum class RawWidth { uint16, uint32, int64 };

struct RawSample {
  RawWidth width = RawWidth::uint16;
  bool text = false;  // every byte is one that occurs in text: not a token file
  // The 16-bit ids are as uniform as random, compressed or encrypted bytes.
  bool noise = false;
  std::int64_t ids = 0, distinct = 0;  // counts in the sample, read with this width
  std::uint32_t largest = 0;

  // Returns, for instance, "largest id 50,256 and 12,034 different ids in a sample of 65,536".
  std::string describe() const;
};

// Samples up to 64 ranges of 8 KiB, spread evenly over the file. A file below 32 bytes is assumed
// to be uint16. An odd last byte is ignored.
RawSample sample_raw(std::span<const std::byte> file);

}  // namespace stagedtrain::data
