// Blocks as JSON.
#include "grow/recipe_json.h"

#include "arch/architectures.h"

namespace stagedtrain::grow {
namespace {

Json blocks_json(const std::vector<BlockCopy>& blocks, const arch::ParamTable& sources) {
  Json list = Json::array();
  for (const BlockCopy& block : blocks) {
    Json json = {{"source", sources[block.source].name},
                 {"from", block.from},
                 {"to", block.to},
                 {"extent", block.extent},
                 {"scale", block.scale}};
    if (block.noise_stream) json["noise"] = block.noise_stream;
    list.push_back(json);
  }
  return list;
}

}  // namespace

Json tensors_json(const GrowthRecipe& recipe) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  Json list = Json::array();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TensorRecipe& made = recipe.tensors[i];
    list.push_back({{"name", targets[i].name},
                    {"shape", targets[i].shape()},
                    {"new", made.is_new},
                    {"moments_reset", made.moments_reset},
                    {"value", blocks_json(made.value, sources)},
                    {"gradient", blocks_json(made.gradient, sources)}});
  }
  return list;
}

}  // namespace stagedtrain::grow
