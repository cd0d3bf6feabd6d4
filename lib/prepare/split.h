// Which parts of a text go into the validation file?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stagedtrain::data {

enum class SplitRule { automatic, document, fraction };

// Decides for one unit after another whether it is for validation. In each group of 1/fraction
// consecutive units exactly one is chosen, at a position drawn from the seed, so the share is exact
// to one unit and the validation units are spread over the whole text.
class SplitChooser {
 public:
  // Requires 0 < fraction <= 0.5.
  SplitChooser(double fraction, std::uint64_t seed);
  bool next_is_validation();

 private:
  std::int64_t group_end() const;
  double fraction_;
  std::uint64_t seed_;
  std::int64_t unit_ = 0, group_ = 0, chosen_ = 0;
};

// Parses "1%" or "0.01" as 0.01. Throws Error(usage) unless the result is above 0 and at most 0.5.
double parse_fraction(std::string_view text);
// Returns the size of the blocks into which SplitRule::fraction cuts a text of this many bytes,
// before each block is extended to the next line end. It aims at 64 validation blocks, within 1 to
// 64 KiB per block.
std::size_t block_bytes(std::uint64_t text_bytes, double fraction);

}  // namespace stagedtrain::data
