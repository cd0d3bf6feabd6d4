// Ages by region: what is kept stays as old as it was, what is zeroed starts anew.
#include "grow/histories.h"

#include "grow/grow_support.h"
#include "support/errors.h"
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
  const state::HostTensor& m = state.of(state::Kind::exp_avg)[i];
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
