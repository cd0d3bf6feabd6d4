// Multiplies tensors by the maps of a learned growth, forward and backward.
//
// An entry e of a map in row g' and column g stands for e I (unit x unit), so a product works on
// whole units and costs 1/unit of a dense one. Zero entries are skipped: a map that starts as
// copies, or the identity in its first rows, costs a copy.
#include "apply/map_product.h"

#include <algorithm>
#include <cmath>

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
  constexpr std::int64_t kAtOnce = 1 << 18;
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

// Returns M, of `count` entries.
template <class T>
std::vector<T> mixed(const SizedProduct& made, const SourceValues<T>& source, std::int64_t count) {
  const MapProduct& product = made.product;
  std::vector<T> sum(whole(count), 0);
  for (std::size_t j = 0; j < product.sources.size(); ++j) {
    const T weight =
        product.mix
            ? static_cast<T>(made.maps[*product.mix]
                                 .entries[whole(product.mix_row) * product.sources.size() + j])
            : T{1};
    if (weight == 0) continue;
    const std::span<const T> values = source(product.sources[j]);
    each_row(count, 1, [&](std::int64_t i) { sum[whole(i)] += weight * values[whole(i)]; });
  }
  return sum;
}

// Adds to the gradient of a map, where entry (row, column) of its use has the derivative
// derivative(row, column).
template <class F>
void add_gradient(const DenseMap& map, const MapUse& use, std::vector<double>& into,
                  std::int64_t work, F derivative) {
  each_row(map.rows - map.fixed, map.columns * work, [&](std::int64_t r) {
    for (std::int64_t c = 0; c < map.columns; ++c)
      into[whole((map.fixed + r) * map.columns + c)] +=
          derivative(map.fixed + r, c) * (use.reads ? map.read[whole(c)] : 1);
  });
}

template <class T>
double dot(const T* a, const T* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// The backward pass of one product. Shapes: W_j and M are o x i, W' and G are o' x i'.
template <class T>
class PullBack {
 public:
  PullBack(const SizedProduct& made, const SourceValues<T>& source, std::span<const T> gradient,
           MapGradients& into)
      : made_(made), source_(source), gradient_(gradient), into_(into) {}

  void run() {
    const MapProduct& product = made_.product;
    mixed_ = mixed(made_, source_, made_.from[0] * made_.from[1]);
    if (product.rows) add_rows(*product.rows);
    if (!product.columns && !product.mix) return;
    // A^T G, o x i'
    std::vector<T> back(gradient_.begin(), gradient_.end());
    if (product.rows)
      back = rows_mapped(transposed(units_of<T>(made_.maps, *product.rows)), gradient_.data(),
                         made_.to[1]);
    if (product.columns) add_columns(*product.columns, back);
    if (!product.mix) return;
    if (product.columns)
      back = columns_mapped(transposed(units_of<T>(made_.maps, *product.columns)), back.data(),
                            made_.from[0]);
    add_mix(back);
  }

 private:
  // dL/dA = G (M B^T)^T
  void add_rows(const MapUse& use) {
    std::vector<T> right = mixed_;  // M B^T, o x i'
    if (made_.product.columns)
      right = columns_mapped(units_of<T>(made_.maps, *made_.product.columns), mixed_.data(),
                             made_.from[0]);
    const std::int64_t length = use.unit * made_.to[1];
    add_gradient(made_.maps[use.map], use, into_[use.map], length,
                 [&](std::int64_t row, std::int64_t column) {
                   return dot(gradient_.data() + row * length, right.data() + column * length,
                              length);
                 });
  }

  // dL/dB = (A^T G)^T M. Both factors are transposed, so that sums run along memory.
  void add_columns(const MapUse& use, const std::vector<T>& back) {
    const std::int64_t rows = made_.from[0];
    const std::vector<T> g = columns_first(back, rows, made_.to[1]),
                         m = columns_first(mixed_, rows, made_.from[1]);
    const std::int64_t length = use.unit * rows;
    add_gradient(made_.maps[use.map], use, into_[use.map], length,
                 [&](std::int64_t row, std::int64_t column) {
                   return dot(g.data() + row * length, m.data() + column * length, length);
                 });
  }

  static std::vector<T> columns_first(const std::vector<T>& x, std::int64_t rows,
                                      std::int64_t columns) {
    std::vector<T> out(x.size());
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        out[whole(c * rows + r)] = x[whole(r * columns + c)];
    return out;
  }

  // dL/dw_j = <A^T G B, W_j>
  void add_mix(const std::vector<T>& back) {
    const MapProduct& product = made_.product;
    std::vector<double>& into = into_[*product.mix];
    for (std::size_t j = 0; j < product.sources.size(); ++j)
      into[whole(product.mix_row) * product.sources.size() + j] += dot(
          back.data(), source_(product.sources[j]).data(), static_cast<std::int64_t>(back.size()));
  }

  const SizedProduct& made_;
  const SourceValues<T>& source_;
  std::span<const T> gradient_;
  MapGradients& into_;
  std::vector<T> mixed_;  // M, o x i
};

}  // namespace

template <class T>
void fill_product(const SizedProduct& made, const SourceValues<T>& source, std::span<T> out) {
  const MapProduct& product = made.product;
  std::vector<T> values = mixed(made, source, made.from[0] * made.from[1]);
  if (product.columns)
    values = columns_mapped(units_of<T>(made.maps, *product.columns), values.data(), made.from[0]);
  if (product.rows)
    values = rows_mapped(units_of<T>(made.maps, *product.rows), values.data(), made.to[1]);
  std::ranges::copy(values, out.begin());
}

MapGradients zero_gradients(const std::vector<DenseMap>& maps) {
  MapGradients zeros;
  for (const DenseMap& map : maps) zeros.emplace_back(map.entries.size(), 0);
  return zeros;
}

template <class T>
void pull_back(const SizedProduct& made, const SourceValues<T>& source, std::span<const T> gradient,
               MapGradients& into) {
  PullBack<T>(made, source, gradient, into).run();
}

void MapAdam::step(std::vector<DenseMap>& maps, const MapGradients& gradients, double lr) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;
  ++steps_;
  const double correction1 = 1 - std::pow(kBeta1, static_cast<double>(steps_)),
               correction2 = 1 - std::pow(kBeta2, static_cast<double>(steps_));
  for (std::size_t m = 0; m < maps.size(); ++m)
    for (std::size_t i = whole(maps[m].fixed * maps[m].columns); i < gradients[m].size(); ++i) {
      const double g = gradients[m][i];
      double &first = exp_avg_[m][i], &second = exp_avg_sq_[m][i];
      first += (1 - kBeta1) * (g - first);
      second += (1 - kBeta2) * (g * g - second);
      maps[m].entries[i] -= lr * (first / correction1) / (std::sqrt(second / correction2) + kEps);
    }
}

template void fill_product<float>(const SizedProduct&, const SourceValues<float>&,
                                  std::span<float>);
template void fill_product<double>(const SizedProduct&, const SourceValues<double>&,
                                   std::span<double>);
template void pull_back<float>(const SizedProduct&, const SourceValues<float>&,
                               std::span<const float>, MapGradients&);
template void pull_back<double>(const SizedProduct&, const SourceValues<double>&,
                                std::span<const double>, MapGradients&);

}  // namespace stagedtrain::grow
