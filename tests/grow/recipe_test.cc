// Recipes: composed as if applied one after the other, checked, printed.
#include "grow/recipe.h"

#include <cmath>

#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using grow::GrowthRecipe;
using state::DType;
using state::TensorKind;
using test::contains;

namespace {

struct Pair {
  const char *first, *second;
  std::string list() const { return fmt::format("[{}, {}]", first, second); }
};

state::TrainingState one_after_the_other(const Pair& pair, const state::TrainingState& from) {
  const auto alone = [](const char* text, const arch::ModelConfig& model) {
    return test::recipe_of(fmt::format("[{}]", text), model);
  };
  const state::TrainingState middle = test::grown(alone(pair.first, from.model), from);
  return test::grown(alone(pair.second, middle.model), middle);
}

// Made tensor by tensor, as from file to file.
state::TrainingState streamed(const GrowthRecipe& recipe, const state::TrainingState& from) {
  state::TrainingState to = test::grown(recipe, from);
  grow::grow_tensors(
      recipe, from.of(state::TensorKind::weights)[0].dtype(), state::tensor_kinds(from.has_ema()),
      [&](state::TensorKind kind, std::size_t i) {
        return std::as_const(from.of(kind)[i]).bytes();
      },
      [&](state::TensorKind kind, std::size_t i, std::span<const std::byte> bytes) {
        std::ranges::copy(bytes, to.of(kind)[i].bytes().begin());
      });
  return to;
}

}  // namespace

TEST_CASE("a list of operators makes the bits of its parts applied one after the other") {
  const Pair pair = GENERATE(
      Pair{"{operator: depth, layers: 4}", "{operator: width, symmetry: {noise: 0}}"},
      Pair{"{operator: width}", "{operator: depth, layers: 5, new_layers: copied}"},
      Pair{"{operator: width}", "{operator: width, factor: 3, symmetry: {noise: 0.1}}"},
      Pair{"{operator: depth, layers: 3}", "{operator: depth, factor: 2, moments: copy}"},
      Pair{"{operator: clone, moments: reset_new, ramp: 5}", "{operator: depth, layers: 7}"});
  const DType dtype = GENERATE(DType::f32, DType::f64);
  CAPTURE(pair.first, pair.second);
  auto model = test::tiny_model();
  model.tied = GENERATE(true, false);
  const auto from = test::tiny_state(1, dtype, model);
  const GrowthRecipe whole = test::recipe_of(pair.list(), model);
  const state::TrainingState expected = one_after_the_other(pair, from);
  CHECK(test::difference_in_values(test::grown(whole, from), expected) == "");
  CHECK(test::difference_in_values(streamed(whole, from), expected) == "");
}

TEST_CASE("a list promises what all its parts promise, and says all") {
  const auto model = test::tiny_model();
  const GrowthRecipe both = test::recipe_of(
      "[{operator: width, symmetry: {noise: 0}, moments: equivariant}, "
      "{operator: depth, layers: 3}]",
      model);
  CHECK(both.exact());
  CHECK(both.equivariant());
  CHECK(both.symmetric());
  CHECK(both.operators().find("{operator: width, factor: 2, symmetry: {noise: 0, seed: 7}") == 0);
  CHECK(contains(both.operators(), ", {operator: depth, layers: 3, order: alternate"));
  const GrowthRecipe broken = test::recipe_of(
      "[{operator: width}, {operator: depth, layers: 3, new_layers: copied}]", model);
  CHECK_FALSE(broken.exact());
  CHECK_FALSE(broken.equivariant());
  CHECK_FALSE(broken.symmetric());
}

TEST_CASE("a recipe with a fault is refused") {
  GrowthRecipe recipe = test::recipe_of("[{operator: width, moments: equivariant}]");
  grow::check_recipe(recipe);
  const std::size_t up = test::index_of(recipe.to, "layers.1.mlp.up.weight");
  grow::TensorRecipe& made = recipe.steps[0].tensors[up];
  std::string says;
  SECTION("a tensor without a recipe") {
    recipe.steps[0].tensors.pop_back();
    says = "35 recipes for 36 tensors";
  }
  SECTION("a block beyond the target") {
    made.value[0].to[0] = 60;
    says = "layers.1.mlp.up.weight: a block outside";
  }
  SECTION("a block beyond the source") {
    made.gradient[1].from[1] = 1;
    says = "a block reads outside layers.1.mlp.up.weight";
  }
  SECTION("an empty block") {
    made.value[0].extent[1] = 0;
    says = "a block outside";
  }
  SECTION("a source that is not there") {
    made.value[0].source = 36;
    says = "no source tensor 36";
  }
  SECTION("entries written twice") {
    made.gradient.push_back(made.gradient[2]);
    says = "written twice";
  }
  SECTION("noise that a later block would overwrite") {
    std::swap(made.value.front(), made.value.back());
    says = "what was added is overwritten";
  }
  SECTION("noise in the gradient") {
    made.gradient.push_back(made.value.back());
    says = "a gradient that is not made of copies and means";
  }
  SECTION("growths that do not meet") {
    recipe.steps.push_back(recipe.steps[0]);
    says = "growths do not meet";
  }
  const std::string found = test::refusal(ErrorKind::bug, [&] { grow::check_recipe(recipe); });
  INFO(found);
  CHECK(contains(found, says));
}

TEST_CASE("the text of a recipe has every tensor, its blocks and scales, and the totals") {
  std::string text;
  print_text(
      test::recipe_of("[{operator: width, moments: equivariant}, {operator: depth, layers: 3, "
                      "order: append}]"),
      [&](const std::string& piece) { text += piece; });
  INFO(text);
  for (const char* part : {"from             gpt2, 2 layers x 8, 2 heads of 4",
                           "to               gpt2, 3 layers x 16, 4 heads of 4",
                           "by               {operator: width, factor: 2", "the loss is kept",
                           "2 blocks (50%, rest zero) + noise", "4 blocks x 0.5", "2 blocks x 0.5",
                           " zero ", " reset", "parameters       2,144 -> ", "FLOPs per token"})
    CHECK(contains(text, part));
  for (const auto& spec : arch::param_table(test::tiny_model(3)))
    CHECK(contains(text, "\n" + spec.name + " "));
}

TEST_CASE("advice about copies that stay equal names options that the operator has") {
  const auto advice = [](const char* growth) {
    const std::string text = grow::summary(test::recipe_of(growth));
    INFO(text);
    const std::string before = "unless dropout separates them: set ";
    const std::size_t begin = text.find(before);
    return begin == std::string::npos ? "" : text.substr(begin + before.size());
  };
  CHECK(advice("[{operator: width, symmetry: {noise: 0}, moments: equivariant}]") ==
        "symmetry.noise, or moments: reset_new\n");
  for (const char* growth : {"[{operator: mango, width: 16, fit: {steps: 0}}]",
                             "[{operator: depth, layers: 3}, {operator: ligo, width: 16, fit: "
                             "{steps: 0}}]"})
    CHECK(advice(growth) == "fit.steps above 0, or moments: reset_new\n");
  CHECK(advice("[{operator: mango, width: 16, fit: {steps: 0}, moments: reset_new}]") == "");
  CHECK(advice("[{operator: width, symmetry: {noise: 0.01}}]") == "");
}
