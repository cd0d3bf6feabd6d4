// How is a recipe printed as text? The summary, and the table of tensors of `grow --dry-run`.
#include <algorithm>
#include <cmath>
#include <set>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "base/signals.h"
#include "grow/recipe.h"
#include "grow/recipe_json.h"
#include "grow/symmetry_advice.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::grow {
namespace {

std::string shape_text(const arch::ParamSpec& spec) {
  std::vector<std::string> sizes;
  for (const arch::AxisSize& axis : spec.axes) sizes.push_back(std::to_string(axis.size));
  return join(sizes, "x");
}

// Returns the scales of the copies, such as " x 0.5" or " x 0.25 to 1"; empty if all are 1.
std::string scales_text(const std::vector<TensorBlock>& blocks) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const TensorBlock& block : blocks)
    if (block.kind == TensorBlock::Kind::copy) {
      low = std::min(low, block.scale);
      high = std::max(high, block.scale);
    }
  if (low == high) return low == 1 ? "" : fmt::format(" x {:.6g}", low);
  return fmt::format(" x {:.4g} to {:.4g}", low, high);
}

// Describes the blocks of a tensor, for instance as "copy", "4 blocks x 0.5", "2 blocks (50%, rest
// zero) + noise" or "zero".
std::string blocks_text(const std::vector<TensorBlock>& blocks, const arch::ParamSpec& target) {
  std::int64_t covered = 0, count = 0;
  std::set<std::string> others;
  bool adds = false;
  for (const TensorBlock& block : blocks) {
    if (block.kind == TensorBlock::Kind::copy) {
      ++count;
      adds |= block.add;
    } else {
      others.insert(block.kind == TensorBlock::Kind::noise && block.scale == 1
                        ? "random"
                        : kind_name(block.kind));
    }
    if (block.kind != TensorBlock::Kind::noise && block.kind != TensorBlock::Kind::slerp &&
        !block.add)
      covered += block.extent[0] * block.extent[1];
  }
  if (blocks.empty()) return "zero";
  std::string text;
  if (count > 0) {
    text = count == 1 && covered == target.count() ? "copy" : fmt::format("{} blocks", count);
    if (adds) text += " added";
    if (covered < target.count() && !adds && !others.contains("random"))
      text += fmt::format(" ({:.0f}%, rest zero)", 100.0 * static_cast<double>(covered) /
                                                       static_cast<double>(target.count()));
    text += scales_text(blocks);
  }
  for (const std::string& other : others) text += (text.empty() ? "" : " + ") + other;
  return text;
}

// Describes products, for instance as "learned: rows, columns, 4 layers" or "learned: 4 parts of 12
// kinds, rows, columns, 4 layers".
std::string products_text(const GrowthStep& step, const std::vector<MapProduct>& products) {
  const MapProduct& first = products.front();
  std::set<Corner> places;
  for (const MapProduct& product : products) places.insert(product.to);
  std::vector<std::string> parts;
  if (first.kinds)
    parts.push_back(fmt::format("{} of {}", counted(std::ssize(places), "part"),
                                counted(step.maps[first.kinds->map].columns, "kind")));
  if (first.rows) parts.push_back("rows");
  if (first.columns) parts.push_back("columns");
  if (first.layers) parts.push_back(counted(step.maps[first.layers->map].columns, "layer"));
  return "learned: " + join(parts, ", ");
}

// Describes where a tensor's weights come from.
std::string weights_text(const GrowthStep& step, const TensorRecipe& made,
                         const arch::ParamSpec& target) {
  if (!made.products.empty()) return products_text(step, made.products);
  if (made.prediction)
    return fmt::format("predicted between layers {} and {}", made.prediction->below,
                       made.prediction->below + 1);
  return blocks_text(made.value, target);
}

// Returns the tensor of the smaller model that a tensor is made of in the first place, or null.
const arch::ParamSpec* first_source(const TensorRecipe& made, const arch::ParamTable& sources) {
  if (!made.products.empty()) return &sources[made.products.front().sources.front()];
  if (made.prediction)
    return &sources[made.prediction->sources[static_cast<std::size_t>(made.prediction->below)]];
  const auto& blocks = made.value.empty() ? made.gradient : made.value;
  const bool sourced = !blocks.empty() && blocks[0].kind != TensorBlock::Kind::normal;
  return sourced ? &sources[blocks[0].source] : nullptr;
}

const char* promise_text(const GrowthRecipe& recipe) {
  if (!recipe.exact()) return "the loss changes";
  return recipe.equivariant() ? "the loss is kept, old tensors' moments are exact"
                              : "the loss is kept";
}

std::string row_text(const auto&... cells) {
  std::string line = fmt::format("{:<32} {:>11}  {:<32} {:>11}  {:<38} {}", cells...);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// Returns the optimizer scales, such as "; lr x 0.5, decay x 2, eps x 0.5"; empty if they are 1.
std::string dynamics_text(const TensorRecipe& made) {
  if (made.lr_scale == 1 && made.eps_scale == 1) return "";
  return fmt::format("; lr x {:.4g}, decay x {:.4g}, eps x {:.4g}", made.lr_scale, made.decay_scale,
                     made.eps_scale);
}

void print_tensors(const GrowthStep& step, const Print& print) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  const bool copied = std::any_of(step.tensors.begin(), step.tensors.end(),
                                  [](const TensorRecipe& made) { return made.moments_copied; });
  print(row_text("tensor", "shape", "source", "shape", "weights",
                 copied ? "exp_avg and exp_avg_sq" : "exp_avg (exp_avg_sq: scale squared)"));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("printing a growth");
    const TensorRecipe& made = step.tensors[i];
    const arch::ParamSpec* source = first_source(made, sources);
    print(row_text(targets[i].name, shape_text(targets[i]), source ? source->name : "-",
                   source ? shape_text(*source) : "-", weights_text(step, made, targets[i]),
                   (made.gradient.empty() ? "reset" : blocks_text(made.gradient, targets[i])) +
                       dynamics_text(made)));
  }
}

std::int64_t trained_entries(const GrowthStep& step) {
  std::int64_t count = 0;
  for (const DenseMap& map : step.maps) count += (map.rows - map.fixed) * map.columns;
  return count;
}

}  // namespace

std::string summary(const GrowthRecipe& recipe) {
  const auto ratio = [](double before, double after) {
    return fmt::format("x {:.2f}", after / before);
  };
  const std::int64_t params = arch::count_params(recipe.from).total,
                     grown_params = arch::count_params(recipe.to).total;
  const double flops = arch::flops_per_token(recipe.from),
               grown_flops = arch::flops_per_token(recipe.to);
  std::string text = fmt::format(
      "from             {}\nto               {}\nby               {}\npromise          {}\n"
      "parameters       {} -> {} ({})\nFLOPs per token  {} -> {} ({})\n",
      describe(recipe.from), describe(recipe.to), recipe.operators(), promise_text(recipe),
      grouped(params), grouped(grown_params),
      ratio(static_cast<double>(params), static_cast<double>(grown_params)), short_count(flops),
      short_count(grown_flops), ratio(flops, grown_flops));
  for (const GrowthStep& step : recipe.steps)
    if (step.fit.steps > 0)
      text += fmt::format("fit              {} to train {} of {} numbers\n",
                          counted(step.fit.steps, "step"), counted(std::ssize(step.maps), "map"),
                          grouped(trained_entries(step)));
  if (recipe.symmetric())
    text += fmt::format(
        "warning          copies receive identical gradients, so the larger model never gains "
        "capacity unless dropout separates them: set {}\n",
        symmetry_advice(recipe));
  return text;
}

void print_text(const GrowthRecipe& recipe, const Print& print) {
  print(summary(recipe));
  for (const GrowthStep& step : recipe.steps) {
    print("\n");
    if (recipe.steps.size() > 1)
      print(fmt::format("{} makes {}\n", step.operators, describe(step.to)));
    print_tensors(step, print);
  }
}

}  // namespace stagedtrain::grow
