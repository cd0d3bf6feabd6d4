// A growth as data: for every tensor of the larger model, which blocks of which smaller tensors it
// is made of. Printable, testable without tensors.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::grow {

// Rows and columns; a tensor with one axis is a single column.
using Corner = std::array<std::int64_t, 2>;

// One block of a target tensor: extent[0] x extent[1] entries at `to`. What they are:
//   copy          scale x the source's entries at `from`
//   mean_rows     scale x the mean over `span` rows of the source from row from[0] on, the same in
//                 every row of the block; columns from from[1] on
//   mean_columns  the same over columns
//   noise         scale x the root mean square of the source tensor x numbers of mean 0 and
//                 variance 1 (CounterRng::quick_normal)
//   normal        scale x standard normal numbers
//   constant      scale
// Random numbers are a function of stream and index = row * noise_columns + column, counted from
// `from`. Noise is always added to what is there, others if `add`.
struct Block {
  enum class Kind { copy, mean_rows, mean_columns, noise, normal, constant };
  Kind kind = Kind::copy;
  std::size_t state = 0;   // 0: the state that grows; i: the i-th of GrowthStep::others
  std::size_t source = 0;  // index into the smaller model's table
  Corner from{}, to{}, extent{};
  double scale = 1;
  bool add = false;
  // Which copy of the rows and of the columns the block is. {0, 0} is the old place; a term of a
  // sum or mean has it too, for what is made of several old entries is a copy of none.
  Corner tile{};
  std::int64_t span = 0;
  std::uint64_t stream = 0;
  std::int64_t noise_columns = 0;
  bool operator==(const Block&) const = default;
};

// How one tensor is made. Entries that no block covers are zero. Weights take `value`, exp_avg
// takes `gradient` (docs/growth.md: gradients grow by the dual maps), exp_avg_sq takes `gradient`
// with squared scales, or with the scales as they are if `moments_copied`. Gradients are made of
// copies and means only. What none of them covers starts anew, its bias correction too.
struct TensorRecipe {
  std::vector<Block> value = {}, gradient = {};
  bool moments_copied = false;  // both moments are carried with the weights (moments: copy)
  bool is_new = false;          // part of a layer or expert that the smaller model did not have
  // The tensor of the smaller model whose optimizer's scales and generation go on in this one, also
  // where its numbers do not (a silent or random layer).
  std::optional<std::size_t> heir_of = {};
  // Factors of the optimizer's scales (state/tensor_history.h), and the steps over which the
  // learning rate of what starts anew rises.
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  std::int64_t ramp_steps = 0;
};

// One operator's growth.
struct GrowthStep {
  arch::ModelConfig from, to;
  std::string operators;  // as YAML, one line, every option given
  std::string asked;      // the same as it was written, without defaults
  bool exact = true;      // promises that the loss is kept (to rounding)
  // Promises that the gradient of the grown model is the grown gradient, for every tensor that is
  // not new, and that both moments are made so.
  bool equivariant = true;
  // Copies that nothing ever tells apart: the grown model stays the small one in disguise.
  bool symmetric = false;
  std::int64_t mask_steps = 0;        // what is new stands behind a mask for this long
  std::vector<TensorRecipe> tensors;  // in the order of param_table(to)
  std::vector<std::string> others;    // files of further states of the model `from`
};

// A whole growth: one or more operators, each on the result of the one before.
struct GrowthRecipe {
  arch::ModelConfig from, to;
  std::vector<GrowthStep> steps;

  // As YAML, one line: every option given, or as it was written.
  std::string operators() const;
  std::string asked() const;
  bool exact() const;
  bool equivariant() const;
  bool symmetric() const;
};

// Whether the block is made of entries of a source, rather than of random numbers or a constant.
bool reads_source(const Block& block);
// Rows and columns of a tensor.
Corner corner_of(const arch::ParamSpec& spec);
// The block that copies a whole tensor.
Block whole_of(const arch::ParamTable& sources, std::size_t source);
// Law 1: every tensor has a recipe, every block lies in its source and target, and nothing that is
// not added lies on another block. Throws Error(bug).
void check_recipe(const GrowthRecipe& recipe);

// For people: both models, the operators, what is promised, parameters and FLOPs.
std::string summary(const GrowthRecipe& recipe);
// The same, and operator by operator, tensor by tensor the source, blocks and scales. A recipe may
// have a million tensors, so the text is handed to `print` piece by piece; polls for a stop
// request.
using Print = std::function<void(const std::string&)>;
void print_text(const GrowthRecipe& recipe, const Print& print);

}  // namespace stagedtrain::grow
