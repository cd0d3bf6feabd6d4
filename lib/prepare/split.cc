// Chooses the validation units and the sizes of blocks.
#include "prepare/split.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "text/text.h"

namespace stagedtrain::data {

SplitChooser::SplitChooser(double fraction, std::uint64_t seed) : fraction_(fraction), seed_(seed) {
  ST_CHECK(fraction > 0 && fraction <= 0.5, "fraction {}", fraction);
}

std::int64_t SplitChooser::group_end() const {
  return std::llround(static_cast<double>(group_ + 1) / fraction_);
}

bool SplitChooser::next_is_validation() {
  const bool first = unit_ == 0;
  if (!first && unit_ == group_end()) ++group_;
  const std::int64_t start =
      group_ == 0 ? 0 : std::llround(static_cast<double>(group_) / fraction_);
  if (unit_ == start) {
    const CounterRng rng(seed_, hash_name("validation split"));
    const auto size = static_cast<std::uint64_t>(group_end() - start);
    chosen_ =
        start + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(group_), size));
  }
  return unit_++ == chosen_;
}

double parse_fraction(std::string_view text) {
  std::string_view number = trim(text);
  const bool percent = number.ends_with('%');
  if (percent) number.remove_suffix(1);
  const auto value = parse_number(trim(number));
  const double fraction = value ? (percent ? *value / 100 : *value) : 0;
  if (!(fraction > 0 && fraction <= 0.5))
    throw usage_error("--validation is '{}', expected a share above 0 and at most 50%", text)
        .with_hint("write 1% or 0.01");
  return fraction;
}

std::size_t block_bytes(std::uint64_t text_bytes, double fraction) {
  const double wanted = static_cast<double>(text_bytes) * fraction / 64;
  return static_cast<std::size_t>(std::clamp(wanted, 1024.0, 65536.0));
}

}  // namespace stagedtrain::data
