// Writes the entries of copies into dense maps.
#include "learned/start_maps.h"

#include <cmath>

namespace stagedtrain::grow {
namespace {

DenseMap zero_map(std::int64_t rows, std::int64_t columns, double read) {
  DenseMap made{rows, columns, 0, {}, {}};
  made.entries.assign(static_cast<std::size_t>(rows * columns), 0);
  made.read.assign(static_cast<std::size_t>(columns), read);
  return made;
}

}  // namespace

DenseMap axis_map(const AxisMap& map, std::int64_t unit) {
  DenseMap made = zero_map(map.to / unit, map.from / unit, 0);
  made.fixed = made.columns;
  for (const Piece& piece : map.pieces)
    for (std::int64_t i = 0; i < piece.count; i += unit) {
      const std::int64_t to = (piece.to + i) / unit, from = (piece.from + i) / unit;
      made.entries[static_cast<std::size_t>(to * made.columns + from)] = piece.write;
      made.read[static_cast<std::size_t>(from)] = piece.read;
    }
  return made;
}

DenseMap layer_map(const LayerMap& layers, std::int64_t from) {
  DenseMap made = zero_map(static_cast<std::int64_t>(layers.size()), from, 1);
  for (std::int64_t row = 0; row < made.rows; ++row)
    made.entries[static_cast<std::size_t>(row * from +
                                          layers[static_cast<std::size_t>(row)].layer)] = 1;
  return made;
}

DenseMap identity_map(std::int64_t size) {
  DenseMap made = zero_map(size, size, 1);
  for (std::int64_t i = 0; i < size; ++i) made.entries[static_cast<std::size_t>(i * size + i)] = 1;
  return made;
}

void add_noise(DenseMap& map, double noise, const CounterRng& rng) {
  const double scale = noise / std::sqrt(static_cast<double>(map.columns));
  for (std::int64_t i = map.fixed * map.columns; i < map.rows * map.columns; ++i)
    map.entries[static_cast<std::size_t>(i)] += scale * rng.normal(static_cast<std::uint64_t>(i));
}

}  // namespace stagedtrain::grow
