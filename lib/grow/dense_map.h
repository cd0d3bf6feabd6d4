// What is a learned growth made of? Dense maps of axes, layers and kinds of matrices, and the
// products that make tensors with them (LiGO, arXiv 2303.00980; Mango, arXiv 2310.10699;
// docs/growth.md, "Learned maps").
//
// LiGO makes a tensor of the larger model of the tensors W_1 ... W_L of the same kind, one in each
// old layer:
//   W' = A M B^T      M = sum_j w_j W_j
// A maps the rows and B the columns; either may be absent, and then it is the identity matrix. w is
// a row of a map of layers. Mango cuts the matrices into square parts, and makes each part of the
// larger model a sum of such products, of the parts of all kinds and layers: w_j is then an entry
// of a map of layers times an entry of a map of kinds. A and B are maps of axes. Writers of an axis
// use the map D (new x old) itself. Readers use D diag(read), where read is 1 / (copies of an
// index) at the start, so that the product starts as the growth by copies, W' = D_out W S_in
// (axis_map.h).
//
// Rejected: S = D^T for readers, as in the paper. With copies it starts by doubling what every
// reader sees; diag(read) is a constant factor for each old index and takes nothing from what the
// maps can express. A block for each old layer, which would need L products instead of one.
#pragma once

#include <array>
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

// A row of a map of layers or of kinds.
struct MapRow {
  std::size_t map = 0;  // index in GrowthStep::maps
  std::int64_t row = 0;
};

// How one tensor, or a part of it, is made. Its only axis counts as rows.
struct MapProduct {
  std::vector<std::size_t> sources;  // W_1, W_2, ..., as indices in the smaller model's table
  std::optional<MapUse> rows, columns;
  std::optional<MapRow> layers;  // a weight for each old layer; none: a single source with w = 1
  std::optional<MapRow> kinds;   // if given, sources are listed kind by kind, each for all layers
  // The rows and columns of each W_j, if it is a part of its source, and where it begins there.
  // {0, 0}: whole sources.
  std::array<std::int64_t, 2> extent{};
  std::vector<std::array<std::int64_t, 2>> from = {};
  std::array<std::int64_t, 2> to{};  // where the product begins in the target
  bool is_part() const { return extent[0] > 0; }
};

// Returns w_j.
double weight_of(const MapProduct& product, const std::vector<DenseMap>& maps, std::size_t j);
// Returns the rows and columns of the product, if each W_j has those of `from`.
std::array<std::int64_t, 2> size_of(const MapProduct& product, const std::vector<DenseMap>& maps,
                                    const std::array<std::int64_t, 2>& from);

// Steps that train the maps of a growth, and nothing else, before it is applied (train/map_fit.h).
struct MapFit {
  std::int64_t steps = 0;                 // 0: the growth has no fit
  double lr = 0;                          // of Adam, for the entries of the maps
  std::optional<std::int64_t> sequences;  // of a step; not given: as many as the run's batch has
  bool done = false;                      // the maps are fitted, so the growth can be applied
};

}  // namespace stagedtrain::grow
