// Multiplies tensors by the maps of a learned growth, forward and backward, with LibTorch.
//
// An entry e of a map stands for e I (unit x unit). The rows of X that belong to one unit lie side
// by side, so (U (x) I) X is the product of U with X seen as one row for each unit. For columns the
// entries within a unit become rows first.
#include "optim/map_gradient.h"

#include <cmath>

namespace stagedtrain::train {
namespace {

using grow::DenseMap;
using grow::MapUse;

at::Tensor matrix_of(const at::Tensor& x) { return x.dim() == 2 ? x : x.unsqueeze(1); }

// Returns D or D diag(read), a row for each new unit.
at::Tensor units_of(const std::vector<DenseMap>& maps, const MapUse& use,
                    const at::TensorOptions& like) {
  const DenseMap& map = maps[use.map];
  const at::Tensor units = at::tensor(map.entries, at::kDouble).view({map.rows, map.columns});
  return (use.reads ? units * at::tensor(map.read, at::kDouble) : units).to(like);
}

// Returns X with one row for each unit of its rows.
at::Tensor by_unit(const at::Tensor& x, std::int64_t unit) {
  return x.reshape({x.size(0) / unit, unit * x.size(1)});
}

// Returns (U (x) I) X.
at::Tensor rows_mapped(const at::Tensor& units, std::int64_t unit, const at::Tensor& x) {
  return at::matmul(units, by_unit(x, unit)).reshape({units.size(0) * unit, x.size(1)});
}

// Returns X with its units of columns as columns, and a row for each entry of a unit.
at::Tensor entries_as_rows(const at::Tensor& x, std::int64_t unit) {
  return x.reshape({x.size(0), x.size(1) / unit, unit})
      .transpose(1, 2)
      .reshape({x.size(0) * unit, x.size(1) / unit});
}

// Returns X (U (x) I)^T.
at::Tensor columns_mapped(const at::Tensor& units, std::int64_t unit, const at::Tensor& x) {
  return at::matmul(entries_as_rows(x, unit), units.t())
      .reshape({x.size(0), unit, units.size(0)})
      .transpose(1, 2)
      .reshape({x.size(0), units.size(0) * unit});
}

// Returns W_j.
at::Tensor term_of(const grow::MapProduct& product, const SourceTensor& source, std::size_t j) {
  const at::Tensor all = matrix_of(source(product.sources[j]));
  if (!product.is_part()) return all;
  return all.narrow(0, product.from[j][0], product.extent[0])
      .narrow(1, product.from[j][1], product.extent[1]);
}

// Returns M.
at::Tensor mixed(const grow::MapProduct& product, const std::vector<DenseMap>& maps,
                 const SourceTensor& source) {
  at::Tensor sum;
  for (std::size_t j = 0; j < product.sources.size(); ++j) {
    const at::Tensor term = term_of(product, source, j) * grow::weight_of(product, maps, j);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

// Returns the part of a target tensor that a product makes.
at::Tensor place_of(const grow::MapProduct& product, const std::vector<DenseMap>& maps,
                    const at::Tensor& target) {
  const at::Tensor all = matrix_of(target);
  if (!product.is_part()) return all;
  const auto size = grow::size_of(product, maps, product.extent);
  return all.narrow(0, product.to[0], size[0]).narrow(1, product.to[1], size[1]);
}

// Adds the derivative with respect to w_j to those of the entries that it is the product of.
void add_weight(const grow::MapProduct& product, const std::vector<DenseMap>& maps, std::size_t j,
                double derivative, MapGradients& into) {
  const auto layers = static_cast<std::size_t>(maps[product.layers->map].columns);
  const auto index = [&](const grow::MapRow& at, std::size_t column) {
    return static_cast<std::size_t>(at.row * maps[at.map].columns) + column;
  };
  const std::size_t layer = index(*product.layers, j % layers);
  double of_layer = derivative;
  if (product.kinds) {
    const std::size_t map = product.kinds->map, kind = index(*product.kinds, j / layers);
    into[map][kind] += derivative * maps[product.layers->map].entries[layer];
    of_layer *= maps[map].entries[kind];
  }
  into[product.layers->map][layer] += of_layer;
}

void add(const DenseMap& map, const MapUse& use, const at::Tensor& derivative,
         std::vector<double>& into) {
  at::Tensor all = derivative.to(at::kCPU, at::kDouble);
  if (use.reads) all = all * at::tensor(map.read, at::kDouble);
  const at::Tensor flat = all.contiguous();
  for (std::int64_t i = map.fixed * map.columns; i < flat.numel(); ++i)
    into[static_cast<std::size_t>(i)] += flat.data_ptr<double>()[i];
}

}  // namespace

at::Tensor mapped(const grow::MapProduct& product, const std::vector<DenseMap>& maps,
                  const SourceTensor& source) {
  at::Tensor made = mixed(product, maps, source);
  if (const auto& use = product.columns)
    made = columns_mapped(units_of(maps, *use, made.options()), use->unit, made);
  if (const auto& use = product.rows)
    made = rows_mapped(units_of(maps, *use, made.options()), use->unit, made);
  return made;
}

MapGradients zero_gradients(const std::vector<DenseMap>& maps) {
  MapGradients zeros;
  for (const DenseMap& map : maps) zeros.emplace_back(map.entries.size(), 0);
  return zeros;
}

void pull_back(const grow::MapProduct& product, const std::vector<DenseMap>& maps,
               const SourceTensor& source, const at::Tensor& gradient, MapGradients& into) {
  const at::Tensor middle = mixed(product, maps, source);
  at::Tensor back = place_of(product, maps, gradient);  // G, then A^T G, then A^T G B
  at::Tensor columns;
  if (product.columns) columns = units_of(maps, *product.columns, middle.options());
  if (const auto& use = product.rows) {
    const at::Tensor right =
        columns.defined() ? columns_mapped(columns, product.columns->unit, middle) : middle;
    add(maps[use->map], *use, at::matmul(by_unit(back, use->unit), by_unit(right, use->unit).t()),
        into[use->map]);
    back = rows_mapped(units_of(maps, *use, middle.options()).t(), use->unit, back);
  }
  if (const auto& use = product.columns) {
    add(maps[use->map], *use,
        at::matmul(entries_as_rows(back, use->unit).t(), entries_as_rows(middle, use->unit)),
        into[use->map]);
    back = columns_mapped(columns.t(), use->unit, back);
  }
  if (!product.layers) return;
  for (std::size_t j = 0; j < product.sources.size(); ++j)
    add_weight(product, maps, j,
               (back * term_of(product, source, j)).sum(at::kDouble).item<double>(), into);
}

void make_weights(const std::vector<grow::MapProduct>& products, const std::vector<DenseMap>& maps,
                  const SourceTensor& source, const at::Tensor& target) {
  target.zero_();
  for (const grow::MapProduct& product : products)
    place_of(product, maps, target).add_(mapped(product, maps, source));
}

void MapAdam::step(std::vector<DenseMap>& maps, const MapGradients& gradients, double lr) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;
  ++steps_;
  const double correction1 = 1 - std::pow(kBeta1, static_cast<double>(steps_)),
               correction2 = 1 - std::pow(kBeta2, static_cast<double>(steps_));
  for (std::size_t m = 0; m < maps.size(); ++m)
    for (auto i = static_cast<std::size_t>(maps[m].fixed * maps[m].columns);
         i < gradients[m].size(); ++i) {
      const double g = gradients[m][i];
      double &first = exp_avg_[m][i], &second = exp_avg_sq_[m][i];
      first += (1 - kBeta1) * (g - first);
      second += (1 - kBeta2) * (g * g - second);
      maps[m].entries[i] -= lr * (first / correction1) / (std::sqrt(second / correction2) + kEps);
    }
}

}  // namespace stagedtrain::train
