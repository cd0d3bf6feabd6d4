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

bool overlap(const TensorBlock& a, const TensorBlock& b) {
  for (int d = 0; d < 2; ++d)
    if (a.to[d] + a.extent[d] <= b.to[d] || b.to[d] + b.extent[d] <= a.to[d]) return false;
  return true;
}

bool adds(const TensorBlock& block) {
  return block.add || block.kind == TensorBlock::Kind::noise ||
         block.kind == TensorBlock::Kind::slerp;
}

// Returns the numbers of rows and columns that the block reads from its source.
Corner read_extent(const TensorBlock& block) {
  switch (block.kind) {
    case TensorBlock::Kind::copy:
    case TensorBlock::Kind::slerp:
      return block.extent;
    case TensorBlock::Kind::mean_rows:
      return {block.span, block.extent[1]};
    case TensorBlock::Kind::mean_columns:
      return {block.extent[0], block.span};
    default:
      return {0, 0};
  }
}

void check_block(const TensorBlock& block, const GrowthStep& step, const arch::ParamSpec& target,
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
void check_pair(const TensorBlock& first, const TensorBlock& second,
                const arch::ParamSpec& target) {
  ST_CHECK(adds(second) || !overlap(first, second), "{}: {}", target.name,
           adds(first) ? "what was added is overwritten" : "written twice");
}

// Sorts the blocks by row and compares each only with those that begin before its last row, because
// a recipe may have thousands.
void check_overlaps(const std::vector<TensorBlock>& blocks, const arch::ParamSpec& target) {
  std::vector<const TensorBlock*> sorted;
  for (const TensorBlock& block : blocks) sorted.push_back(&block);
  std::sort(sorted.begin(), sorted.end(),
            [](const TensorBlock* a, const TensorBlock* b) { return a->to < b->to; });
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t j = i + 1;
         j < sorted.size() && sorted[j]->to[0] < sorted[i]->to[0] + sorted[i]->extent[0]; ++j)
      check_pair(*std::min(sorted[i], sorted[j]), *std::max(sorted[i], sorted[j]), target);
}

void check_use(const GrowthStep& step, const std::optional<MapUse>& use, std::int64_t from,
               const std::string& tensor) {
  if (!use) return;
  ST_CHECK(use->map < step.maps.size(), "{}: no map {}", tensor, use->map);
  ST_CHECK(step.maps[use->map].columns * use->unit == from,
           "{}: a map of {} units of {} for {} indices", tensor, step.maps[use->map].columns,
           use->unit, from);
}

void check_row(const GrowthStep& step, const MapRow& at, const std::string& tensor) {
  ST_CHECK(at.map < step.maps.size(), "{}: no map {}", tensor, at.map);
  ST_CHECK(at.row >= 0 && at.row < step.maps[at.map].rows, "{}: row {} of a map of {}", tensor,
           at.row, step.maps[at.map].rows);
}

// Checks that there is a weight for each source.
void check_weights(const GrowthStep& step, const MapProduct& product, const std::string& tensor) {
  if (product.layers) check_row(step, *product.layers, tensor);
  if (product.kinds) check_row(step, *product.kinds, tensor);
  const std::int64_t layers = product.layers ? step.maps[product.layers->map].columns : 1,
                     kinds = product.kinds ? step.maps[product.kinds->map].columns : 1;
  ST_CHECK(static_cast<std::int64_t>(product.sources.size()) == layers * kinds,
           "{}: {} sources of {} layers and {} kinds", tensor, product.sources.size(), layers,
           kinds);
}

void check_product(const GrowthStep& step, const TensorRecipe& made, const MapProduct& product,
                   const arch::ParamSpec& target, const arch::ParamTable& sources) {
  ST_CHECK(made.value.empty(), "{}: blocks and a product", target.name);
  check_weights(step, product, target.name);
  const Corner extent = source_extent(product, sources), to = corner_of(target);
  ST_CHECK(product.from.size() == (product.is_part() ? product.sources.size() : 0),
           "{}: {} places of {} parts", target.name, product.from.size(), product.sources.size());
  for (std::size_t j = 0; j < product.sources.size(); ++j) {
    ST_CHECK(product.sources[j] < sources.size(), "{}: no source tensor {}", target.name,
             product.sources[j]);
    const Corner from = corner_of(sources[product.sources[j]]);
    ST_CHECK(product.is_part() ? inside(product.from[j], extent, from) : from == extent,
             "{}: a product reads outside {}", target.name, sources[product.sources[j]].name);
  }
  check_use(step, product.rows, extent[0], target.name);
  check_use(step, product.columns, extent[1], target.name);
  const Corner size = size_of(product, step.maps, extent);
  ST_CHECK(product.is_part() ? inside(product.to, size, to) : size == to,
           "{}: a product of {} x {} does not fit", target.name, size[0], size[1]);
}

void check_prediction(const TensorRecipe& made, const arch::ParamSpec& target,
                      const arch::ParamTable& sources) {
  const LayerPrediction& prediction = *made.prediction;
  ST_CHECK(made.value.empty() && made.products.empty(), "{}: predicted, and made of blocks",
           target.name);
  ST_CHECK(prediction.below >= 0 &&
               prediction.below + 1 < static_cast<std::int64_t>(prediction.sources.size()),
           "{}: predicted between layers {} and {} of {}", target.name, prediction.below,
           prediction.below + 1, prediction.sources.size());
  for (const std::size_t source : prediction.sources)
    ST_CHECK(source < sources.size() && corner_of(sources[source]) == corner_of(target),
             "{}: predicted from a tensor of another size", target.name);
}

void check_step(const GrowthStep& step) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  ST_CHECK(step.tensors.size() == targets.size(), "{} recipes for {} tensors", step.tensors.size(),
           targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("checking a growth");
    for (const auto blocks : {&step.tensors[i].value, &step.tensors[i].gradient}) {
      for (const TensorBlock& block : *blocks) check_block(block, step, targets[i], sources);
      check_overlaps(*blocks, targets[i]);
    }
    for (const MapProduct& product : step.tensors[i].products)
      check_product(step, step.tensors[i], product, targets[i], sources);
    if (step.tensors[i].prediction) check_prediction(step.tensors[i], targets[i], sources);
    for (const TensorBlock& block : step.tensors[i].gradient)
      ST_CHECK(reads_source(block) && block.kind != TensorBlock::Kind::slerp,
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

bool reads_source(const TensorBlock& block) {
  return block.kind == TensorBlock::Kind::copy || block.kind == TensorBlock::Kind::mean_rows ||
         block.kind == TensorBlock::Kind::mean_columns || block.kind == TensorBlock::Kind::slerp;
}

Corner corner_of(const arch::ParamSpec& spec) {
  return {spec.axes[0].size, spec.axes.size() == 2 ? spec.axes[1].size : 1};
}

Corner source_extent(const MapProduct& product, const arch::ParamTable& sources) {
  return product.is_part() ? product.extent : corner_of(sources[product.sources.front()]);
}

TensorBlock whole_of(const arch::ParamTable& sources, std::size_t source) {
  TensorBlock block;
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
bool GrowthRecipe::shrinks() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const GrowthStep& step) { return step.shrinks; });
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
