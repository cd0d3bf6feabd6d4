// The gradient of the loss with respect to the maps of a learned growth, through the running model.
#include <ATen/core/grad_mode.h>

#include "laws/running_state.h"
#include "optim/map_gradient.h"
#include "support/catch.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;
using test::OneThread;

namespace {

grow::GrowthRecipe fitted(const std::string& growth, const arch::ModelConfig& from) {
  grow::GrowthRecipe recipe = test::GrowthCase{"[{" + growth + "}]", from}.recipe();
  recipe.steps[0].fit.done = true;
  return recipe;
}

// A learned growth for each model, and both where both apply.
std::vector<grow::GrowthRecipe> learned_growths() {
  std::vector<grow::GrowthRecipe> recipes;
  for (const arch::ModelConfig& model : test::law_models()) {
    recipes.push_back(fitted(
        "operator: ligo, layers: 3, width: 18, heads: 8, ffn: 27, fit: {steps: 1, noise: 0.3}",
        model));
    if (!test::is_cut_in_squares(model)) continue;
    recipes.push_back(
        fitted("operator: mango, layers: 3, width: 18, fit: {steps: 1, noise: 0.3}", model));
    recipes.push_back(
        fitted("operator: mango, layers: 3, rank: 2, fit: {steps: 1, noise: 0.3}", model));
  }
  return recipes;
}

train::SourceTensor weights_of(model::ParamBuffer& params) {
  return [&](std::size_t i) { return params.view(params.weights(), i); };
}

// The gradient of the maps from that of the running model, as a fit computes it.
train::MapGradients map_gradients(const grow::GrowthRecipe& recipe, const TrainingState& small) {
  const at::NoGradGuard no_grad;
  const auto from = test::running(small), to = test::running(test::grown(recipe, small));
  to->loss_and_backward(test::batch(recipe.to), 1.0, 0);
  const grow::GrowthStep& step = recipe.steps[0];
  train::MapGradients gradients = train::zero_gradients(step.maps);
  for (std::size_t i = 0; i < step.tensors.size(); ++i)
    for (const grow::MapProduct& product : step.tensors[i].products)
      train::pull_back(product, step.maps, weights_of(from->params()),
                       to->params().view(to->params().grads(), i), gradients);
  return gradients;
}

}  // namespace

TEST_CASE("the loss falls along the gradient of the maps as finite differences say") {
  const OneThread quick;
  for (grow::GrowthRecipe& recipe : learned_growths()) {
    if (recipe.from.experts > 0) continue;  // a router's choice jumps
    CAPTURE(recipe.operators(), describe(recipe.from));
    const TrainingState small = test::law_state(recipe.from);
    const train::MapGradients found = map_gradients(recipe, small);
    std::vector<grow::DenseMap>& maps = recipe.steps[0].maps;
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const auto fixed = static_cast<std::size_t>(maps[m].fixed * maps[m].columns),
                 count = maps[m].entries.size();
      for (std::size_t i = 0; i < fixed; ++i) REQUIRE(found[m][i] == 0);
      for (const std::size_t i : {fixed, (fixed + count) / 2}) {
        double& entry = maps[m].entries[i];
        const double kept = entry, h = 1e-4;
        entry = kept + h;
        const double above = test::loss_of(test::grown(recipe, small));
        entry = kept - h;
        const double below = test::loss_of(test::grown(recipe, small));
        entry = kept;
        CHECK(found[m][i] == Approx((above - below) / (2 * h)).epsilon(1e-5).margin(1e-8));
      }
    }
  }
}

TEST_CASE("steps of Adam on the maps lower the loss of the larger model") {
  const OneThread quick;
  for (grow::GrowthRecipe& recipe : learned_growths()) {
    CAPTURE(recipe.operators(), describe(recipe.from));
    const TrainingState small = test::law_state(recipe.from);
    const double before = test::loss_of(test::grown(recipe, small));
    train::MapAdam adam(recipe.steps[0].maps);
    for (int step = 0; step < 5; ++step)
      adam.step(recipe.steps[0].maps, map_gradients(recipe, small), 3e-3);
    CHECK(test::loss_of(test::grown(recipe, small)) < before);
  }
}

TEST_CASE("a fit makes the weights that the growth makes") {
  const at::NoGradGuard no_grad;
  for (const grow::GrowthRecipe& recipe : learned_growths()) {
    CAPTURE(recipe.operators(), describe(recipe.from));
    const TrainingState small = test::law_state(recipe.from);
    const auto from = test::running(small), to = test::running(test::grown(recipe, small));
    const grow::GrowthStep& step = recipe.steps[0];
    for (std::size_t i = 0; i < step.tensors.size(); ++i) {
      if (step.tensors[i].products.empty()) continue;
      const at::Tensor grown = to->params().view(to->params().weights(), i);
      const at::Tensor made = at::full_like(grown, 9);
      train::make_weights(step.tensors[i].products, step.maps, weights_of(from->params()), made);
      CHECK((made - grown).abs().max().item<double>() <= 1e-13);
    }
  }
}

TEST_CASE("Adam moves the trained rows of a map, and only them") {
  std::vector<grow::DenseMap> maps = {{2, 1, 1, {1, 1}, {1}}};
  train::MapAdam adam(maps);
  adam.step(maps, {{5, 0.5}}, 0.1);
  CHECK(maps[0].entries[0] == 1);
  CHECK(maps[0].entries[1] == Approx(0.9).epsilon(1e-7));  // the first step is lr * sign
  adam.step(maps, {{5, -0.25}}, 0.1);
  const double first = (0.9 * 0.1 * 0.5 - 0.1 * 0.25) / (1 - 0.81),
               second = (0.999 * 0.001 * 0.25 + 0.001 * 0.0625) / (1 - 0.999 * 0.999);
  CHECK(maps[0].entries[1] == Approx(0.9 - 0.1 * first / std::sqrt(second)).epsilon(1e-7));
}
