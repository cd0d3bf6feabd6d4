// Composing and checking recipes.
#include "grow/recipe.h"

#include <algorithm>

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

std::vector<BlockCopy> compose_blocks(const GrowthRecipe& first,
                                      const std::vector<BlockCopy>& outer, Blocks kind) {
  std::vector<BlockCopy> composed;
  BlockCopy part;
  for (const BlockCopy& read : outer) {
    if (read.noise_stream) {
      // Noise made by the second growth: its size follows the tensor that the middle one came from.
      const auto& origin = first.tensors[read.source].value;
      if (origin.empty()) continue;
      composed.push_back(read);
      composed.back().source = origin.front().source;
      composed.back().scale *= origin.front().scale;
      continue;
    }
    for (const BlockCopy& inner : first.tensors[read.source].*kind)
      if (intersect(inner, read, part)) composed.push_back(part);
  }
  return composed;
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
    ST_CHECK(inside(block.from, block.extent, corner_of(sources[block.source])),
             "{}: block {} reads outside {}", target.name, i, sources[block.source].name);
    for (std::size_t j = 0; j < i; ++j)
      ST_CHECK(blocks[j].noise_stream || !overlap(block, blocks[j]), "{}: written twice",
               target.name);
  }
}

}  // namespace

Corner corner_of(const arch::ParamSpec& spec) {
  return {spec.axes[0].size, spec.axes.size() == 2 ? spec.axes[1].size : 1};
}

GrowthRecipe identity(const arch::ModelConfig& config) {
  GrowthRecipe recipe{config, config, {}, true, ""};
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
  GrowthRecipe whole{first.from, second.to, {}, first.exact && second.exact, first.operators};
  if (!whole.operators.empty() && !second.operators.empty()) whole.operators += ", ";
  whole.operators += second.operators;
  for (const TensorRecipe& outer : second.tensors) {
    TensorRecipe& made = whole.tensors.emplace_back();
    made.value = compose_blocks(first, outer.value, &TensorRecipe::value);
    made.gradient = compose_blocks(first, outer.gradient, &TensorRecipe::gradient);
    made.moments_reset = outer.moments_reset;
    made.is_new = outer.is_new;
    for (const BlockCopy& read : outer.value) {
      made.moments_reset |= first.tensors[read.source].moments_reset;
      made.is_new |= first.tensors[read.source].is_new;
    }
  }
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
    ST_CHECK(!recipe.tensors[i].moments_reset || recipe.tensors[i].gradient.empty(),
             "{}: reset moments have blocks", targets[i].name);
  }
}

}  // namespace stagedtrain::grow
