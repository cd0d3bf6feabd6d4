// How one axis of a model grows: the pair of matrices (D, S) of docs/growth.md, as runs of indices.
#pragma once

#include <cstdint>
#include <vector>

namespace stagedtrain::grow {

// New indices [to, to + count) are old indices [from, from + count). `write` is their entry of D:
// what a writer of the axis is multiplied by; `read` that of S: what a reader is multiplied by.
// tile counts the copies of an old index, from 0.
struct Piece {
  std::int64_t to = 0, from = 0, count = 0;
  double write = 1, read = 1;
  std::int64_t tile = 0;
  bool operator==(const Piece&) const = default;
};

// What is written to new indices that no piece covers.
enum class Rest { zero, mean, random };

struct AxisMap {
  std::int64_t from = 0, to = 0;
  std::vector<Piece> pieces;
  Rest rest = Rest::zero;
  bool rest_is_read = false;  // readers of the rest are random, else zero
  bool merges = false;        // several old indices become one: pieces add up
  double copies = 1;          // of an index, where all have as many; the mean otherwise

  bool duplicates() const { return tiles() > 1; }
  std::int64_t tiles() const;  // the most copies of an index
  // Every index has as many copies, and there is no rest.
  bool even() const;
};

AxisMap unchanged(std::int64_t size);
// New unit i is old unit sources[i], or rest where that is negative; a unit is `unit` indices.
// Every old unit must have a copy. Readers are split evenly among copies.
AxisMap map_units(const std::vector<std::int64_t>& sources, std::int64_t old_units,
                  std::int64_t unit = 1);
// As many whole copies as fit, then the first indices once more: new i is old i mod `from`.
AxisMap repeated(std::int64_t from, std::int64_t to, std::int64_t unit = 1);
// At most `tiles` whole copies, and a rest.
AxisMap padded(std::int64_t from, std::int64_t to, std::int64_t tiles, Rest rest,
               bool rest_is_read);
// New index i is the mean of the old i, i + to, i + 2 to, ...; readers add up. Requires that `to`
// divides `from`.
AxisMap merged(std::int64_t from, std::int64_t to);
// Each unit, of old_unit indices, becomes one of new_unit: its index i becomes i * stride.
AxisMap widened_units(const AxisMap& units, std::int64_t old_unit, std::int64_t new_unit,
                      std::int64_t stride);

// The indices that no piece covers, as runs in order.
struct Run {
  std::int64_t begin = 0, count = 0;
};
std::vector<Run> rest_of(const AxisMap& map);

}  // namespace stagedtrain::grow
