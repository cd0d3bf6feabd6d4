// What is a recipe? A growth as data, which lists for each tensor of the larger model the blocks of
// old tensors that it consists of.
//
// Goal: an operator only describes its growth, and one function executes every description (fill.h,
// apply.h). So a recipe can be printed (grow --dry-run), checked before a byte is written
// (check_recipe), compared with a paper's formulas in a test, and applied to float or double, in
// memory or from file to file, with the same bits.
//
// A tensor has two lists of blocks, because values and gradients grow by dual maps: weights by
// D_out W S_in, gradients by S_out^T G D_in^T (docs/growth.md, "Two equations"). For example, the
// operator `width` with factor 2 turns a matrix W with gradient G into 2 x 2 blocks of W's size:
//   value     1 * W at (0, 0) and (1, 1); (0, 1) and (1, 0) stay zero
//   gradient  1/2 * G at all four places for exp_avg; the scale is squared, 1/4, for exp_avg_sq
//
// Invariant: every block lies inside its source and its target, and covers entries of an earlier
// block only if it adds to them or changes them (check_recipe).
//
// Rejected: operators that write tensors themselves. Each would need its own tests for every kind
// of tensor, precision and storage, and a list of operators would need whole states in between.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/param_table.h"
#include "grow/dense_map.h"

namespace stagedtrain::grow {

// A row and a column, or numbers of rows and columns. A tensor with one axis is a single column.
using Corner = std::array<std::int64_t, 2>;

// One block of a target tensor: extent[0] x extent[1] entries, beginning at `to`. Their values by
// kind:
//   copy          scale * the source's entries at `from`
//   mean_rows     scale * the mean of `span` rows of the source, beginning at row from[0] and at
//                 column from[1]; the same in every row of the block
//   mean_columns  the same with rows and columns exchanged
//   slerp         the midpoint of the arc from a, what is there, to b, the source's entries at
//                 `from`: (a + b) / sqrt(2 + 2 cos(a, b)); (a + b) / 2 where there is no such arc
//   noise         scale * the root mean square of the source tensor * numbers of mean 0 and
//                 variance 1 (CounterRng::quick_normal)
//   normal        scale * standard normal numbers
//   constant      scale
// Random numbers are a pure function of stream and index = row * noise_columns + column, where rows
// and columns count from `from`. Noise is added to what is there, and slerp changes it; the other
// kinds are added if `add` is set, and otherwise replace it.
struct TensorBlock {
  enum class Kind { copy, mean_rows, mean_columns, noise, normal, constant, slerp };
  Kind kind = Kind::copy;
  std::size_t state = 0;   // 0: the state that grows; i: the i-th of GrowthStep::others
  std::size_t source = 0;  // index in the smaller model's table
  Corner from{}, to{}, extent{};
  double scale = 1;
  bool add = false;
  // The number of the copy that the block is, in rows and in columns; {0, 0} is the old place. The
  // terms of a sum or mean have {0, 0} too, because the result is not a copy of any of them.
  Corner tile{};
  std::int64_t span = 0;  // rows or columns of which a mean is taken
  std::uint64_t stream = 0;
  std::int64_t noise_columns = 0;
  bool operator==(const TensorBlock&) const = default;
};

// A matrix of a new layer that is predicted from those of all layers (learned/layer_prediction.h).
struct LayerPrediction {
  std::vector<std::size_t> sources;  // of every layer, as indices in the smaller model's table
  std::int64_t below = 0;            // the new layer is between this layer and the next one
  std::uint64_t seed = 0;
};

// How one tensor is made. Weights are made of the blocks of `value` and exp_avg of those of
// `gradient`. exp_avg_sq is made of `gradient` with squared scales, or with unchanged scales if
// moments_copied is set. Entries that no block covers are zero. `gradient` holds only copies and
// means. Entries that it does not cover start with zero moments, and the bias correction of the
// whole tensor restarts.
struct TensorRecipe {
  std::vector<TensorBlock> value = {}, gradient = {};
  // Make the weights in place of `value`, which is empty then, with the maps of the step: their
  // sum, each at its place.
  std::vector<MapProduct> products = {};
  std::optional<LayerPrediction> prediction = {};  // likewise
  bool moments_copied = false;  // moments: copy, so exp_avg_sq uses the same scales as exp_avg
  bool is_new = false;          // belongs to a layer or expert that the old model did not have
  // The tensor of the old model whose optimizer scales and generation this one inherits, even if it
  // does not inherit its values (in a silent or random layer).
  std::optional<std::size_t> heir_of = {};
  // Factors on the optimizer scales of that tensor (state/tensor_history.h), and the number of
  // steps over which its learning rate rises if `gradient` does not cover it.
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  std::int64_t ramp_steps = 0;
};

// The growth by one operator, with what it promises.
struct GrowthStep {
  arch::ModelConfig from, to;
  std::string operators;  // one line of YAML with every option
  std::string asked;      // the same with only the options that the user wrote
  bool exact = true;      // the loss is kept, up to rounding
  // The gradient of the grown model is the grown gradient, in every tensor that is not new, and
  // both moments are made accordingly.
  bool equivariant = true;
  // Copies receive identical gradients and stay equal, so the larger model never gains capacity.
  bool symmetric = false;
  bool shrinks = false;               // its operator is meant to make models smaller
  std::int64_t mask_steps = 0;        // steps over which the mask of new parts rises; 0: no mask
  std::vector<TensorRecipe> tensors;  // in the order of param_table(to)
  std::vector<std::string> others;    // checkpoints of further states of the model `from`
  std::vector<DenseMap> maps;         // of the products of `tensors`
  MapFit fit;
};

// A whole growth: one or more operators, each applied to the result of the previous one.
struct GrowthRecipe {
  arch::ModelConfig from, to;
  std::vector<GrowthStep> steps;

  // Return all steps as one line of YAML: with every option, or as the user wrote them.
  std::string operators() const;
  std::string asked() const;
  bool exact() const;        // whether all steps are
  bool equivariant() const;  // whether all steps are
  bool symmetric() const;    // whether any step is
  bool shrinks() const;      // whether any step does
};

// Returns whether the block's values come from a source's entries (copy, mean, slerp), not from
// random numbers or a constant.
bool reads_source(const TensorBlock& block);
// Returns the numbers of rows and columns of a tensor.
Corner corner_of(const arch::ParamSpec& spec);
// Returns the rows and columns of each W_j of a product.
Corner source_extent(const MapProduct& product, const arch::ParamTable& sources);
// Returns the block that copies the whole tensor `source` of the table.
TensorBlock whole_of(const arch::ParamTable& sources, std::size_t source);
// Throws Error(bug) unless consecutive steps fit together, every tensor has a recipe, every block
// lies inside its source and its target, no block overwrites entries of an earlier one, and
// gradients hold only copies and means. Polls for a stop request.
void check_recipe(const GrowthRecipe& recipe);

// Returns a summary in lines of text: both models, operators, promises, parameters and FLOPs, and a
// warning if the copies stay equal.
std::string summary(const GrowthRecipe& recipe);
// Prints the summary and then, for each operator, the source, blocks and scales of every tensor. A
// recipe may have a million tensors, so the text is passed to `print` piece by piece. Polls for a
// stop request.
using Print = std::function<void(const std::string&)>;
void print_text(const GrowthRecipe& recipe, const Print& print);

}  // namespace stagedtrain::grow
