// A recipe is a growth as data: it lists, for each tensor of the larger model, the blocks of
// smaller tensors that it is made of.
//
// Goal: every operator only describes its growth, and one function executes any description
// (fill.h, apply.h). So a recipe can be printed (grow --dry-run), checked before a byte is written
// (check_recipe), compared with a paper's formulas in a test, and applied to float or double, in
// memory or from file to file, with the same bits.
//
// A tensor has two lists of blocks, because values and gradients grow by dual maps: weights by
// D_out W S_in, gradients by S_out^T G D_in^T (docs/growth.md, "Two equations"). For example
// `width` with factor 2 makes of a matrix W, in units of W's size:
//   value     1 * W at (0, 0) and (1, 1); (0, 1) and (1, 0) stay zero
//   gradient  1/2 * G at all four places, for exp_avg; 1/4 for exp_avg_sq
//
// Invariant: every block lies inside its source and its target, and covers no entry of an earlier
// block unless it is added (check_recipe).
//
// Rejected: operators that write tensors themselves. Each would need its own tests for every kind
// of tensor, precision and storage, and a list of operators would need a state between two of them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::grow {

// Rows and columns. A tensor with one axis counts as a single column.
using Corner = std::array<std::int64_t, 2>;

// One block of a target tensor: extent[0] x extent[1] entries at `to`. Their values by kind:
//   copy          scale * the source's entries at `from`
//   mean_rows     scale * the mean of `span` rows of the source, beginning at row from[0] and at
//                 column from[1]; the same in every row of the block
//   mean_columns  the same over columns
//   slerp         the midpoint of the arc between what is there and the source's entries at `from`,
//                 (a + b) / sqrt(2 + 2 cos(a, b)); their mean where there is no such arc
//   noise         scale * the root mean square of the source tensor * numbers of mean 0 and
//                 variance 1 (CounterRng::quick_normal)
//   normal        scale * standard normal numbers
//   constant      scale
// Random numbers are a function of stream and index = row * noise_columns + column, counted from
// `from`. Noise and slerp change what is there; other kinds are added to it if `add` is set.
struct Block {
  enum class Kind { copy, mean_rows, mean_columns, noise, normal, constant, slerp };
  Kind kind = Kind::copy;
  std::size_t state = 0;   // 0: the state that grows; i: the i-th of GrowthStep::others
  std::size_t source = 0;  // index in the smaller model's table
  Corner from{}, to{}, extent{};
  double scale = 1;
  bool add = false;
  // Which copy of the rows and of the columns the block is. {0, 0} is the old place. The terms of a
  // sum or mean have {0, 0} too, since the result is not a copy of any of them.
  Corner tile{};
  std::int64_t span = 0;
  std::uint64_t stream = 0;
  std::int64_t noise_columns = 0;
  bool operator==(const Block&) const = default;
};

// How one tensor is made. Entries that no block covers are zero. Weights are made of `value` and
// exp_avg of `gradient`. exp_avg_sq is made of `gradient` with squared scales, or with the scales
// as they are if `moments_copied`. `gradient` holds copies and means only. Entries that it does not
// cover start with zero moments, and their bias correction starts over.
struct TensorRecipe {
  std::vector<Block> value = {}, gradient = {};
  bool moments_copied = false;  // both moments were taken along with the weights (moments: copy)
  bool is_new = false;          // belongs to a layer or expert that the smaller model did not have
  // The tensor of the smaller model whose optimizer scales and generation this one inherits, even
  // if it does not inherit its values (a silent or random layer).
  std::optional<std::size_t> heir_of = {};
  // Factors of the optimizer scales (state/tensor_history.h), and the number of steps over which
  // the learning rate rises for entries whose moments were zeroed.
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  std::int64_t ramp_steps = 0;
};

// The growth by one operator.
struct GrowthStep {
  arch::ModelConfig from, to;
  std::string operators;  // one line of YAML with every option
  std::string asked;      // the same as the user wrote it, without defaults
  bool exact = true;      // promises that the loss is kept, to rounding
  // Promises that the gradient of the grown model is the grown gradient for every tensor that is
  // not new, and that both moments are made accordingly.
  bool equivariant = true;
  // Copies receive identical gradients and stay equal, so the larger model never gains capacity.
  bool symmetric = false;
  std::int64_t mask_steps = 0;        // steps over which the mask of new parts rises
  std::vector<TensorRecipe> tensors;  // in the order of param_table(to)
  std::vector<std::string> others;    // files of further states of the model `from`
};

// A whole growth: one or more operators, each applied to the result of the one before.
struct GrowthRecipe {
  arch::ModelConfig from, to;
  std::vector<GrowthStep> steps;

  // Both return one line of YAML: with every option, or as the user wrote it.
  std::string operators() const;
  std::string asked() const;
  bool exact() const;
  bool equivariant() const;
  bool symmetric() const;
};

// Returns whether the block is made of a source's entries, not of random numbers or a constant.
bool reads_source(const Block& block);
// Returns the rows and columns of a tensor.
Corner corner_of(const arch::ParamSpec& spec);
// Returns the block that copies a whole tensor.
Block whole_of(const arch::ParamTable& sources, std::size_t source);
// Checks that every tensor has a recipe, that every block lies inside its source and its target,
// and that a block overlaps an earlier one only if it is added. Throws Error(bug).
void check_recipe(const GrowthRecipe& recipe);

// Returns a summary for people: both models, operators, promises, parameters and FLOPs.
std::string summary(const GrowthRecipe& recipe);
// Prints the summary, and for each operator the source, blocks and scales of every tensor. A recipe
// may have a million tensors, so the text is passed to `print` piece by piece. Polls for a stop
// request.
using Print = std::function<void(const std::string&)>;
void print_text(const GrowthRecipe& recipe, const Print& print);

}  // namespace stagedtrain::grow
