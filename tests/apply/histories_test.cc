// Does every tensor have the age of its youngest moments, and the scales of its source?
#include "apply/histories.h"

#include <functional>
#include <set>

#include "checkpoint/checkpoint.h"
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::MomentAge;
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

bool has_zero_moments(const TrainingState& state, std::size_t i) {
  const state::HostTensor& m = state.of(state::TensorKind::exp_avg)[i];
  for (std::int64_t j = 0; j < m.count(); ++j)
    if (m.at(j) == 0) return true;
  return false;
}

}  // namespace

TEST_CASE("a tensor is new exactly if some of its moments were zeroed, and else as old as before") {
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
    CHECK(large.histories[i].age.start == (has_zero_moments(large, i) ? 100 : 0));
  }
}

TEST_CASE("a tensor of which moments were zeroed ramps up") {
  const TrainingState large =
      test::grown(test::recipe_of("[{operator: width, axes: [ffn], moments: reset_new, ramp: 30}]"),
                  old_state());
  CHECK(history(large, "layers.0.mlp.up.weight").age == MomentAge{100, 30});
  CHECK(history(large, "layers.0.norm_1.weight").age == MomentAge{0, 0});
}

TEST_CASE("ages go through a second growth, which makes no tensor older") {
  TrainingState once =
      test::grown(test::recipe_of("[{operator: width, axes: [ffn], moments: reset_new, ramp: 30}]"),
                  old_state());
  const auto again = [&](const char* list) {
    return test::grown(test::recipe_of(list, once.model), once);
  };
  const char* second =
      "[{operator: width, axes: [ffn], symmetry: {noise: 0}, moments: equivariant}]";
  CHECK(history(again(second), "layers.0.mlp.up.bias").age == MomentAge{100, 30});
  const char* resets = "[{operator: width, axes: [ffn], moments: reset_new}]";
  CHECK(history(again(resets), "layers.0.mlp.up.bias").age == MomentAge{100, 30});
  once.progress.step = 150;
  CHECK(history(again(second), "layers.0.mlp.up.bias").age == MomentAge{100, 30});
  CHECK(history(again(resets), "layers.0.mlp.up.bias").age == MomentAge{150, 0});
  CHECK(history(again(resets), "layers.0.norm_1.weight").age == MomentAge{0, 0});
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
TEST_CASE("a merged tensor is as old as the younger state's moments, on the clock of the first") {
  const test::TempDir dir;
  const std::string file = other_file(dir, [](TrainingState& other) {
    other.histories[test::index_of(other.model, "layers.0.mlp.up.bias")].age = {30, 50};
  });
  const TrainingState large =
      test::grown(test::recipe_of("[{operator: merge, with: [\"" + file + "\"]}]"), old_state());
  CHECK(history(large, "layers.0.norm_1.weight").age == MomentAge{60, 0});
  CHECK(history(large, "layers.0.mlp.up.bias").age == MomentAge{90, 50});
}

TEST_CASE("merge and interpolate may take a state that is older than the one that grows") {
  const test::TempDir dir;
  const std::string file =
      other_file(dir, [](TrainingState& other) { other.progress.step = 5000; });
  const TrainingState large = test::grown(
      test::recipe_of("[{operator: interpolate, with: \"" + file + "\", share: 1}]"), old_state());
  for (const TensorHistory& history : large.histories) CHECK(history.age.start == 100 - 5000);
}

TEST_CASE("an average is as old as its youngest term, and a share of 0 is none") {
  const test::TempDir dir;
  const std::string file = other_file(dir, [](TrainingState&) {});
  const auto starts = [&](double share) {
    const TrainingState mixed =
        test::grown(test::recipe_of(fmt::format(
                        "[{{operator: interpolate, with: \"{}\", share: {}}}]", file, share)),
                    old_state());
    std::set<std::int64_t> all;
    for (const TensorHistory& history : mixed.histories) all.insert(history.age.start);
    return all;
  };
  CHECK(starts(0) == std::set<std::int64_t>{0});
  CHECK(starts(0.25) == std::set<std::int64_t>{60});
  CHECK(starts(1) == std::set<std::int64_t>{60});
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
