// Describes how one axis of a model grows: the matrices D and S of docs/growth.md, as runs of
// indices.
//
// D (new x old) says how an old activation appears in the larger model, x' = D x. S (old x new)
// says how a reader of the axis splits its weights. A matrix becomes W' = D_out W S_in
// (docs/growth.md, "Two equations").
//
// Invariant: S D = I, which keeps the loss. Maps that merge indices are the exception (coalesce has
// D S = I instead, interpolated positions have neither), and their operators do not promise the
// loss.
//
// D and S are sparse, since nearly every operator copies indices. So a map lists pieces: runs of
// indices with one entry of D (`write`) and one of S (`read`). An axis that grows from 4 to 6 by
// copies in turn has
//     to  from  count  write  read  tile
//      0     0      2      1   1/2     0      old indices 0 and 1, which have a copy below
//      2     2      2      1     1     0      old indices 2 and 3, which have none
//      4     0      2      1   1/2     1      the copies of 0 and 1
// New indices that no piece covers are the rest. `rest` says what is written there, and
// rest_is_read whether readers are random or zero.
//
// Rejected: dense D and S would need two matrix products for each tensor, but copying rows at the
// speed of memory is all that these operators take. Splitting readers unevenly (0.7 and 0.3) as a
// break of the symmetry keeps the loss too, but separates copies ten times more slowly than noise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace stagedtrain::grow {

// New indices [to, to + count) are old indices [from, from + count). `write` is their entry of D,
// by which writers of the axis are multiplied. `read` is their entry of S, by which readers are
// multiplied. `tile` numbers the copies of an old index, from 0.
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
  bool rest_is_read = false;  // readers of the rest are random; otherwise zero
  bool merges = false;        // several old indices become one, so pieces add up
  double copies = 1;          // the mean number of copies of an old index

  bool duplicates() const { return tiles() > 1; }
  std::int64_t tiles() const;  // the most copies that an index has
  // Whether all readers are split alike and there is no rest.
  bool even() const;
};

AxisMap unchanged(std::int64_t size);
// Returns a map in which new unit i is old unit sources[i], or rest if that is negative. A unit is
// `unit` indices. Every old unit must have a copy. Readers are split evenly among copies.
AxisMap map_units(const std::vector<std::int64_t>& sources, std::int64_t old_units,
                  std::int64_t unit = 1);
// Returns which old unit, of old_units, a new one copies. `what` names the units, for random
// choices. The first old_units are themselves.
using UnitChoice =
    std::function<std::int64_t(std::int64_t unit, std::int64_t old_units, const std::string& what)>;
// unit mod old_units.
std::int64_t in_turn(std::int64_t unit, std::int64_t old_units, const std::string& what);
// Each old unit with the same probability (Net2Net, arXiv 1511.05641), a function of the arguments
// and the seed.
UnitChoice at_random(std::int64_t seed);
// Returns the map in which each new index is the old one that `choose` says.
AxisMap chosen(std::int64_t from, std::int64_t to, const UnitChoice& choose,
               const std::string& what);
// Copies old indices in turn: whole copies as long as they fit, then the first ones once more.
AxisMap repeated(std::int64_t from, std::int64_t to);
// Makes at most `tiles` whole copies, followed by a rest.
AxisMap padded(std::int64_t from, std::int64_t to, std::int64_t tiles, Rest rest,
               bool rest_is_read);
// Makes new index i the mean of the old indices i, i + to, i + 2 to, ..., whose readers are added.
// `to` must divide `from`.
AxisMap merged(std::int64_t from, std::int64_t to);
// Enlarges each unit from old_unit to new_unit indices. Its index i becomes i * stride.
AxisMap widened_units(const AxisMap& units, std::int64_t old_unit, std::int64_t new_unit,
                      std::int64_t stride);

// Returns the indices that no piece covers, as runs in order.
struct Run {
  std::int64_t begin = 0, count = 0;
};
std::vector<Run> rest_of(const AxisMap& map);

}  // namespace stagedtrain::grow
