// Checks recipes, and combines the promises of their steps into those of the whole growth.
#include "grow/recipe.h"

#include <algorithm>

#include "arch/architectures.h"
#include "base/error.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

bool inside(const Corner& at, const Corner& extent, const Corner& size) {
  for (int d = 0; d < 2; ++d)
    if (at[d] < 0 || extent[d] <= 0 || at[d] + extent[d] > size[d]) return false;
  return true;
}

bool overlap(const Block& a, const Block& b) {
  for (int d = 0; d < 2; ++d)
    if (a.to[d] + a.extent[d] <= b.to[d] || b.to[d] + b.extent[d] <= a.to[d]) return false;
  return true;
}

bool adds(const Block& block) {
  return block.add || block.kind == Block::Kind::noise || block.kind == Block::Kind::slerp;
}

// Returns the numbers of rows and columns that the block reads from its source.
Corner read_extent(const Block& block) {
  switch (block.kind) {
    case Block::Kind::copy:
    case Block::Kind::slerp:
      return block.extent;
    case Block::Kind::mean_rows:
      return {block.span, block.extent[1]};
    case Block::Kind::mean_columns:
      return {block.extent[0], block.span};
    default:
      return {0, 0};
  }
}

void check_block(const Block& block, const GrowthStep& step, const arch::ParamSpec& target,
                 const arch::ParamTable& sources) {
  ST_CHECK(inside(block.to, block.extent, corner_of(target)), "{}: a block outside", target.name);
  ST_CHECK(block.state <= step.others.size(), "{}: no state {}", target.name, block.state);
  ST_CHECK(block.source < sources.size(), "{}: no source tensor {}", target.name, block.source);
  if (reads_source(block))
    ST_CHECK(inside(block.from, read_extent(block), corner_of(sources[block.source])),
             "{}: a block reads outside {}", target.name, sources[block.source].name);
}

// Checks two blocks in the order of their list. If they share entries, the second must add to the
// first; otherwise it would overwrite what the first wrote.
void check_pair(const Block& first, const Block& second, const arch::ParamSpec& target) {
  ST_CHECK(adds(second) || !overlap(first, second), "{}: {}", target.name,
           adds(first) ? "what was added is overwritten" : "written twice");
}

// Sorts the blocks by row and compares each only with those that begin before its last row, because
// a recipe may have thousands.
void check_overlaps(const std::vector<Block>& blocks, const arch::ParamSpec& target) {
  std::vector<const Block*> sorted;
  for (const Block& block : blocks) sorted.push_back(&block);
  std::sort(sorted.begin(), sorted.end(),
            [](const Block* a, const Block* b) { return a->to < b->to; });
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t j = i + 1;
         j < sorted.size() && sorted[j]->to[0] < sorted[i]->to[0] + sorted[i]->extent[0]; ++j)
      check_pair(*std::min(sorted[i], sorted[j]), *std::max(sorted[i], sorted[j]), target);
}

void check_use(const GrowthStep& step, const std::optional<MapUse>& use, std::int64_t from,
               std::int64_t to, const std::string& tensor) {
  if (!use) {
    ST_CHECK(from == to, "{}: {} indices become {} without a map", tensor, from, to);
    return;
  }
  ST_CHECK(use->map < step.maps.size(), "{}: no map {}", tensor, use->map);
  const DenseMap& map = step.maps[use->map];
  ST_CHECK(map.columns * use->unit == from && map.rows * use->unit == to,
           "{}: a map of {} x {} units of {} for {} x {} indices", tensor, map.rows, map.columns,
           use->unit, to, from);
}

void check_product(const GrowthStep& step, const TensorRecipe& made, const arch::ParamSpec& target,
                   const arch::ParamTable& sources) {
  const MapProduct& product = *made.product;
  ST_CHECK(made.value.empty(), "{}: blocks and a product", target.name);
  ST_CHECK(!product.sources.empty(), "{}: a product of nothing", target.name);
  const Corner to = corner_of(target);
  for (const std::size_t source : product.sources) {
    ST_CHECK(source < sources.size(), "{}: no source tensor {}", target.name, source);
    const Corner from = corner_of(sources[source]);
    check_use(step, product.rows, from[0], to[0], target.name);
    check_use(step, product.columns, from[1], to[1], target.name);
  }
  if (!product.mix) {
    ST_CHECK(product.sources.size() == 1, "{}: several sources without a map", target.name);
    return;
  }
  ST_CHECK(*product.mix < step.maps.size(), "{}: no map {}", target.name, *product.mix);
  const DenseMap& mix = step.maps[*product.mix];
  ST_CHECK(mix.columns == static_cast<std::int64_t>(product.sources.size()) &&
               product.mix_row >= 0 && product.mix_row < mix.rows,
           "{}: row {} of a map of {} x {} layers for {} sources", target.name, product.mix_row,
           mix.rows, mix.columns, product.sources.size());
}

void check_step(const GrowthStep& step) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  ST_CHECK(step.tensors.size() == targets.size(), "{} recipes for {} tensors", step.tensors.size(),
           targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("checking a growth");
    for (const auto blocks : {&step.tensors[i].value, &step.tensors[i].gradient}) {
      for (const Block& block : *blocks) check_block(block, step, targets[i], sources);
      check_overlaps(*blocks, targets[i]);
    }
    if (step.tensors[i].product) check_product(step, step.tensors[i], targets[i], sources);
    for (const Block& block : step.tensors[i].gradient)
      ST_CHECK(reads_source(block) && block.kind != Block::Kind::slerp,
               "{}: a gradient that is not made of copies and means", targets[i].name);
  }
}

template <class Promise>
bool all(const GrowthRecipe& recipe, Promise promise) {
  return std::all_of(recipe.steps.begin(), recipe.steps.end(),
                     [&](const GrowthStep& step) { return step.*promise; });
}

std::string listed(const GrowthRecipe& recipe, std::string GrowthStep::*words) {
  std::string text;
  for (const GrowthStep& step : recipe.steps) text += (text.empty() ? "" : ", ") + step.*words;
  return text;
}

}  // namespace

bool reads_source(const Block& block) {
  return block.kind == Block::Kind::copy || block.kind == Block::Kind::mean_rows ||
         block.kind == Block::Kind::mean_columns || block.kind == Block::Kind::slerp;
}

Corner corner_of(const arch::ParamSpec& spec) {
  return {spec.axes[0].size, spec.axes.size() == 2 ? spec.axes[1].size : 1};
}

Block whole_of(const arch::ParamTable& sources, std::size_t source) {
  Block block;
  block.source = source;
  block.extent = corner_of(sources[source]);
  return block;
}

std::string GrowthRecipe::operators() const { return listed(*this, &GrowthStep::operators); }
std::string GrowthRecipe::asked() const { return listed(*this, &GrowthStep::asked); }

bool GrowthRecipe::exact() const { return all(*this, &GrowthStep::exact); }
bool GrowthRecipe::equivariant() const { return all(*this, &GrowthStep::equivariant); }
bool GrowthRecipe::symmetric() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const GrowthStep& step) { return step.symmetric; });
}

void check_recipe(const GrowthRecipe& recipe) {
  for (std::size_t i = 0; i < recipe.steps.size(); ++i) {
    const arch::ModelConfig& before = i ? recipe.steps[i - 1].to : recipe.from;
    ST_CHECK(recipe.steps[i].from == before, "growths do not meet: {} and {}", describe(before),
             describe(recipe.steps[i].from));
    check_step(recipe.steps[i]);
  }
}

}  // namespace stagedtrain::grow
