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

const char* promise_text(const GrowthRecipe& recipe) {
  if (!recipe.exact) return "the loss changes";
  return recipe.equivariant ? "the loss is kept, old tensors' moments are exact"
                            : "the loss is kept";
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
  return fmt::format(
      "from             {}\nto               {}\nby               {}\npromise          {}\n"
      "parameters       {} -> {} ({})\nFLOPs per token  {} -> {} ({})\n",
      describe(recipe.from), describe(recipe.to),
      recipe.operators.empty() ? "nothing" : recipe.operators, promise_text(recipe),
      grouped(params), grouped(grown_params),
      ratio(static_cast<double>(params), static_cast<double>(grown_params)), short_count(flops),
      short_count(grown_flops), ratio(flops, grown_flops));
}

std::string to_text(const GrowthRecipe& recipe) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  const auto row = [](auto&&... cells) {
    std::string line = fmt::format("{:<32} {:>11}  {:<32} {:>11}  {:<34} {}", cells...);
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  };
  std::string text =
      summary(recipe) + "\n" +
      row("tensor", "shape", "source", "shape", "weights", "exp_avg (exp_avg_sq: scale squared)");
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TensorRecipe& made = recipe.tensors[i];
    const auto& blocks = made.value.empty() ? made.gradient : made.value;
    const arch::ParamSpec* source = blocks.empty() ? nullptr : &sources[blocks[0].source];
    text += row(targets[i].name, shape_text(targets[i]), source ? source->name : "-",
                source ? shape_text(*source) : "-", blocks_text(made.value, targets[i]),
                gradient_text(made, targets[i]));
  }
  return text;
}

}  // namespace stagedtrain::grow
