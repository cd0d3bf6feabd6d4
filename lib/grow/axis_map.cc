// Builds the maps of axes: copies, padding, means and larger units.
#include "grow/axis_map.h"

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::grow {
namespace {

// Adds `next` to the last piece if it continues that piece; otherwise adds it as a new piece.
void append(std::vector<Piece>& pieces, const Piece& next) {
  if (!pieces.empty()) {
    Piece& last = pieces.back();
    const bool goes_on = last.to + last.count == next.to && last.from + last.count == next.from &&
                         last.tile == next.tile && last.read == next.read &&
                         last.write == next.write;
    if (goes_on) {
      last.count += next.count;
      return;
    }
  }
  pieces.push_back(next);
}

}  // namespace

std::int64_t AxisMap::tiles() const {
  std::int64_t most = 0;
  for (const Piece& piece : pieces) most = std::max(most, piece.tile + 1);
  return most;
}

bool AxisMap::even() const {
  return rest_of(*this).empty() &&
         std::all_of(pieces.begin(), pieces.end(),
                     [&](const Piece& piece) { return piece.read == pieces.front().read; });
}

AxisMap unchanged(std::int64_t size) {
  AxisMap map;
  map.from = map.to = size;
  map.pieces = {{0, 0, size}};
  return map;
}

AxisMap map_units(const std::vector<std::int64_t>& sources, std::int64_t old_units,
                  std::int64_t unit) {
  std::vector<std::int64_t> total(static_cast<std::size_t>(old_units), 0), seen = total;
  std::int64_t copied = 0;
  for (const std::int64_t source : sources)
    if (source >= 0) {
      ++total[static_cast<std::size_t>(source)];
      ++copied;
    }
  AxisMap map;
  map.from = old_units * unit;
  map.to = static_cast<std::int64_t>(sources.size()) * unit;
  map.copies = static_cast<double>(copied) / static_cast<double>(old_units);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i] < 0) continue;
    const auto source = static_cast<std::size_t>(sources[i]);
    append(map.pieces, {static_cast<std::int64_t>(i) * unit, sources[i] * unit, unit, 1.0,
                        1.0 / static_cast<double>(total[source]), seen[source]++});
  }
  for (const std::int64_t count : total) ST_CHECK(count > 0, "an index without a copy");
  return map;
}

std::int64_t in_turn(std::int64_t unit, std::int64_t old_units, const std::string&) {
  return unit % old_units;
}

UnitChoice at_random(std::int64_t seed) {
  return [seed](std::int64_t unit, std::int64_t old_units, const std::string& what) {
    if (unit < old_units) return unit;
    const CounterRng rng(hash_name(fmt::format("copies of {} {}", what, seed)), 0);
    return static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(unit), static_cast<std::uint64_t>(old_units)));
  };
}

AxisMap chosen(std::int64_t from, std::int64_t to, const UnitChoice& choose,
               const std::string& what) {
  std::vector<std::int64_t> sources;
  for (std::int64_t i = 0; i < to; ++i) sources.push_back(choose(i, from, what));
  return map_units(sources, from);
}

AxisMap repeated(std::int64_t from, std::int64_t to) { return chosen(from, to, in_turn, ""); }

AxisMap merged(std::int64_t from, std::int64_t to) {
  AxisMap map;
  map.from = from;
  map.to = to;
  map.merges = from > to;
  map.copies = static_cast<double>(to) / static_cast<double>(from);
  for (std::int64_t i = 0; i < from / to; ++i)
    map.pieces.push_back({0, i * to, to, map.copies, 1, i});
  return map;
}

AxisMap padded(std::int64_t from, std::int64_t to, std::int64_t tiles, Rest rest,
               bool rest_is_read) {
  std::vector<std::int64_t> sources(static_cast<std::size_t>(to), -1);
  for (std::int64_t i = 0; i < std::min(tiles, to / from) * from; ++i)
    sources[static_cast<std::size_t>(i)] = i % from;
  AxisMap map = map_units(sources, from);
  map.rest = rest;
  map.rest_is_read = rest_is_read;
  return map;
}

AxisMap widened_units(const AxisMap& units, std::int64_t old_unit, std::int64_t new_unit,
                      std::int64_t stride) {
  AxisMap map = units;
  map.from = units.from * old_unit;
  map.to = units.to * new_unit;
  map.pieces.clear();
  for (const Piece& piece : units.pieces)
    for (std::int64_t u = 0; u < piece.count; ++u)
      for (std::int64_t i = 0; i < old_unit; ++i)
        append(map.pieces, {(piece.to + u) * new_unit + i * stride, (piece.from + u) * old_unit + i,
                            1, piece.write, piece.read, piece.tile});
  return map;
}

std::vector<Run> rest_of(const AxisMap& map) {
  std::vector<Piece> pieces = map.pieces;
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.to < b.to; });
  std::vector<Run> runs;
  std::int64_t at = 0;
  for (const Piece& piece : pieces) {
    if (piece.to > at) runs.push_back({at, piece.to - at});
    at = std::max(at, piece.to + piece.count);
  }
  if (at < map.to) runs.push_back({at, map.to - at});
  return runs;
}

}  // namespace stagedtrain::grow
