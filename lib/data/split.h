// Which parts of a text go to the validation file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stagedtrain::data {

enum class SplitRule { automatic, document, fraction };

// Says unit by unit, in order, whether it is for validation: of each 1/fraction consecutive units
// one, at a place that the seed chooses. So the share is exact to one unit, and spread over the
// text.
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

// "1%" or "0.01" -> 0.01. Throws Error(usage) unless it is above 0 and at most 50%.
double parse_fraction(std::string_view text);
// Size of the blocks that a text of this many bytes is cut into for SplitRule::fraction, before
// each is stretched to the next line end: small enough that validation comes from 64 places, within
// 1 to 64 KiB.
std::size_t block_bytes(std::uint64_t text_bytes, double fraction);

}  // namespace stagedtrain::data
