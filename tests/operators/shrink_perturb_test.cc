// The warm start of expand, entry by entry: W' = shrink [W 0; 0 0] + noise N.
#include "widths/shrink_perturb.h"

#include <algorithm>
#include <cmath>

#include "apply/apply.h"
#include "arch/architectures.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/catch.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;

namespace {

// A llama, whose residual stream is padded with zeros, grown from 16 to 48 wide.
TrainingState small_state() {
  return test::tiny_state(1, state::DType::f64,
                          arch::resolved({.architecture = "llama",
                                          .layers = 2,
                                          .width = 16,
                                          .heads = 4,
                                          .vocab = 32,
                                          .context = 16,
                                          .tied = false}));
}

TrainingState grown(const TrainingState& from, const std::string& options) {
  const std::string list =
      "[{operator: expand, width: 48, heads: 12, ffn: 129, moments: reset" + options + "}]";
  return grow::apply(grow::make_recipe(schedule::parse_yaml(list, ""), from.model, "grow"),
                     test::clone(from));
}

std::size_t index_of(const arch::ParamTable& table, const std::string& name) {
  return static_cast<std::size_t>(table.index(name));
}

}  // namespace

TEST_CASE("without shrink and noise, expand is as it was to the bit") {
  const TrainingState small = small_state();
  CHECK(test::difference(grown(small, ", shrink: 1, noise: 0"), grown(small, "")) == "");
  const auto recipe = grow::make_recipe(
      schedule::parse_yaml("[{operator: expand, width: 48, heads: 12}]", ""), small.model, "");
  CHECK(recipe.exact());
}

TEST_CASE("shrink alone multiplies the old entries of matrices and embeddings") {
  const TrainingState small = small_state(), plain = grown(small, ""),
                      shrunk = grown(small, ", shrink: 0.5");
  const arch::ParamTable table = arch::param_table(plain.model),
                         sources = arch::param_table(small.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const std::vector<std::int64_t> shape = table[i].shape();
    const std::vector<std::int64_t> old = sources[index_of(sources, table[i].name)].shape();
    const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
    for (std::int64_t j = 0; j < table[i].count(); ++j) {
      const bool is_old = shape.size() == 2 && j / columns < old[0] && j % columns < old[1];
      CHECK(shrunk.of(TensorKind::weights)[i].at(j) ==
            (is_old ? 0.5 : 1) * plain.of(TensorKind::weights)[i].at(j));
    }
  }
}

TEST_CASE("noise is as large as its share of fresh weights, and the rest is zero") {
  const TrainingState small = small_state(), noisy = grown(small, ", shrink: 0.4, noise: 0.5");
  const arch::ParamTable table = arch::param_table(noisy.model),
                         sources = arch::param_table(small.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].axes.size() != 2) continue;
    CAPTURE(table[i].name);
    const std::size_t source = index_of(sources, table[i].name);
    const std::int64_t columns = table[i].shape()[1], old_columns = sources[source].shape()[1],
                       old_rows = sources[source].shape()[0];
    double sum = 0, squares = 0;
    for (std::int64_t j = 0; j < table[i].count(); ++j) {
      const std::int64_t row = j / columns, column = j % columns;
      const bool is_old = row < old_rows && column < old_columns;
      const double w =
          is_old ? small.of(TensorKind::weights)[source].at(row * old_columns + column) : 0;
      const double n = (noisy.of(TensorKind::weights)[i].at(j) - 0.4 * w) / table[i].init.value;
      sum += n;
      squares += n * n;
    }
    const auto count = static_cast<double>(table[i].count());
    CHECK(std::abs(sum / count) < 4 * 0.5 / std::sqrt(count));
    CHECK(std::sqrt(squares / count) == Approx(0.5).epsilon(0.06));
  }
}

TEST_CASE("a warm start promises nothing, and its sizes have limits") {
  const arch::ModelConfig model = small_state().model;
  const auto recipe = [&](const std::string& options) {
    return grow::make_recipe(
        schedule::parse_yaml("[{operator: expand, width: 48, " + options + "}]", ""), model, "");
  };
  CHECK_FALSE(recipe("shrink: 0.4").exact());
  CHECK_FALSE(recipe("noise: 0.1").exact());
  CHECK_THROWS_AS(recipe("shrink: 0"), Error);
  CHECK_THROWS_AS(recipe("shrink: 1.5"), Error);
  CHECK_THROWS_AS(recipe("noise: -1"), Error);
}
