// From maps of axes to recipes of tensors: one rule for every tensor of every architecture.
#pragma once

#include <array>
#include <vector>

#include "arch/architectures.h"
#include "grow/axis_map.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// How a matrix is spread over the blocks (i, j) that join copy i of its outputs to copy j of its
// inputs. Every row of coefficients sums to 1, so the loss is kept (docs/growth.md, equation 1).
struct Mixing {
  enum class Kind { uniform, diagonal, matrix } kind = Kind::uniform;
  std::vector<std::vector<double>> coefficients;  // of matrix
  // Every column sums to 1 too: then copies stay equal for ever.
  bool balanced() const;
};

// A growth of the axes of a model, the same in all layers.
struct AxisGrowth {
  std::array<AxisMap, arch::kNumAxes> maps;  // by Axis
  Mixing mixing;
  double noise = 0;  // relative to each matrix's root mean square
  std::int64_t seed = 0;
  double rest_noise = 0;  // on rows that begin as a mean
  // The mean square of the old residual stream over that of the new one; not 1 if it is padded.
  double norm_share = 1;

  AxisMap& of(arch::Axis axis) { return maps[static_cast<std::size_t>(axis)]; }
  const AxisMap& of(arch::Axis axis) const { return maps[static_cast<std::size_t>(axis)]; }
  bool duplicates() const;  // some index has copies
  bool pads() const;        // some new index is no copy
};

// No axis grows.
AxisGrowth unchanged_axes(const arch::ModelConfig& config);
// How `target` is made of tensor `source` of the smaller model. tied: the head is the embedding.
// Polls for a stop request, since a model may have a million tensors.
TensorRecipe tensor_by_axes(const AxisGrowth& growth, const arch::ParamSpec& target,
                            const arch::ParamTable& sources, std::size_t source, bool tied);

}  // namespace stagedtrain::grow
