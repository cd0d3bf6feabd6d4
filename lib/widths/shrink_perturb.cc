// Changes the blocks of a padding growth into those of a shrunk and perturbed one.
#include "widths/shrink_perturb.h"

#include <fmt/format.h>

#include "base/rng.h"

namespace stagedtrain::grow {
namespace {

TensorBlock perturbation(const arch::ParamSpec& target, double noise, std::int64_t seed) {
  TensorBlock block;
  block.kind = TensorBlock::Kind::normal;
  block.extent = corner_of(target);
  block.scale = noise * target.init.value;
  block.add = true;
  block.stream = hash_name(fmt::format("{} perturbed {}", target.name, seed));
  block.noise_columns = block.extent[1];
  return block;
}

}  // namespace

void shrink_and_perturb(const ShrinkPerturb& options, const arch::ParamTable& targets,
                        std::int64_t seed, GrowthStep& step) {
  if (options.shrink == 1 && options.noise == 0) return;
  step.exact = step.equivariant = step.symmetric = false;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].axes.size() != 2) continue;
    std::vector<TensorBlock>& value = step.tensors[i].value;
    for (TensorBlock& block : value)
      if (reads_source(block)) block.scale *= options.shrink;
    if (options.noise == 0) continue;
    std::erase_if(value, [](const TensorBlock& block) { return !reads_source(block); });
    value.push_back(perturbation(targets[i], options.noise, seed));
  }
}

}  // namespace stagedtrain::grow
