// What new units of clone and rms_copy are copies of: units at random, rows of the layer above; and
// what experts copies.
#include <cmath>
#include <map>
#include <set>

#include "grow/axis_map.h"
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

std::string refused(const std::string& list, const arch::ModelConfig& from = test::tiny_model()) {
  return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, from); });
}

arch::ModelConfig with_experts(std::int64_t experts, std::int64_t per_token) {
  arch::ModelConfig model = test::tiny_model();
  model.experts = experts;
  model.experts_per_token = per_token;
  return arch::resolved(model);
}

}  // namespace

TEST_CASE("random copies: old units stay, new ones are any of them, the seed decides which") {
  const grow::UnitChoice choose = grow::at_random(7), other = grow::at_random(8);
  std::map<std::int64_t, int> counts;
  int same = 0;
  for (std::int64_t i = 0; i < 8000; ++i) {
    const std::int64_t source = choose(i, 8, "ffn");
    CHECK((i >= 8 || source == i));
    CHECK(source == choose(i, 8, "ffn"));
    ++counts[source];
    same += source == other(i, 8, "ffn");
  }
  REQUIRE(counts.size() == 8);
  for (const auto& [unit, count] : counts) CHECK(std::abs(count - 1000) < 150);
  CHECK(std::abs(same - 1000) < 150);
}

// Net2Net's equation 2: U'[:, j] = U[:, g(j)], V'[j, :] = V[g(j), :] / |{k: g(k) = g(j)}|.
TEST_CASE("a random copy has the rows of its unit, and its readers are divided by the copies") {
  const TrainingState
      small = test::tiny_state(),
      large = test::grown(
          test::recipe_of(
              "[{operator: clone, factor: 3, axes: [ffn], copies: random, symmetry: {noise: 0}}]"),
          small);
  const std::string up = "layers.0.mlp.up.weight", down = "layers.0.mlp.down.weight";
  const auto &rows = test::tensor(small, TensorKind::weights, up),
             &columns = test::tensor(small, TensorKind::weights, down),
             &new_rows = test::tensor(large, TensorKind::weights, up),
             &new_columns = test::tensor(large, TensorKind::weights, down);
  const std::int64_t units = rows.shape()[0], width = rows.shape()[1], grown = 3 * units;
  std::vector<std::int64_t> source(static_cast<std::size_t>(grown), -1);
  std::map<std::int64_t, int> copies;
  for (std::int64_t j = 0; j < grown; ++j) {
    for (std::int64_t i = 0; i < units; ++i)
      if (new_rows.at(j * width) == rows.at(i * width)) source[static_cast<std::size_t>(j)] = i;
    ++copies[source[static_cast<std::size_t>(j)]];
  }
  std::set<int> numbers;
  for (const auto& [unit, count] : copies) numbers.insert(count);
  CHECK(numbers.size() > 1);  // not in turn
  for (std::int64_t j = 0; j < grown; ++j) {
    const std::int64_t from = source[static_cast<std::size_t>(j)];
    REQUIRE(from >= 0);
    for (std::int64_t c = 0; c < width; ++c) {
      REQUIRE(new_rows.at(j * width + c) == rows.at(from * width + c));
      const double whole = columns.at(c * units + from);
      REQUIRE(new_columns.at(c * grown + j) == Approx(whole / copies[from]).margin(1e-9));
    }
  }
}

// AKI: rows of copies come from layer l + 1, columns are split as those of layer l are.
TEST_CASE("the next layer's rows follow a layer's own; the highest layer copies itself") {
  const auto model = test::tiny_model(3);
  const TrainingState small = test::tiny_state(1, state::DType::f64, model);
  const auto recipe = test::recipe_of(
      "[{operator: clone, factor: 2, symmetry: {noise: 0}, copies: next_layer}]", model);
  CHECK_FALSE(recipe.exact());
  CHECK_FALSE(recipe.symmetric());
  const TrainingState large = test::grown(recipe, small);
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    CAPTURE(spec.name);
    if (spec.layer < 0) continue;
    const bool norm = spec.role == arch::Role::norm;
    const std::string above = arch::layer_name(std::min(spec.layer + 1, 2), spec.key);
    const auto &own = test::tensor(small, TensorKind::weights, spec.name),
               &next = test::tensor(small, TensorKind::weights, norm ? spec.name : above),
               &made = test::tensor(large, TensorKind::weights, spec.name);
    const std::int64_t rows = own.shape()[0],
                       columns = own.shape().size() == 2 ? own.shape()[1] : 1;
    const std::int64_t wide = made.count() / made.shape()[0];
    for (std::int64_t r = 0; r < 2 * rows; ++r)
      for (std::int64_t c = 0; c < wide; ++c) {
        const auto& source = r < rows ? own : next;
        const double split = wide == columns ? 1 : 0.5;
        REQUIRE(made.at(r * wide + c) ==
                Approx(split * source.at(r % rows * columns + c % columns)).margin(1e-15));
      }
  }
}

TEST_CASE("experts multiplies experts and rows of the router, and refuses a dense model") {
  const TrainingState small = test::tiny_state(1, state::DType::f64, with_experts(3, 2));
  const auto recipe =
      test::recipe_of("[{operator: experts, factor: 2, symmetry: {noise: 0}}]", small.model);
  CHECK(recipe.to.experts == 6);
  CHECK(recipe.to.experts_per_token == 2);
  CHECK_FALSE(recipe.exact());
  const TrainingState large = test::grown(recipe, small);
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    CAPTURE(spec.name);
    std::string name = spec.name;
    if (spec.expert >= 3)
      name.replace(name.find(fmt::format("experts.{}", spec.expert)), 9,
                   fmt::format("experts.{}", spec.expert - 3));
    const auto &made = test::tensor(large, TensorKind::weights, spec.name),
               &source = test::tensor(small, TensorKind::weights, name);
    for (std::int64_t i = 0; i < made.count(); ++i)
      REQUIRE(made.at(i) == source.at(i % source.count()));
  }
  CHECK(contains(refused("[{operator: experts}]"),
                 "experts multiplies experts, but the source has a dense feed-forward"));
}

TEST_CASE("noise of experts is on the router's rows of new copies alone") {
  const TrainingState small = test::tiny_state(1, state::DType::f64, with_experts(3, 2));
  const auto grown = [&](const std::string& noise) {
    return test::grown(
        test::recipe_of("[{operator: experts, factor: 2, symmetry: {noise: " + noise + "}}]",
                        small.model),
        small);
  };
  const TrainingState quiet = grown("0"), noisy = grown("0.1");
  for (const arch::ParamSpec& spec : arch::param_table(quiet.model)) {
    CAPTURE(spec.name);
    const auto &a = test::tensor(quiet, TensorKind::weights, spec.name),
               &b = test::tensor(noisy, TensorKind::weights, spec.name);
    const bool router = spec.axes[0].axis == arch::Axis::experts;
    for (std::int64_t i = 0; i < a.count(); ++i)
      REQUIRE((a.at(i) != b.at(i)) == (router && i >= a.count() / 2));
  }
}

TEST_CASE("mixing is of whole copies, not of random ones") {
  CHECK(contains(refused("[{operator: clone, copies: random, mixing: [[0.5, 0.5], [0.5, 0.5]]}]"),
                 "clone takes mixing only with whole copies"));
}
