// The gradient of the loss with respect to the maps of a learned growth, through the running model.
#include "apply/map_product.h"
#include "laws/running_state.h"
#include "support/catch.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;
using test::OneThread;

namespace {

grow::GrowthRecipe learned(const arch::ModelConfig& from) {
  grow::GrowthRecipe recipe =
      test::GrowthCase{
          "[{operator: ligo, layers: 3, width: 18, heads: 8, ffn: 27, fit: {steps: 1, noise: "
          "0.3}}]",
          from}
          .recipe();
  recipe.steps[0].fit.done = true;
  return recipe;
}

// The gradient of the maps from that of the running model, as a fit computes it.
grow::MapGradients map_gradients(const grow::GrowthRecipe& recipe, const TrainingState& small) {
  TrainingState large = test::grown(recipe, small);
  test::put_gradient(large);
  const grow::GrowthStep& step = recipe.steps[0];
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  grow::MapGradients gradients = grow::zero_gradients(step.maps);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto& product = step.tensors[i].product;
    if (!product) continue;
    grow::pull_back<double>(
        {*product, step.maps, grow::corner_of(sources[product->sources.front()]),
         grow::corner_of(targets[i])},
        [&](std::size_t s) { return small.of(TensorKind::weights)[s].as<double>(); },
        std::as_const(large).of(TensorKind::exp_avg)[i].as<double>(), gradients);
  }
  return gradients;
}

}  // namespace

TEST_CASE("the loss falls along the gradient of the maps as finite differences say") {
  const OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    if (model.experts > 0) continue;  // a router's choice jumps
    CAPTURE(describe(model));
    const TrainingState small = test::law_state(model);
    grow::GrowthRecipe recipe = learned(model);
    const grow::MapGradients found = map_gradients(recipe, small);
    std::vector<grow::DenseMap>& maps = recipe.steps[0].maps;
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const auto at = static_cast<std::size_t>(
          (maps[m].fixed * maps[m].columns + maps[m].rows * maps[m].columns) / 2);
      double& entry = maps[m].entries[at];
      const double kept = entry, h = 1e-4;
      entry = kept + h;
      const double above = test::loss_of(test::grown(recipe, small));
      entry = kept - h;
      const double below = test::loss_of(test::grown(recipe, small));
      entry = kept;
      CHECK(found[m][at] == Approx((above - below) / (2 * h)).epsilon(1e-5).margin(1e-8));
    }
  }
}

TEST_CASE("steps of Adam on the maps lower the loss of the larger model") {
  const OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    CAPTURE(describe(model));
    const TrainingState small = test::law_state(model);
    grow::GrowthRecipe recipe = learned(model);
    const double before = test::loss_of(test::grown(recipe, small));
    grow::MapAdam adam(recipe.steps[0].maps);
    for (int step = 0; step < 5; ++step)
      adam.step(recipe.steps[0].maps, map_gradients(recipe, small), 3e-3);
    CHECK(test::loss_of(test::grown(recipe, small)) < before);
  }
}
