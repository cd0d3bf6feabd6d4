// Models without layers: what they are, and what they may grow into.
#include "arch/cost.h"
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::TensorKind;
using test::contains;

namespace {

std::string refused(const std::string& list) {
  return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, test::tiny_model(0)); });
}

}  // namespace

TEST_CASE("a model without layers is embeddings, a final norm and a head") {
  const arch::ModelConfig model = test::tiny_model(0);
  std::vector<std::string> names;
  for (const arch::ParamSpec& spec : arch::param_table(model)) names.push_back(spec.name);
  CHECK(names == std::vector<std::string>{"embed.token", "embed.position", "final_norm.weight",
                                          "final_norm.bias"});
  CHECK(arch::count_params(model).total == 32 * 8 + 16 * 8 + 2 * 8);
  CHECK(arch::flops_per_token(model) == 6 * 32 * 8);
}

TEST_CASE("depth adds random layers to a model without layers and keeps the rest") {
  const auto small = test::tiny_state(1, state::DType::f64, test::tiny_model(0));
  const std::string moments = GENERATE("equivariant", "reset_new", "reset", "copy");
  const auto large = test::grown(
      test::recipe_of("[{operator: depth, layers: 3, new_layers: random, moments: " + moments +
                          "}]",
                      small.model),
      small);
  const auto again = test::grown(
      test::recipe_of("[{operator: depth, layers: 3, new_layers: random, seed: 8}]", small.model),
      small);
  REQUIRE(large.model == test::tiny_model(3));
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    CAPTURE(spec.name, moments);
    const state::HostTensor& made = test::tensor(large, TensorKind::weights, spec.name);
    if (spec.layer < 0) {
      const state::HostTensor& old = test::tensor(small, TensorKind::weights, spec.name);
      CHECK(std::ranges::equal(made.bytes(), old.bytes()));
      continue;
    }
    CHECK(large.histories[test::index_of(large.model, spec.name)].generation ==
          static_cast<std::int64_t>(large.lineage.size()));
    double squares = 0;
    for (std::int64_t i = 0; i < made.count(); ++i) {
      squares += made.at(i) * made.at(i);
      CHECK(test::tensor(large, TensorKind::exp_avg, spec.name).at(i) == 0);
    }
    const double size = std::sqrt(squares / static_cast<double>(made.count()));
    if (spec.axes.size() == 1) {
      CHECK(size == spec.init.value);
    } else {
      CHECK(size == Approx(spec.init.value).epsilon(0.5));
      CHECK(made.at(0) != test::tensor(again, TensorKind::weights, spec.name).at(0));
    }
  }
}

TEST_CASE("a model without layers has none to copy, and says so") {
  for (const char* list :
       {"[{operator: depth, layers: 3}]", "[{operator: depth, layers: 3, new_layers: copied}]",
        "[{operator: stack, layers: 3}]", "[{operator: expand, layers: 2}]",
        "[{operator: lemon, layers: 2}]", "[{operator: ligo, layers: 2, fit: {steps: 0}}]"})
    CHECK(contains(refused(list), "found a source without layers, expected new_layers: random"));
  CHECK(contains(refused("[{operator: depth, factor: 2, new_layers: random}]"),
                 "depth: found factor 2, but the source has no layers to multiply"));
  CHECK(contains(refused("[{operator: stack, factor: 2}]"), "stack: found factor 2"));
  CHECK(contains(refused("[{operator: depth, layers: [0, 0], new_layers: random}]"),
                 "the source has no layers; expected a number"));
  CHECK(contains(refused("[{operator: llama_pro}]"), "does not divide the source's 0 layers"));
}

TEST_CASE("width grows without layers as it does with them") {
  const auto recipe = test::recipe_of("[{operator: width, factor: 2}]", test::tiny_model(0));
  CHECK(recipe.exact());
  const auto large = test::grown(recipe, test::tiny_state(1, state::DType::f64, test::tiny_model(0)));
  CHECK(large.model.layers == 0);
  CHECK(large.model.width == 16);
}
