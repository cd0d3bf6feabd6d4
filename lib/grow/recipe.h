// A growth as data: for every tensor of the larger model, which blocks of which smaller tensors it
// is made of. Printable, composable, testable without tensors.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::grow {

// Rows and columns; a tensor with one axis is a single column.
using Corner = std::array<std::int64_t, 2>;

// One block of a target tensor: extent[0] x extent[1] entries from `from` in the source to `to` in
// the target, times scale. With noise_stream 0 the entries are the source tensor's; otherwise they
// are standard normal numbers of that stream (see base/rng.h; index = row * noise_columns + column
// at `from`), times the root mean square of the source tensor, and are added.
struct BlockCopy {
  std::size_t source = 0;  // index into the smaller model's table
  Corner from{}, to{}, extent{};
  double scale = 1;
  std::uint64_t noise_stream = 0;
  std::int64_t noise_columns = 0;
  bool operator==(const BlockCopy&) const = default;
};

// How one tensor is made. Entries that no block covers are zero. Weights take `value`, exp_avg
// takes `gradient` (docs/growth.md: gradients grow by the dual maps), exp_avg_sq takes `gradient`
// with squared scales. Only values have noise; blocks without noise do not overlap, and noise comes
// after the blocks that it is added to.
struct TensorRecipe {
  std::vector<BlockCopy> value, gradient;
  bool moments_reset = false;  // moments start at zero, their bias correction too
  bool is_new = false;         // part of a layer that the smaller model did not have
};

struct GrowthRecipe {
  arch::ModelConfig from, to;
  std::vector<TensorRecipe> tensors;  // in the order of param_table(to)
  bool exact = true;                  // promises that the loss is kept (to rounding)
  std::string operators;              // as YAML, one line, every option given
  // Promises that the gradient of the grown model is the grown gradient, for every tensor that is
  // not new: so exp_avg and exp_avg_sq are exact, and copies stay equal for ever.
  bool equivariant = true;
};

// Rows and columns of a tensor.
Corner corner_of(const arch::ParamSpec& spec);
// The recipe that changes nothing.
GrowthRecipe identity(const arch::ModelConfig& config);
// first, then second, as one recipe: the same entries, but that scales are multiplied before they
// are rounded, and that noise on noise has the size to be expected. Requires second.from ==
// first.to.
GrowthRecipe compose(const GrowthRecipe& first, const GrowthRecipe& second);
// Law 1: every tensor has a recipe, every block lies in its source and target, none is covered
// twice, noise is in values only and after what it is added to. Throws Error(bug).
void check_recipe(const GrowthRecipe& recipe);

// For people: both models, the operators, what is promised, parameters and FLOPs.
std::string summary(const GrowthRecipe& recipe);
// The same, and tensor by tensor the source, blocks and scales.
std::string to_text(const GrowthRecipe& recipe);

}  // namespace stagedtrain::grow
