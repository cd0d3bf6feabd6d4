// Converts blocks to JSON, and prints a recipe as JSON tensor by tensor.
#include "grow/recipe_json.h"

#include "arch/architectures.h"
#include "base/signals.h"
#include "text/json.h"

namespace stagedtrain::grow {
namespace {

Json block_json(const TensorBlock& block, const arch::ParamTable& sources) {
  Json json = {{"kind", kind_name(block.kind)},
               {"source", sources[block.source].name},
               {"from", block.from},
               {"to", block.to},
               {"extent", block.extent},
               {"scale", block.scale}};
  if (block.state) json["state"] = block.state;
  if (block.add) json["add"] = true;
  if (block.span) json["span"] = block.span;
  if (block.stream) json["stream"] = block.stream;
  return json;
}

Json blocks_json(const std::vector<TensorBlock>& blocks, const arch::ParamTable& sources) {
  Json list = Json::array();
  for (const TensorBlock& block : blocks) list.push_back(block_json(block, sources));
  return list;
}

Json use_json(const std::optional<MapUse>& use) {
  if (!use) return nullptr;
  return {{"map", use->map}, {"unit", use->unit}, {"reads", use->reads}};
}

Json row_json(const std::optional<MapRow>& at) {
  if (!at) return nullptr;
  return {{"map", at->map}, {"row", at->row}};
}

Json product_json(const MapProduct& product, const arch::ParamTable& sources) {
  Json json = {{"sources", Json::array()},
               {"rows", use_json(product.rows)},
               {"columns", use_json(product.columns)},
               {"layers", row_json(product.layers)}};
  for (const std::size_t source : product.sources) json["sources"].push_back(sources[source].name);
  if (product.kinds) json["kinds"] = row_json(product.kinds);
  if (product.is_part())
    json.update({{"from", product.from}, {"extent", product.extent}, {"to", product.to}});
  return json;
}

Json prediction_json(const LayerPrediction& prediction, const arch::ParamTable& sources) {
  Json json = {{"sources", Json::array()}, {"below", prediction.below}, {"seed", prediction.seed}};
  for (const std::size_t source : prediction.sources)
    json["sources"].push_back(sources[source].name);
  return json;
}

Json tensor_json(const TensorRecipe& made, const arch::ParamSpec& target,
                 const arch::ParamTable& sources) {
  Json json = {{"name", target.name},
               {"shape", target.shape()},
               {"new", made.is_new},
               {"lr_scale", made.lr_scale},
               {"decay_scale", made.decay_scale},
               {"eps_scale", made.eps_scale},
               {"value", blocks_json(made.value, sources)},
               {"gradient", blocks_json(made.gradient, sources)},
               {"moments_copied", made.moments_copied}};
  for (const MapProduct& product : made.products)
    json["products"].push_back(product_json(product, sources));
  if (made.prediction) json["prediction"] = prediction_json(*made.prediction, sources);
  return json;
}

// Returns the sizes of the maps. Their entries are known only after the fit.
Json maps_json(const std::vector<DenseMap>& maps) {
  Json json = Json::array();
  for (const DenseMap& map : maps)
    json.push_back({{"rows", map.rows}, {"columns", map.columns}, {"fixed_rows", map.fixed}});
  return json;
}

void print_step(const GrowthStep& step, const Print& print) {
  Json json = {{"operator", step.operators},
               {"exact", step.exact},
               {"equivariant", step.equivariant},
               {"symmetric", step.symmetric},
               {"to", describe(step.to)}};
  if (!step.maps.empty()) json["maps"] = maps_json(step.maps);
  std::string head = json_text(json, -1);
  head.pop_back();  // removes the closing brace
  print(head + ", \"tensors\": [");
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("printing a growth");
    print((i > 0 ? ",\n" : "\n") +
          json_text(tensor_json(step.tensors[i], targets[i], sources), -1));
  }
  print("\n]}");
}

}  // namespace

const char* kind_name(TensorBlock::Kind kind) {
  constexpr const char* kNames[] = {"copy",   "mean_rows", "mean_columns", "noise",
                                    "normal", "constant",  "slerp"};
  return kNames[static_cast<int>(kind)];
}

void print_steps(const GrowthRecipe& recipe, const Print& print) {
  print("[");
  for (std::size_t i = 0; i < recipe.steps.size(); ++i) {
    if (i > 0) print(",\n");
    print_step(recipe.steps[i], print);
  }
  print("]");
}

}  // namespace stagedtrain::grow
