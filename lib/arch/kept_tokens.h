// Which tokens of a sequence pass through a layer that drops the others?
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"

namespace stagedtrain::arch {

// Returns `kept` of the positions [0, length) in ascending order. Every set of that size has the
// same probability (selection sampling, Knuth, TAOCP vol. 2, algorithm 3.4.2 S). The result is a
// function of the arguments alone. Requires kept <= length.
inline std::vector<std::int64_t> kept_tokens(std::uint64_t seed, std::int64_t sequence,
                                             std::int64_t layer, std::int64_t length,
                                             std::int64_t kept) {
  const CounterRng draws(mix64(seed) ^ static_cast<std::uint64_t>(layer),
                         static_cast<std::uint64_t>(sequence));
  std::vector<std::int64_t> positions;
  for (std::int64_t t = 0; t < length; ++t) {
    const auto wanted = static_cast<std::uint64_t>(kept) - positions.size();
    if (draws.below(static_cast<std::uint64_t>(t), static_cast<std::uint64_t>(length - t)) < wanted)
      positions.push_back(t);
  }
  return positions;
}

}  // namespace stagedtrain::arch
