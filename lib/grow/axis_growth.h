// Turns maps of axes into recipes of tensors, with one rule for every architecture.
#pragma once

#include <array>
#include <vector>

#include "arch/architectures.h"
#include "grow/axis_map.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// How a matrix is spread over the blocks (i, j), which connect copy i of its outputs to copy j of
// its inputs. The coefficients of every row sum to 1, so the loss is kept (docs/growth.md, "Two
// equations").
struct Mixing {
  enum class Kind { uniform, diagonal, matrix } kind = Kind::uniform;
  std::vector<std::vector<double>> coefficients;  // for Kind::matrix
  // Whether every column sums to 1 too, so that copies stay equal for ever.
  bool balanced() const;
};

// A growth of a model's axes, which is the same in all layers.
struct AxisGrowth {
  std::array<AxisMap, arch::kNumAxes> maps;  // indexed by Axis
  Mixing mixing;
  double noise = 0;  // relative to each matrix's root mean square
  std::int64_t seed = 0;
  double rest_noise = 0;  // added to rows that begin as a mean
  // The mean square of the new residual stream divided by that of the old one. It is below 1 if the
  // stream is padded.
  double norm_share = 1;

  AxisMap& of(arch::Axis axis) { return maps[static_cast<std::size_t>(axis)]; }
  const AxisMap& of(arch::Axis axis) const { return maps[static_cast<std::size_t>(axis)]; }
  bool duplicates() const;  // some index has several copies
  bool pads() const;        // some new index is not a copy
};

// Returns a growth in which no axis grows.
AxisGrowth unchanged_axes(const arch::ModelConfig& config);
// Returns how `target` is made of tensor `source` of the smaller model. `tied` says that the head
// is the embedding. Polls for a stop request, since a model may have a million tensors.
TensorRecipe tensor_by_axes(const AxisGrowth& growth, const arch::ParamSpec& target,
                            const arch::ParamTable& sources, std::size_t source, bool tied);

}  // namespace stagedtrain::grow
