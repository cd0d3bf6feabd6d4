// Multiplies tensors by the maps of a learned growth.
//
// An entry e of a map in row g' and column g stands for e I (unit x unit), so a product works on
// whole units and costs 1/unit of a dense one. Zero entries are skipped: a map that starts as
// copies, or the identity in its first rows, costs a copy.
#include "apply/map_product.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

std::size_t whole(std::int64_t count) { return static_cast<std::size_t>(count); }

// A map in the precision of the tensors, or its transpose.
template <class T>
struct Units {
  std::int64_t rows, columns, unit;
  std::vector<T> entries;
  T at(std::int64_t row, std::int64_t column) const {
    return entries[whole(row * columns + column)];
  }
};

template <class T>
Units<T> units_of(const std::vector<DenseMap>& maps, const MapUse& use) {
  const DenseMap& map = maps[use.map];
  Units<T> units{map.rows, map.columns, use.unit, std::vector<T>(map.entries.size())};
  for (std::size_t i = 0; i < map.entries.size(); ++i)
    units.entries[i] = static_cast<T>(use.reads ? map.entries[i] * map.read[i % whole(map.columns)]
                                                : map.entries[i]);
  return units;
}

template <class T>
Units<T> transposed(const Units<T>& units) {
  Units<T> other{units.columns, units.rows, units.unit, std::vector<T>(units.entries.size())};
  for (std::int64_t r = 0; r < units.rows; ++r)
    for (std::int64_t c = 0; c < units.columns; ++c)
      other.entries[whole(c * units.rows + r)] = units.at(r, c);
  return other;
}

// Calls f(row) for each of `rows` rows on all cores. `work` is the number of products of a row.
template <class F>
void each_row(std::int64_t rows, std::int64_t work, F f) {
  stop_point("growing");
  constexpr std::int64_t kAtOnce = 1 << 21;  // about a millisecond
  in_parallel(rows, kAtOnce / std::max<std::int64_t>(work, 1) + 1,
              [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t r = begin; r < end; ++r) f(r);
              });
}

template <class T>
void add_scaled(T factor, const T* in, std::int64_t count, T* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += factor * in[i];
}

// Returns (U (x) I) X, where X has `columns` columns.
template <class T>
std::vector<T> rows_mapped(const Units<T>& u, const T* x, std::int64_t columns) {
  std::vector<T> out(whole(u.rows * u.unit * columns), 0);
  each_row(u.rows * u.unit, u.columns * columns, [&](std::int64_t r) {
    for (std::int64_t c = 0; c < u.columns; ++c)
      if (const T factor = u.at(r / u.unit, c); factor != 0)
        add_scaled(factor, x + (c * u.unit + r % u.unit) * columns, columns,
                   out.data() + r * columns);
  });
  return out;
}

// Returns X (U (x) I)^T, where X has `rows` rows.
template <class T>
std::vector<T> columns_mapped(const Units<T>& u, const T* x, std::int64_t rows) {
  const std::int64_t in = u.columns * u.unit, out = u.rows * u.unit;
  std::vector<T> made(whole(rows * out), 0);
  const Units<T> back = transposed(u);
  each_row(rows, in * u.rows, [&](std::int64_t r) {
    T* y = made.data() + r * out;
    for (std::int64_t c = 0; c < u.columns; ++c) {
      const T* from = x + r * in + c * u.unit;
      if (u.unit == 1) {
        add_scaled(*from, back.entries.data() + c * u.rows, u.rows, y);
        continue;
      }
      for (std::int64_t n = 0; n < u.rows; ++n)
        if (const T factor = u.at(n, c); factor != 0)
          add_scaled(factor, from, u.unit, y + n * u.unit);
    }
  });
  return made;
}

// Returns M.
template <class T>
std::vector<T> mixed(const SizedProduct& made, const SourceValues<T>& source,
                     const Corner& extent) {
  const MapProduct& product = made.product;
  std::vector<T> sum(whole(extent[0] * extent[1]), 0);
  for (std::size_t j = 0; j < product.sources.size(); ++j) {
    const T weight = static_cast<T>(weight_of(product, made.maps, j));
    if (weight == 0) continue;
    const std::span<const T> values = source(product.sources[j]);
    const Corner from = product.is_part() ? product.from[j] : Corner{};
    const std::int64_t stride = corner_of(made.sources[product.sources[j]])[1];
    each_row(extent[0], extent[1], [&](std::int64_t r) {
      add_scaled(weight, values.data() + (from[0] + r) * stride + from[1], extent[1],
                 sum.data() + r * extent[1]);
    });
  }
  return sum;
}

}  // namespace

template <class T>
void add_product(const SizedProduct& made, const SourceValues<T>& source, std::span<T> out) {
  const MapProduct& product = made.product;
  const Corner extent = source_extent(product, made.sources);
  const Corner size = size_of(product, made.maps, extent);
  std::vector<T> values = mixed(made, source, extent);
  if (product.columns)
    values = columns_mapped(units_of<T>(made.maps, *product.columns), values.data(), extent[0]);
  if (product.rows)
    values = rows_mapped(units_of<T>(made.maps, *product.rows), values.data(), size[1]);
  each_row(size[0], size[1], [&](std::int64_t r) {
    add_scaled(T{1}, values.data() + r * size[1], size[1],
               out.data() + (product.to[0] + r) * made.target_columns + product.to[1]);
  });
}

template void add_product<float>(const SizedProduct&, const SourceValues<float>&, std::span<float>);
template void add_product<double>(const SizedProduct&, const SourceValues<double>&,
                                  std::span<double>);

}  // namespace stagedtrain::grow
