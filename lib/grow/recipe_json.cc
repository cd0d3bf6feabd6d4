// Blocks as JSON.
#include "grow/recipe_json.h"

#include "arch/architectures.h"

namespace stagedtrain::grow {
namespace {

Json block_json(const Block& block, const arch::ParamTable& sources) {
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

Json blocks_json(const std::vector<Block>& blocks, const arch::ParamTable& sources) {
  Json list = Json::array();
  for (const Block& block : blocks) list.push_back(block_json(block, sources));
  return list;
}

Json tensors_json(const GrowthStep& step) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  Json list = Json::array();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TensorRecipe& made = step.tensors[i];
    list.push_back({{"name", targets[i].name},
                    {"shape", targets[i].shape()},
                    {"new", made.is_new},
                    {"lr_scale", made.lr_scale},
                    {"decay_scale", made.decay_scale},
                    {"eps_scale", made.eps_scale},
                    {"value", blocks_json(made.value, sources)},
                    {"gradient", blocks_json(made.gradient, sources)}});
  }
  return list;
}

}  // namespace

const char* kind_name(Block::Kind kind) {
  constexpr const char* kNames[] = {"copy",  "mean_rows", "mean_columns",
                                    "noise", "normal",    "constant"};
  return kNames[static_cast<int>(kind)];
}

Json steps_json(const GrowthRecipe& recipe) {
  Json list = Json::array();
  for (const GrowthStep& step : recipe.steps)
    list.push_back({{"operator", step.operators},
                    {"exact", step.exact},
                    {"equivariant", step.equivariant},
                    {"symmetric", step.symmetric},
                    {"to", describe(step.to)},
                    {"tensors", tensors_json(step)}});
  return list;
}

}  // namespace stagedtrain::grow
