// What the numbers of a file without a header look like, judged by a sample of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace stagedtrain::data {

// A file of bare token ids says nothing about their width, and read with the wrong width it still
// gives ids, which train to a loss that looks plausible. But the widths can be told apart: ids are
// far smaller than a 32-bit or 64-bit number can be, so the upper halves of wide ids are zero or
// nearly so, while in a row of 16-bit ids the odd places look like the even ones.
enum class RawWidth { uint16, uint32, int64 };

struct RawSample {
  RawWidth width = RawWidth::uint16;
  bool text = false;   // every byte is one that text has: no token file
  bool noise = false;  // 16-bit ids spread as evenly as random, compressed or encrypted bytes are
  std::int64_t ids = 0, distinct = 0;  // of the sample, read in that width
  std::uint32_t largest = 0;

  // "largest id 50,256 and 12,034 different ids in a sample of 65,536"
  std::string describe() const;
};

// Looks at up to 64 stretches of 8 KiB, spread evenly over the file. A file of under 32 bytes is
// taken for uint16. An odd last byte is not looked at.
RawSample sample_raw(std::span<const std::byte> file);

}  // namespace stagedtrain::data
