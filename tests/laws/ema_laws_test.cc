// The laws of growth for the moving average of the weights, over every operator and architecture.
#include "laws/running_state.h"
#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;

namespace {

void set_average(TrainingState& state, const TrainingState& weights_of) {
  state.of(TensorKind::ema).clear();
  for (const HostTensor& tensor : weights_of.of(TensorKind::weights))
    state.of(TensorKind::ema).push_back(tensor.clone());
}

// The recipe of a case, whose further states have averages too: their own weights.
grow::GrowthRecipe recipe_of(const test::GrowthCase& c, const test::TempDir& dir) {
  if (c.list.find("$other") == std::string::npos) return c.recipe();
  TrainingState other = test::law_state(c.from, state::DType::f64, 12);
  set_average(other, other);
  const Path path = dir / "other.h5";
  state::save(path, other);
  return grow::make_recipe(
      schedule::parse_yaml(test::replaced(c.list, "$other", path.string()), ""), c.from, "grow");
}

bool is_linear(const grow::GrowthRecipe& recipe) {
  for (const grow::GrowthStep& step : recipe.steps)
    for (const grow::TensorRecipe& made : step.tensors)
      for (const grow::TensorBlock& block : made.value)
        if (block.kind == grow::TensorBlock::Kind::noise ||
            block.kind == grow::TensorBlock::Kind::slerp)
          return false;
  return true;
}

}  // namespace

TEST_CASE("an average that equals the weights equals them after every growth, to the bit") {
  const test::TempDir dir;
  for (const test::GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    TrainingState small = test::law_state(c.from);
    set_average(small, small);
    const TrainingState large = test::grown(recipe_of(c, dir), small);
    REQUIRE(large.of(TensorKind::ema).size() == large.of(TensorKind::weights).size());
    for (std::size_t i = 0; i < large.of(TensorKind::ema).size(); ++i)
      REQUIRE(std::ranges::equal(large.of(TensorKind::ema)[i].bytes(),
                                 large.of(TensorKind::weights)[i].bytes()));
  }
}

TEST_CASE("without noise and arcs the grown average of two states is the average of grown ones") {
  const test::TempDir dir;
  int linear = 0;
  for (const test::GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = recipe_of(c, dir);
    if (!is_linear(recipe)) continue;
    ++linear;
    TrainingState one = test::law_state(c.from, state::DType::f64, 21),
                  two = test::law_state(c.from, state::DType::f64, 22);
    set_average(one, one);
    set_average(two, two);
    TrainingState both = test::clone(one);
    for (std::size_t i = 0; i < both.of(TensorKind::ema).size(); ++i) {
      HostTensor& average = both.of(TensorKind::ema)[i];
      for (std::int64_t j = 0; j < average.count(); ++j)
        average.set(j, 0.25 * average.at(j) + 0.75 * two.of(TensorKind::weights)[i].at(j));
    }
    const TrainingState grown_one = test::grown(recipe, one), grown_two = test::grown(recipe, two),
                        grown_both = test::grown(recipe, both);
    for (std::size_t i = 0; i < grown_both.of(TensorKind::ema).size(); ++i) {
      const HostTensor &a = grown_one.of(TensorKind::weights)[i],
                       &b = grown_two.of(TensorKind::weights)[i],
                       &average = grown_both.of(TensorKind::ema)[i];
      double most = 0;
      for (std::int64_t j = 0; j < average.count(); ++j)
        most = std::max(most, std::abs(average.at(j) - (0.25 * a.at(j) + 0.75 * b.at(j))));
      REQUIRE(most <= 1e-13 * std::max(1.0, test::largest(average)));
    }
  }
  CHECK(linear > 300);
}

TEST_CASE("a growth that reads a state without an average refuses it for one with an average") {
  const arch::ModelConfig model = arch::resolved(test::law_model("gpt2", true, 0));
  const test::GrowthCase c{"[{operator: merge, with: [$other]}]", model};
  TrainingState small = test::law_state(model);
  set_average(small, small);
  const std::string said = test::refusal(ErrorKind::usage, [&] { test::grown(c.recipe(), small); });
  CHECK(said.find("has no moving average of the weights") != std::string::npos);
}
