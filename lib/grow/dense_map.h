// What is a learned growth made of? Dense maps of axes and of layers, and the products that make
// tensors with them (LiGO, arXiv 2303.00980; docs/growth.md, "Learned maps").
//
// A tensor of the larger model is made of the tensors W_1 ... W_L of the same kind, one in each old
// layer:
//   W' = A M B^T      M = sum_j w_j W_j
// A maps the rows and B the columns; either may be absent, and then it is the identity matrix. w is
// a row of a map of layers. A and B are maps of axes. Writers of an axis use the map D (new x old)
// itself. Readers use D diag(read), where read is 1 / (copies of an index) at the start, so that
// the product starts as the growth by copies, W' = D_out W S_in (axis_map.h).
//
// Rejected: S = D^T for readers, as in the paper. With copies it starts by doubling what every
// reader sees; diag(read) is a constant factor for each old index and takes nothing from what the
// maps can express. A block for each old layer, which would need L products instead of one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace stagedtrain::grow {

// A matrix of rows x columns numbers in row-major order. It maps units, which may be single indices
// or whole heads (MapUse). Or it is a map of layers: a row for each new one.
struct DenseMap {
  std::int64_t rows = 0, columns = 0;
  std::int64_t fixed = 0;  // the first rows, which a fit does not train
  std::vector<double> entries;
  std::vector<double> read;  // one for each column
};

// How a product uses a map: each entry stands for a block of unit x unit, the entry times the
// identity matrix.
struct MapUse {
  std::size_t map = 0;  // index in GrowthStep::maps
  std::int64_t unit = 1;
  bool reads = false;  // D diag(read) instead of D
};

// How one tensor is made. Its only axis counts as rows.
struct MapProduct {
  std::vector<std::size_t> sources;  // W_1 ... W_L, as indices in the smaller model's table
  std::optional<MapUse> rows, columns;
  std::optional<std::size_t> mix;  // the map of layers; none: a single source with w = 1
  std::int64_t mix_row = 0;
};

// Steps that train the maps of a growth, and nothing else, before it is applied (train/map_fit.h).
struct MapFit {
  std::int64_t steps = 0;                 // 0: the growth has no fit
  double lr = 0;                          // of Adam, for the entries of the maps
  std::optional<std::int64_t> sequences;  // of a step; not given: as many as the run's batch has
  bool done = false;                      // the maps are fitted, so the growth can be applied
};

}  // namespace stagedtrain::grow
