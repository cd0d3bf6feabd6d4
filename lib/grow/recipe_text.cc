// A recipe as text: what `grow --dry-run` prints.
#include <algorithm>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "base/text.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {
namespace {

std::string shape_text(const arch::ParamSpec& spec) {
  std::vector<std::string> sizes;
  for (const arch::AxisSize& axis : spec.axes) sizes.push_back(std::to_string(axis.size));
  return join(sizes, "x");
}

// "4 of 4 blocks, x 0.5"; "all"; "zero".
std::string blocks_text(const std::vector<BlockCopy>& blocks, const arch::ParamSpec& target) {
  std::int64_t covered = 0, count = 0, noise = 0;
  double scale = 1;
  for (const BlockCopy& block : blocks) {
    if (block.noise_stream) {
      ++noise;
      continue;
    }
    ++count;
    covered += block.extent[0] * block.extent[1];
    scale = block.scale;
  }
  if (count == 0) return "zero";
  std::string text =
      count == 1 && covered == target.count() ? "copy" : fmt::format("{} blocks", count);
  if (covered < target.count())
    text += fmt::format(" ({:.0f}%, rest zero)",
                        100.0 * static_cast<double>(covered) / static_cast<double>(target.count()));
  if (scale != 1) text += " x " + fmt::format("{:.6g}", scale);
  if (noise) text += " + noise";
  return text;
}

std::string gradient_text(const TensorRecipe& recipe, const arch::ParamSpec& target) {
  if (recipe.moments_reset) return "reset";
  return blocks_text(recipe.gradient, target);
}

}  // namespace

std::string to_text(const GrowthRecipe& recipe) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  std::string text =
      fmt::format("from  {}\nto    {}\nby    {}\nloss  {}\n\n", describe(recipe.from),
                  describe(recipe.to), recipe.operators.empty() ? "nothing" : recipe.operators,
                  recipe.exact ? "kept" : "not kept");
  const std::string row = "{:<34} {:>12}  {:<34} {:>12}  {:<38} {}\n";
  text += fmt::format(fmt::runtime(row), "tensor", "shape", "source", "shape", "weights",
                      "exp_avg (exp_avg_sq: scale squared)");
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TensorRecipe& made = recipe.tensors[i];
    const auto& blocks = made.value.empty() ? made.gradient : made.value;
    const bool has = !blocks.empty();
    text += fmt::format(fmt::runtime(row), targets[i].name, shape_text(targets[i]),
                        has ? sources[blocks[0].source].name : "-",
                        has ? shape_text(sources[blocks[0].source]) : "-",
                        blocks_text(made.value, targets[i]), gradient_text(made, targets[i]));
  }
  const auto before = arch::count_params(recipe.from), after = arch::count_params(recipe.to);
  text += fmt::format(
      "\nparameters       {} -> {} (x {:.2f})\nFLOPs per token  {} -> {} (x {:.2f})\nstate         "
      "   {} -> {}\n",
      grouped(before.total), grouped(after.total),
      static_cast<double>(after.total) / static_cast<double>(before.total),
      short_count(arch::flops_per_token(recipe.from)),
      short_count(arch::flops_per_token(recipe.to)),
      arch::flops_per_token(recipe.to) / arch::flops_per_token(recipe.from),
      short_bytes(12.0 * static_cast<double>(before.total)),
      short_bytes(12.0 * static_cast<double>(after.total)));
  return text;
}

}  // namespace stagedtrain::grow
