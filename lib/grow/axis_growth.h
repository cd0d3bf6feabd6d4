// How do the maps of a model's axes determine the recipe of every tensor? By one rule for all
// architectures.
#pragma once

#include <array>
#include <vector>

#include "arch/architectures.h"
#include "grow/axis_map.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// The coefficients c_ij of a matrix W that grows in both axes: block (i, j), which connects copy j
// of the inputs to copy i of the outputs, is c_ij W. The coefficients of every row sum to 1, so the
// loss is kept (docs/growth.md, "Two equations"). With k copies, uniform is c_ij = 1/k, and
// diagonal is the identity matrix.
struct Mixing {
  enum class Form { uniform, diagonal, matrix } form = Form::uniform;
  std::vector<std::vector<double>> coefficients;  // k x k, for Form::matrix only
  // Returns whether the columns sum to 1 as well (to 1e-12), so that copies receive equal
  // gradients.
  bool balanced() const;
};

// The growth of all axes of a model. It is the same in all layers.
struct AxisGrowth {
  std::array<AxisMap, arch::kNumAxes> maps;  // indexed by Axis
  Mixing mixing;
  double noise = 0;  // breaks the symmetry; relative to each matrix's root mean square
  std::int64_t seed = 0;
  double rest_noise = 0;  // noise on new rows that start as a mean, relative in the same way
  // The mean square of the new residual stream divided by that of the old one. It is below 1 if the
  // stream is padded (padding.h).
  double norm_share = 1;

  AxisMap& of(arch::Axis axis) { return maps[static_cast<std::size_t>(axis)]; }
  const AxisMap& of(arch::Axis axis) const { return maps[static_cast<std::size_t>(axis)]; }
  bool duplicates() const;  // whether any index has several copies
  bool pads() const;        // whether any new index is not a copy
};

// Returns the growth of a model in which no axis grows.
AxisGrowth unchanged_axes(const arch::ModelConfig& config);
// Returns the recipe that makes `target` from tensor `source` of the table `sources`. `tied` means
// that the output head is the token embedding. Polls for a stop request, since a model may have a
// million tensors.
TensorRecipe tensor_by_axes(const AxisGrowth& growth, const arch::ParamSpec& target,
                            const arch::ParamTable& sources, std::size_t source, bool tied);

}  // namespace stagedtrain::grow
