// How does one axis of a model grow? The matrices D and S of docs/growth.md, stored as runs of
// indices.
//
// D (new x old) maps an old activation x to the one in the larger model, x' = D x. S (old x new)
// splits the weights of a reader of the axis among its new inputs. For a matrix W that means
//   W' = D_out W S_in        (docs/growth.md, "Two equations")
//
// D and S are sparse, because nearly every operator copies indices. So a map lists pieces: runs of
// indices that share one entry of D (`write`) and one of S (`read`). An axis that grows from 4 to 6
// indices by copies in turn has these pieces:
//     to  from  count  write  read  tile
//      0     0      2      1   1/2     0      old indices 0 and 1, which also have copies
//      2     2      2      1     1     0      old indices 2 and 3, which have none
//      4     0      2      1   1/2     1      the copies of 0 and 1
// New indices that no piece covers are the rest. `rest` is what writers write there; rest_is_read
// selects whether readers have random weights there or zeros.
//
// Invariant: the pieces satisfy S D = I, so readers compute the old sum, W' x' = D_out W x. Where
// the loss is promised, the rest adds nothing to it: its readers' weights, the outputs of norms
// there, or the mask of the operator `mask` are zero. On the residual axis, old indices must also
// have equally many copies or be padded, because norms weigh all indices alike. Three kinds of maps
// satisfy something else, and their operators do not promise the loss: `merged` has D S = I;
// `context` uses interpolated positions, which have neither, and tiled ones with `read` = 1,
// because a position is looked up and no reader sums over positions.
//
// Rejected: dense matrices D and S with two matrix products for each tensor, because copying rows
// at memory bandwidth is all that these operators need. Splitting readers unevenly (0.7 and 0.3) to
// break the symmetry keeps the loss too, but copies then separate ten times more slowly than with
// noise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace stagedtrain::grow {

// New indices [to, to + count) come from old indices [from, from + count). `write`, an entry of D,
// multiplies what writers of the axis write there. `read`, an entry of S, multiplies the weights of
// readers. `tile` numbers the copies of an old index from 0. In a map that merges, it numbers the
// old indices that a new one is the sum of.
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
  bool rest_is_read = false;  // readers of the rest have random weights; otherwise zeros
  bool merges = false;        // new indices are sums over pieces with different tiles
  double copies = 1;          // the mean number of copies of an old index; to / from if it merges

  bool duplicates() const { return tiles() > 1; }
  std::int64_t tiles() const;  // the largest number of copies of an index
  // Returns whether there is no rest and all pieces have the same `read`.
  bool even() const;
};

// Returns the map of an axis that does not grow.
AxisMap unchanged(std::int64_t size);
// Returns the map in which new unit i is a copy of old unit sources[i], or rest if that is
// negative. A unit consists of `unit` indices. Readers are split evenly among copies. Requires a
// copy of every old unit.
AxisMap map_units(const std::vector<std::int64_t>& sources, std::int64_t old_units,
                  std::int64_t unit = 1);
// Returns the old unit, below old_units, that new unit `unit` copies; `unit` itself if it is below
// old_units. `what` names the kind of unit, so that random choices differ between axes.
using UnitChoice =
    std::function<std::int64_t(std::int64_t unit, std::int64_t old_units, const std::string& what)>;
// Returns unit mod old_units.
std::int64_t in_turn(std::int64_t unit, std::int64_t old_units, const std::string& what);
// Returns a choice of each old unit with the same probability (Net2Net, arXiv 1511.05641), which is
// a pure function of its arguments and the seed.
UnitChoice at_random(std::int64_t seed);
// Returns the map in which each new index is a copy of the old one that `choose` returns.
AxisMap chosen(std::int64_t from, std::int64_t to, const UnitChoice& choose,
               const std::string& what);
// Returns the map that copies old indices in turn: whole copies as long as they fit, then a copy of
// the first indices.
AxisMap repeated(std::int64_t from, std::int64_t to);
// Returns the map of as many whole copies as fit, at most `tiles`, followed by a rest.
AxisMap padded(std::int64_t from, std::int64_t to, std::int64_t tiles, Rest rest,
               bool rest_is_read);
// Returns the map in which new index i is the mean of the old indices i, i + to, i + 2 to, ..., and
// the weights of their readers are added up. Requires that `to` divides `from`.
AxisMap merged(std::int64_t from, std::int64_t to);
// Returns the map of indices that belongs to a map of units, when each unit grows from old_unit to
// new_unit indices. Index i of an old unit becomes index i * stride of the new one.
AxisMap widened_units(const AxisMap& units, std::int64_t old_unit, std::int64_t new_unit,
                      std::int64_t stride);

// The indices [begin, begin + count).
struct Run {
  std::int64_t begin = 0, count = 0;
};
// Returns the new indices that no piece covers, in ascending order.
std::vector<Run> rest_of(const AxisMap& map);

}  // namespace stagedtrain::grow
