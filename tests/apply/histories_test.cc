// Ages by region: what is kept stays as old as it was, what is zeroed starts anew.
#include "apply/histories.h"

#include <cmath>
#include <functional>

#include "checkpoint/checkpoint.h"
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::AgedRegion;
using state::TensorHistory;
using state::TrainingState;

namespace {

TrainingState old_state() {
  TrainingState state = test::tiny_state(1, state::DType::f64);
  for (TensorHistory& history : state.histories) history = {};
  state.progress.step = 100;
  return state;
}

const TensorHistory& history(const TrainingState& state, const std::string& name) {
  return state.histories[test::index_of(state.model, name)];
}

// Whether moments are zero exactly where their age is `now`.
bool zero_where_young(const TrainingState& state, std::size_t i, std::int64_t now) {
  const state::HostTensor& m = state.of(state::TensorKind::exp_avg)[i];
  const std::int64_t columns = m.shape().size() == 2 ? m.shape()[1] : 1;
  std::vector<AgedRegion> regions = state.histories[i].regions;
  if (regions.empty()) regions = {{0, 0, m.count() / columns, columns, state.histories[i].age}};
  for (const AgedRegion& r : regions)
    for (std::int64_t row = r.row; row < r.row + r.rows; ++row)
      for (std::int64_t column = r.column; column < r.column + r.columns; ++column)
        if ((m.at(row * columns + column) == 0) != (r.age.start == now)) return false;
  return true;
}

}  // namespace

TEST_CASE("moments are zero exactly where their age says so") {
  const char* list = GENERATE(
      "[{operator: width, moments: reset_new}]", "[{operator: clone, factor: 3, moments: reset}]",
      "[{operator: width, moments: copy}]", "[{operator: lemon, width: 21, ffn: 40}]",
      "[{operator: expand, heads: 5, head_dim: 6, layers: 3}]",
      "[{operator: rms_copy, width: 13, ffn: 41}]", "[{operator: vocabulary, size: 40}]",
      "[{operator: upcycle, experts: 3}]",
      "[{operator: width, moments: reset_new}, {operator: depth, layers: 5}]");
  CAPTURE(list);
  const TrainingState large = test::grown(test::recipe_of(list), old_state());
  for (std::size_t i = 0; i < large.histories.size(); ++i) {
    CAPTURE(arch::param_table(large.model)[i].name);
    CHECK(zero_where_young(large, i, 100));
  }
}

TEST_CASE("reset_new keeps the first copy, and the rest ramps up") {
  const TrainingState large = test::grown(
      test::recipe_of("[{operator: width, moments: reset_new, ramp: 30}]"), old_state());
  CHECK(history(large, "layers.0.mlp.up.weight").regions ==
        std::vector<AgedRegion>{
            {0, 0, 32, 8, {0, 0}}, {0, 8, 32, 8, {100, 30}}, {32, 0, 32, 16, {100, 30}}});
  CHECK(history(large, "layers.0.norm_1.weight").regions ==
        std::vector<AgedRegion>{{0, 0, 8, 1, {0, 0}}, {8, 0, 8, 1, {100, 30}}});
}

TEST_CASE("regions go through a second growth") {
  TrainingState once = test::grown(
      test::recipe_of("[{operator: width, axes: [ffn], moments: reset_new}]"), old_state());
  once.progress.step = 150;
  const TrainingState twice = test::grown(
      test::recipe_of(
          "[{operator: width, axes: [ffn], symmetry: {noise: 0}, moments: equivariant}]",
          once.model),
      once);
  CHECK(history(twice, "layers.0.mlp.up.bias").regions ==
        std::vector<AgedRegion>{{0, 0, 32, 1, {0, 0}},
                                {32, 0, 32, 1, {100, 0}},
                                {64, 0, 32, 1, {0, 0}},
                                {96, 0, 32, 1, {100, 0}}});
}

TEST_CASE("scales multiply from growth to growth, and layers know when they came") {
  const auto exact = [](const TrainingState& from) {
    return test::grown(test::recipe_of("[{operator: width, dynamics: exact, moments: equivariant}, "
                                       "{operator: depth, factor: 2}]",
                                       from.model),
                       from);
  };
  const TrainingState once = exact(old_state()), twice = exact(once);
  const TensorHistory &a = history(once, "layers.0.mlp.up.weight"),
                      &b = history(twice, "layers.0.mlp.up.weight");
  CHECK(a.lr_scale == 0.5);
  CHECK(a.decay_scale == 2);
  CHECK(a.eps_scale == 0.5);
  CHECK(b.lr_scale == 0.25);
  CHECK(b.decay_scale == 4);
  CHECK(a.generation == 0);
  CHECK(history(once, "layers.1.mlp.up.weight").generation == 2);
  CHECK(history(twice, "layers.1.mlp.up.weight").generation == 3);
  CHECK(history(twice, "layers.2.mlp.up.weight").generation == 2);
}

TEST_CASE("silent and random layers have the scales of the layer that they come from") {
  const TrainingState wide = test::grown(
      test::recipe_of("[{operator: width, dynamics: exact, moments: equivariant}]"), old_state());
  for (const char* layers : {"zero_output", "random", "identity", "copied"}) {
    CAPTURE(layers);
    const TrainingState deep = test::grown(
        test::recipe_of(fmt::format("[{{operator: depth, factor: 2, new_layers: {}}}]", layers),
                        wide.model),
        wide);
    for (const char* name : {"mlp.down.weight", "mlp.up.weight", "norm_1.weight"}) {
      const TensorHistory &made = history(deep, fmt::format("layers.1.{}", name)),
                          &source = history(wide, fmt::format("layers.0.{}", name));
      CHECK(made.lr_scale == source.lr_scale);
      CHECK(made.decay_scale == source.decay_scale);
      CHECK(made.eps_scale == source.eps_scale);
    }
  }
}

TEST_CASE("nothing grows while a mask rises") {
  TrainingState masked =
      test::grown(test::recipe_of("[{operator: mask, ffn: 40, steps: 50}]"), old_state());
  CHECK(masked.mask == state::MaskRamp{100, 50});
  const auto recipe = test::recipe_of("[{operator: depth, layers: 3}]", masked.model);
  CHECK(test::contains(test::refusal(ErrorKind::usage, [&] { test::grown(recipe, masked); }),
                       "rises until step 150; this is step 100"));
  masked.progress.step = 150;
  CHECK(test::grown(recipe, masked).mask == state::MaskRamp{});
}

namespace {

// A file with a state that is 40 steps into its training; `change` does the rest.
std::string other_file(const test::TempDir& dir,
                       const std::function<void(TrainingState&)>& change) {
  TrainingState other = old_state();
  other.progress.step = 40;
  change(other);
  state::save(dir / "other.h5", other);
  return (dir / "other.h5").string();
}

}  // namespace

// The other state's moments have made 40 steps, those of the state that grows 100. Bias correction
// counts from `start` to now, which is step 100 in the result (issue 14, B7).
TEST_CASE("merge gives each state's moments their own age") {
  const test::TempDir dir;
  const std::string file = other_file(dir, [](TrainingState& other) {
    other.histories[test::index_of(other.model, "layers.0.mlp.up.bias")].age = {30, 50};
  });
  const TrainingState large =
      test::grown(test::recipe_of("[{operator: merge, with: [\"" + file + "\"]}]"), old_state());
  CHECK(history(large, "layers.0.norm_1.weight").regions ==
        std::vector<AgedRegion>{{0, 0, 8, 1, {0, 0}}, {8, 0, 8, 1, {60, 0}}});
  CHECK(history(large, "layers.0.mlp.up.bias").regions ==
        std::vector<AgedRegion>{{0, 0, 32, 1, {0, 0}}, {32, 0, 32, 1, {90, 50}}});
}

TEST_CASE("merge and interpolate may take a state that is older than the one that grows") {
  const test::TempDir dir;
  const std::string file =
      other_file(dir, [](TrainingState& other) { other.progress.step = 5000; });
  const TrainingState large = test::grown(
      test::recipe_of("[{operator: interpolate, with: \"" + file + "\", share: 1}]"), old_state());
  for (const TensorHistory& history : large.histories) CHECK(history.age.start == 100 - 5000);
}

TEST_CASE("an average of moments of several ages has the bias correction of its terms") {
  const test::TempDir dir;
  const std::string file = other_file(dir, [](TrainingState&) {});
  const TrainingState mixed =
      test::grown(test::recipe_of("[{operator: interpolate, with: \"" + file + "\", share: 0.25}]"),
                  old_state());
  // Weights of exp_avg_sq: 0.75 and 0.25, squared, so 0.9 and 0.1.
  const double correction = 0.9 * (1 - std::pow(0.999, 100)) + 0.1 * (1 - std::pow(0.999, 40));
  for (const TensorHistory& history : mixed.histories) {
    CHECK(history.regions.empty());
    CHECK(1 - std::pow(0.999, static_cast<double>(100 - history.age.start)) ==
          Approx(correction).margin(5e-4));
  }
}

TEST_CASE("ages of an average lie between those of its terms, and equal ones stay") {
  const std::int64_t now = 1000;
  const auto start = [&](std::vector<grow::AgedTerm> terms) {
    return grow::mixed_age(terms, now).start;
  };
  CHECK(start({{0.3, {17, 0}}, {0.7, {17, 0}}}) == 17);
  CHECK(start({{1, {0, 0}}, {1, {1000, 0}}}) > 0);
  CHECK(start({{1, {0, 0}}, {1, {1000, 0}}}) < 1000);
  CHECK(start({{1, {-5000000, 0}}, {1e-6, {990, 0}}}) < 0);
  CHECK(start({{1, {0, 0}}, {1e-3, {990, 0}}}) < start({{1, {0, 0}}, {1, {990, 0}}}));
}

TEST_CASE("a sum over regions of several ages is cut where they are") {
  TrainingState state = old_state();
  state.histories[test::index_of(state.model, "layers.0.mlp.up.bias")].regions = {
      {0, 0, 16, 1, {0, 0}}, {16, 0, 8, 1, {100, 0}}, {24, 0, 8, 1, {0, 0}}};
  const TrainingState small =
      test::grown(test::recipe_of("[{operator: coalesce, width: 2, layers: 1}]"), state);
  const std::vector<AgedRegion>& regions = history(small, "layers.0.mlp.up.bias").regions;
  REQUIRE(regions.size() == 2);
  CHECK(regions[0].rows == 8);
  CHECK(regions[0].age.start > 0);
  CHECK(regions[0].age.start < 100);
  CHECK(regions[1] == AgedRegion{8, 0, 8, 1, {0, 0}});
}

TEST_CASE("states that cannot be joined are refused, and the message says why") {
  const test::TempDir dir;
  const auto says = [&](const std::string& list) {
    return test::refusal(ErrorKind::usage,
                         [&] { test::grown(test::recipe_of(list), old_state()); });
  };
  const std::string masked = other_file(dir, [](TrainingState& other) { other.mask = {20, 50}; });
  for (const char* list :
       {"[{operator: merge, with: [\"$\"]}]", "[{operator: interpolate, with: \"$\"}]"}) {
    std::string text = list;
    text.replace(text.find('$'), 1, masked);
    CHECK(test::contains(says(text),
                         masked + ": the mask of the previous growth rises until step 70; this is "
                                  "step 40"));
  }
  const std::string scaled =
      other_file(dir, [](TrainingState& other) { other.histories[3].lr_scale = 0.5; });
  CHECK(test::contains(says("[{operator: interpolate, with: \"" + scaled + "\"}]"),
                       "has a learning-rate scale of 0.5, but 1 in the state that grows"));
}
