// Composing and checking recipes.
#include "grow/recipe.h"

#include <algorithm>
#include <cmath>

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::grow {
namespace {

// The part of `outer` (reading a middle tensor) that lies in what `inner` wrote there.
bool intersect(const BlockCopy& inner, const BlockCopy& outer, BlockCopy& result) {
  result = inner;
  for (int d = 0; d < 2; ++d) {
    const std::int64_t begin = std::max(inner.to[d], outer.from[d]);
    const std::int64_t end =
        std::min(inner.to[d] + inner.extent[d], outer.from[d] + outer.extent[d]);
    if (begin >= end) return false;
    result.from[d] = inner.from[d] + (begin - inner.to[d]);
    result.to[d] = outer.to[d] + (begin - outer.from[d]);
    result.extent[d] = end - begin;
  }
  result.scale = inner.scale * outer.scale;
  return true;
}

using Blocks = std::vector<BlockCopy> TensorRecipe::*;

// The root mean square of a tensor made by these blocks, as a multiple of that of the first one's
// source. Blocks of whole sources are taken as given; noise adds its variance.
double relative_size(const std::vector<BlockCopy>& blocks, const arch::ParamSpec& made) {
  double sum = 0;
  for (const BlockCopy& block : blocks)
    sum += block.scale * block.scale * static_cast<double>(block.extent[0] * block.extent[1]);
  return std::sqrt(sum / static_cast<double>(made.count()));
}

// Noise of the second growth: its size follows the middle tensor, so that of what that came from.
bool noise_through(const TensorRecipe& made, const arch::ParamSpec& middle, BlockCopy& noise) {
  if (made.value.empty()) return false;  // a zero tensor has noise of size zero
  noise.source = made.value.front().source;
  noise.scale *= relative_size(made.value, middle);
  return true;
}

std::vector<BlockCopy> compose_blocks(const GrowthRecipe& first, const arch::ParamTable& middle,
                                      const std::vector<BlockCopy>& outer, Blocks kind) {
  std::vector<BlockCopy> composed;
  BlockCopy part;
  for (const BlockCopy& read : outer) {
    if (read.noise_stream) {
      part = read;
      if (noise_through(first.tensors[read.source], middle[read.source], part))
        composed.push_back(part);
      continue;
    }
    for (const BlockCopy& inner : first.tensors[read.source].*kind)
      if (intersect(inner, read, part)) composed.push_back(part);
  }
  return composed;
}

// A tensor is reset if the second growth says so, or if all that its moments come from was reset.
TensorRecipe compose_tensor(const GrowthRecipe& first, const arch::ParamTable& middle,
                            const TensorRecipe& outer) {
  TensorRecipe made;
  made.value = compose_blocks(first, middle, outer.value, &TensorRecipe::value);
  made.gradient = compose_blocks(first, middle, outer.gradient, &TensorRecipe::gradient);
  made.is_new = outer.is_new;
  made.moments_reset = outer.moments_reset;
  for (const BlockCopy& read : outer.value) made.is_new |= first.tensors[read.source].is_new;
  for (const BlockCopy& read : outer.gradient) {
    made.is_new |= first.tensors[read.source].is_new;
    made.moments_reset |= made.gradient.empty() && first.tensors[read.source].moments_reset;
  }
  return made;
}

bool inside(const Corner& at, const Corner& extent, const Corner& size) {
  for (int d = 0; d < 2; ++d)
    if (at[d] < 0 || extent[d] <= 0 || at[d] + extent[d] > size[d]) return false;
  return true;
}

bool overlap(const BlockCopy& a, const BlockCopy& b) {
  for (int d = 0; d < 2; ++d)
    if (a.to[d] + a.extent[d] <= b.to[d] || b.to[d] + b.extent[d] <= a.to[d]) return false;
  return true;
}

void check_blocks(const std::vector<BlockCopy>& blocks, const arch::ParamSpec& target,
                  const arch::ParamTable& sources) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const BlockCopy& block = blocks[i];
    ST_CHECK(block.source < sources.size(), "{}: no source tensor {}", target.name, block.source);
    ST_CHECK(inside(block.to, block.extent, corner_of(target)), "{}: block {} outside", target.name,
             i);
    if (block.noise_stream) continue;
    for (std::size_t j = 0; j < i; ++j)
      ST_CHECK(!overlap(block, blocks[j]), "{}: {}", target.name,
               blocks[j].noise_stream ? "noise is overwritten" : "written twice");
    ST_CHECK(inside(block.from, block.extent, corner_of(sources[block.source])),
             "{}: block {} reads outside {}", target.name, i, sources[block.source].name);
  }
}

}  // namespace

Corner corner_of(const arch::ParamSpec& spec) {
  return {spec.axes[0].size, spec.axes.size() == 2 ? spec.axes[1].size : 1};
}

GrowthRecipe identity(const arch::ModelConfig& config) {
  GrowthRecipe recipe;
  recipe.from = recipe.to = config;
  const arch::ParamTable table = arch::param_table(config);
  for (std::size_t i = 0; i < table.size(); ++i) {
    BlockCopy whole;
    whole.source = i;
    whole.extent = corner_of(table[i]);
    recipe.tensors.push_back({{whole}, {whole}, false, false});
  }
  return recipe;
}

GrowthRecipe compose(const GrowthRecipe& first, const GrowthRecipe& second) {
  ST_CHECK(first.to == second.from, "recipes do not meet: {} and {}", describe(first.to),
           describe(second.from));
  GrowthRecipe whole{first.from,
                     second.to,
                     {},
                     first.exact && second.exact,
                     first.operators,
                     first.equivariant && second.equivariant};
  const arch::ParamTable middle = arch::param_table(first.to);
  if (!whole.operators.empty() && !second.operators.empty()) whole.operators += ", ";
  whole.operators += second.operators;
  for (const TensorRecipe& outer : second.tensors)
    whole.tensors.push_back(compose_tensor(first, middle, outer));
  return whole;
}

void check_recipe(const GrowthRecipe& recipe) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  ST_CHECK(recipe.tensors.size() == targets.size(), "{} recipes for {} tensors",
           recipe.tensors.size(), targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    check_blocks(recipe.tensors[i].value, targets[i], sources);
    check_blocks(recipe.tensors[i].gradient, targets[i], sources);
    for (const BlockCopy& block : recipe.tensors[i].gradient)
      ST_CHECK(!block.noise_stream && !recipe.tensors[i].moments_reset, "{}: {}", targets[i].name,
               block.noise_stream ? "noise in the gradient" : "reset moments have blocks");
  }
}

}  // namespace stagedtrain::grow
