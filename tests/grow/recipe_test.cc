// Recipes: composed as if applied one after the other, checked, printed.
#include "grow/recipe.h"

#include <cmath>

#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using grow::GrowthRecipe;
using state::DType;
using state::Kind;
using test::contains;

namespace {

struct Pair {
  const char *first, *second;
};

state::TrainingState one_after_the_other(const Pair& pair, const state::TrainingState& from) {
  const state::TrainingState middle = test::grown(test::recipe_of(pair.first, from.model), from);
  return test::grown(test::recipe_of(pair.second, middle.model), middle);
}

GrowthRecipe composed(const Pair& pair, const arch::ModelConfig& from) {
  const GrowthRecipe first = test::recipe_of(pair.first, from);
  return grow::compose(first, test::recipe_of(pair.second, first.to));
}

double largest_difference(const state::TrainingState& a, const state::TrainingState& b) {
  double largest = 0;
  for (const Kind kind : state::kKinds)
    for (std::size_t i = 0; i < a.of(kind).size(); ++i)
      for (std::int64_t j = 0; j < a.of(kind)[i].count(); ++j)
        largest = std::max(largest, std::abs(a.of(kind)[i].at(j) - b.of(kind)[i].at(j)));
  return largest;
}

}  // namespace

TEST_CASE("the identity changes no bit") {
  const auto from = test::tiny_state();
  CHECK(test::difference_in_values(test::grown(grow::identity(from.model), from), from) == "");
}

TEST_CASE("a composed recipe makes the bits of its parts applied one after the other") {
  const Pair pair = GENERATE(
      Pair{"[{operator: depth, layers: 4}]", "[{operator: width, symmetry: {noise: 0}}]"},
      Pair{"[{operator: width, symmetry: {noise: 0}}]", "[{operator: depth, layers: 3}]"},
      Pair{"[{operator: width}]", "[{operator: depth, layers: 5, new_layers: copied}]"},
      Pair{"[{operator: width}]", "[{operator: width, symmetry: {noise: 0}}]"},
      Pair{"[{operator: depth, layers: 3}]", "[{operator: width, factor: 3}]"},
      Pair{"[{operator: depth, layers: 3}]", "[{operator: depth, factor: 2, moments: copy}]"},
      Pair{"[{operator: depth, factor: 2, order: append, new_layers: copied, moments: copy}]",
           "[{operator: depth, layers: 7}]"});
  const DType dtype = GENERATE(DType::f32, DType::f64);
  CAPTURE(pair.first, pair.second);
  auto model = test::tiny_model();
  model.tied = GENERATE(true, false);
  const auto from = test::tiny_state(1, dtype, model);
  const GrowthRecipe whole = composed(pair, model);
  grow::check_recipe(whole);
  CHECK(test::difference_in_values(test::grown(whole, from), one_after_the_other(pair, from)) ==
        "");
}

TEST_CASE("scales that are no powers of two, and noise, differ by rounding only") {
  const Pair pair = GENERATE(Pair{"[{operator: width, factor: 3, symmetry: {noise: 0}}]",
                                  "[{operator: width, factor: 3, symmetry: {noise: 0}}]"},
                             Pair{"[{operator: width, symmetry: {noise: 0}}]",
                                  "[{operator: width, factor: 4, symmetry: {noise: 1}}]"});
  const auto from = test::tiny_state(1, DType::f64);
  const auto a = test::grown(composed(pair, from.model), from), b = one_after_the_other(pair, from);
  CHECK(largest_difference(a, b) < 1e-15);
}

TEST_CASE("noise on noise keeps its size when composed") {
  const Pair noisy{"[{operator: width, symmetry: {noise: 0.1}}]",
                   "[{operator: width, symmetry: {noise: 0.1, seed: 8}}]"};
  const auto from = test::tiny_state(1, DType::f64);
  const auto a = test::grown(composed(noisy, from.model), from),
             b = one_after_the_other(noisy, from);
  const auto plain = test::grown(
      composed({noisy.first, "[{operator: width, symmetry: {noise: 0}}]"}, from.model), from);
  const double noise = largest_difference(b, plain);
  CHECK(noise > 0);
  CHECK(largest_difference(a, b) < 0.02 * noise);
}

TEST_CASE("a composed recipe promises what both parts promise, and says both") {
  const auto model = test::tiny_model();
  const GrowthRecipe both = test::recipe_of(
      "[{operator: width, symmetry: {noise: 0}}, {operator: depth, layers: 3}]", model);
  CHECK(both.exact);
  CHECK(both.equivariant);
  CHECK(both.operators ==
        "{operator: width, factor: 2, symmetry: {noise: 0, seed: 7}}, {operator: depth, layers: 3, "
        "order: alternate, new_layers: zero_output, moments: reset}");
  const GrowthRecipe broken = test::recipe_of(
      "[{operator: width}, {operator: depth, layers: 3, new_layers: copied}]", model);
  CHECK_FALSE(broken.exact);
  CHECK_FALSE(broken.equivariant);
}

TEST_CASE("a reset stays a reset, and a new layer new, through a second growth") {
  const GrowthRecipe whole =
      composed({"[{operator: depth, layers: 3}]", "[{operator: depth, layers: 6, moments: copy}]"},
               test::tiny_model());
  const auto at = [&](const char* name) { return whole.tensors[test::index_of(whole.to, name)]; };
  // Layers 0, 0', 1 become 0, 0, 0', 0', 1, 1: the third and fourth come from the new one.
  for (const char* name : {"layers.2.mlp.up.weight", "layers.3.mlp.down.weight"}) {
    CAPTURE(name);
    CHECK(at(name).moments_reset);
    CHECK(at(name).is_new);
    CHECK(at(name).gradient.empty());
  }
  CHECK_FALSE(at("layers.1.mlp.up.weight").moments_reset);
  CHECK(at("layers.1.mlp.up.weight").is_new);
  CHECK_FALSE(at("layers.4.mlp.up.weight").is_new);
}

TEST_CASE("recipes that do not meet are not composed") {
  const GrowthRecipe one = grow::identity(test::tiny_model(2)),
                     other = grow::identity(test::tiny_model(3));
  CHECK(contains(test::refusal(ErrorKind::bug, [&] { grow::compose(one, other); }), "do not meet"));
}

TEST_CASE("a recipe with a fault is refused") {
  GrowthRecipe recipe = test::recipe_of("[{operator: width}]");
  grow::check_recipe(recipe);
  const std::size_t up = test::index_of(recipe.to, "layers.1.mlp.up.weight");
  grow::TensorRecipe& made = recipe.tensors[up];
  std::string says;
  SECTION("a tensor without a recipe") {
    recipe.tensors.pop_back();
    says = "35 recipes for 36 tensors";
  }
  SECTION("a block beyond the target") {
    made.value[0].to[0] = 60;
    says = "layers.1.mlp.up.weight: block 0 outside";
  }
  SECTION("a block beyond the source") {
    made.gradient[1].from[1] = 1;
    says = "block 1 reads outside layers.1.mlp.up.weight";
  }
  SECTION("an empty block") {
    made.value[0].extent[1] = 0;
    says = "block 0 outside";
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
    says = "noise is overwritten";
  }
  SECTION("noise in the gradient") {
    made.gradient.push_back(made.value.back());
    says = "noise in the gradient";
  }
  SECTION("moments that are reset and made of blocks") {
    made.moments_reset = true;
    says = "reset moments have blocks";
  }
  const std::string found = test::refusal(ErrorKind::bug, [&] { grow::check_recipe(recipe); });
  INFO(found);
  CHECK(contains(found, says));
}

TEST_CASE("the text of a recipe has every tensor, its blocks and scales, and the totals") {
  const std::string text =
      to_text(test::recipe_of("[{operator: width}, {operator: depth, layers: 3, order: append}]"));
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
