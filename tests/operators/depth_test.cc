// Depth growth: layer maps, silent new layers, moments.
#include <cmath>

#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using arch::Role;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

struct LayerMap {
  int from;
  std::string options;
  std::vector<int> sources;  // of each layer
  std::vector<int> old;      // the layers that are not new
};

bool same(const state::HostTensor& a, const state::HostTensor& b) {
  return std::ranges::equal(a.bytes(), b.bytes());
}
bool zero(const state::HostTensor& x) {
  return std::ranges::all_of(x.bytes(), [](std::byte b) { return b == std::byte{0}; });
}

grow::GrowthRecipe depth(const std::string& options, const arch::ModelConfig& from) {
  return test::recipe_of("[{operator: depth, " + options + "}]", from);
}

}  // namespace

TEST_CASE("layers are mapped by alternate and append, to any larger number") {
  const LayerMap map = GENERATE(
      LayerMap{2, "factor: 2", {0, 0, 1, 1}, {0, 2}}, LayerMap{2, "layers: 3", {0, 0, 1}, {0, 2}},
      LayerMap{3, "layers: 5", {0, 0, 1, 1, 2}, {0, 2, 4}},
      LayerMap{3, "layers: 7, order: alternate", {0, 0, 0, 1, 1, 2, 2}, {0, 3, 5}},
      LayerMap{1, "layers: 4", {0, 0, 0, 0}, {0}}, LayerMap{2, "layers: 2", {0, 1}, {0, 1}},
      LayerMap{2, "factor: 2, order: append", {0, 1, 0, 1}, {0, 1}},
      LayerMap{3, "layers: 5, order: append", {0, 1, 2, 0, 1}, {0, 1, 2}},
      LayerMap{2, "layers: 7, order: append", {0, 1, 0, 1, 0, 1, 0}, {0, 1}},
      LayerMap{2, "layers: 4, order: last", {0, 1, 1, 1}, {0, 1}},
      // Gradual stacking: new layer i copies layer 2 L_now - L_new + i of the old ones.
      LayerMap{4, "layers: 6, order: last, block: 2", {0, 1, 2, 3, 2, 3}, {0, 1, 2, 3}},
      LayerMap{4, "layers: 8, order: last, block: 2", {0, 1, 2, 3, 2, 3, 2, 3}, {0, 1, 2, 3}},
      // MIDAS: block ceil(k/2), counted from 1, once more behind itself.
      LayerMap{1, "layers: 2, order: middle", {0, 0}, {0}},
      LayerMap{2, "layers: 4, order: middle", {0, 1, 0, 1}, {0, 1}},
      LayerMap{4, "layers: 6, order: middle", {0, 1, 0, 1, 2, 3}, {0, 1, 4, 5}},
      LayerMap{6, "layers: 8, order: middle", {0, 1, 2, 3, 2, 3, 4, 5}, {0, 1, 2, 3, 6, 7}},
      LayerMap{4, "layers: 8, order: middle, block: 2", {0, 1, 0, 1, 0, 1, 2, 3}, {0, 1, 6, 7}},
      // SOLAR: layers 0 to L-m-1, then m to L-1; L = 4 with m = 1 and 0, L = 5 with m = 2.
      LayerMap{4, "layers: 6, order: overlap", {0, 1, 2, 1, 2, 3}, {0, 1, 2, 5}},
      LayerMap{4, "layers: 8, order: overlap", {0, 1, 2, 3, 0, 1, 2, 3}, {0, 1, 2, 3}},
      LayerMap{5, "layers: 6, order: overlap", {0, 1, 2, 2, 3, 4}, {0, 1, 2, 4, 5}},
      LayerMap{3, "layers: 3, order: overlap", {0, 1, 2}, {0, 1, 2}},
      // STEP: in the gaps between layers, from the top on.
      LayerMap{4, "layers: 6, order: upper", {0, 1, 1, 2, 2, 3}, {0, 1, 3, 5}},
      LayerMap{3, "layers: 8, order: upper", {0, 0, 0, 1, 1, 1, 1, 2}, {0, 3, 7}},
      LayerMap{1, "layers: 3, order: upper", {0, 0, 0}, {0}});
  CAPTURE(map.options);
  const auto model = test::tiny_model(map.from);
  const TrainingState small = test::tiny_state(1, state::DType::f32, model);
  const auto recipe = depth(map.options + ", new_layers: copied, moments: copy", model);
  const TrainingState large = test::grown(recipe, small);
  REQUIRE(large.model.layers == static_cast<std::int64_t>(map.sources.size()));
  for (const TensorKind kind : state::kTensorKinds)
    for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
      CAPTURE(spec.name);
      const int layer = spec.layer < 0 ? -1 : map.sources[static_cast<std::size_t>(spec.layer)];
      const std::string source = spec.layer < 0 ? spec.name : arch::layer_name(layer, spec.key);
      REQUIRE(same(test::tensor(large, kind, spec.name), test::tensor(small, kind, source)));
      const bool is_new =
          spec.layer >= 0 && std::ranges::find(map.old, spec.layer) == map.old.end();
      REQUIRE(recipe.steps[0].tensors[test::index_of(large.model, spec.name)].is_new == is_new);
    }
}

TEST_CASE("zero_output silences both outputs of new layers, weights and biases, and nothing else") {
  const TrainingState small = test::tiny_state(),
                      large = test::grown(depth("layers: 3", small.model), small);
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    CAPTURE(spec.name);
    const std::string source = spec.layer < 0    ? spec.name
                               : spec.layer == 2 ? arch::layer_name(1, spec.key)
                                                 : arch::layer_name(0, spec.key);
    const auto& made = test::tensor(large, TensorKind::weights, spec.name);
    const bool silent = spec.layer == 1 && spec.role == Role::residual_out;
    CHECK(zero(made) == (silent || zero(test::tensor(small, TensorKind::weights, source))));
    if (!silent) CHECK(same(made, test::tensor(small, TensorKind::weights, source)));
  }
  CHECK(zero(test::tensor(large, TensorKind::weights, "layers.1.attention.output.weight")));
  CHECK(zero(test::tensor(large, TensorKind::weights, "layers.1.mlp.down.weight")));
}

TEST_CASE("new layers start with zero moments of their own age, old ones keep theirs") {
  const TrainingState small = test::tiny_state(),
                      large = test::grown(depth("layers: 3", small.model), small);
  const arch::ParamTable table = arch::param_table(large.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const bool is_new = table[i].layer == 1;
    CHECK(zero(large.of(TensorKind::exp_avg)[i]) == is_new);
    CHECK(zero(large.of(TensorKind::exp_avg_sq)[i]) == is_new);
    const std::int64_t age = i == 0 ? 3 : i + 1 == table.size() ? 7 : 0;
    CHECK(large.histories[i].age.start == (is_new ? small.progress.step : age));
  }
}

TEST_CASE("moments of new layers are copied where that is asked for, silent outputs too") {
  const TrainingState small = test::tiny_state(),
                      large = test::grown(depth("layers: 4, moments: copy", small.model), small);
  for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
    CHECK(same(test::tensor(large, kind, "layers.3.mlp.down.weight"),
               test::tensor(small, kind, "layers.1.mlp.down.weight")));
  CHECK(zero(test::tensor(large, TensorKind::weights, "layers.3.mlp.down.weight")));
  CHECK(large.histories[test::index_of(large.model, "layers.3.mlp.down.weight")].age.start == 0);
}

TEST_CASE(
    "SOLAR's layers: 32 without the last 8 and without the first 8 are 48, old ones in order") {
  const auto model = test::tiny_model(32);
  const auto recipe = depth("layers: 48, order: overlap", model);
  CHECK(recipe.exact());
  for (const arch::ParamSpec& spec : arch::param_table(recipe.to)) {
    if (spec.layer < 0) continue;
    CAPTURE(spec.name);
    const grow::TensorRecipe& made = recipe.steps[0].tensors[test::index_of(recipe.to, spec.name)];
    const int source = spec.layer < 24 ? spec.layer : spec.layer - 16;
    CHECK(*made.heir_of == test::index_of(model, arch::layer_name(source, spec.key)));
    CHECK(made.is_new == (spec.layer >= 24 && source < 24));
  }
}

TEST_CASE("growing to as many layers changes no bit") {
  const TrainingState small = test::tiny_state();
  const char* options = GENERATE("factor: 1", "layers: 2", "layers: 2, order: append");
  CHECK(test::difference_in_values(test::grown(depth(options, small.model), small), small) == "");
}

TEST_CASE("depth promises the loss with zero outputs only") {
  CHECK(depth("layers: 4", test::tiny_model()).exact());
  CHECK(depth("layers: 4", test::tiny_model()).equivariant());
  CHECK_FALSE(depth("layers: 4, new_layers: copied", test::tiny_model()).exact());
}

TEST_CASE("depth refuses what it cannot do, and says what it could") {
  const auto says = [](const std::string& options) {
    return test::refusal(ErrorKind::usage, [&] { depth(options, test::tiny_model(3)); });
  };
  CHECK(contains(says("layers: 2"), "to 2 layers: the source has 3, expected at least as many"));
  CHECK(contains(says("order: append"), "depth needs --layers N or --factor N"));
  CHECK(contains(says("layers: 4, factor: 2"), "depth takes --layers or --factor, not both"));
  CHECK(contains(says("layers: 0"), "depth.layers: found '0', expected from 1 to 65536"));
  CHECK(contains(says("layers: six"), "found 'six', expected a whole number"));
  CHECK(contains(says("layers: 6, new_layers: zero"),
                 "found 'zero'; expected one of zero_output, identity, copied, mean, slerp, "
                 "predicted, random"));
  CHECK(contains(says("layers: 4, block: 1"), "block only with order last or middle"));
  CHECK(contains(says("layers: 4, scale: 0.5"), "scale only with new_layers copied"));
  CHECK(contains(says("layers: 4, order: last, block: 4"),
                 "block: found 4, expected at most the source's 3 layers"));
  CHECK(contains(says("layers: 5, order: middle"), "expected whole multiples of the block of 2"));
  CHECK(contains(says("layers: [0, 1, 2, 2], order: append"), "a list already gives the order"));
  CHECK(contains(says("layers: 5, order: overlap"), "expected an even number, at most 6"));
  CHECK(contains(says("layers: 8, order: overlap"), "expected an even number, at most 6"));
  CHECK(contains(says("factor: 1024, layer: 2"), "did you mean 'layers'?"));
}

TEST_CASE("copied layers may be scaled: only their outputs into the residual stream are") {
  const auto model = test::tiny_model();
  const TrainingState small = test::tiny_state(),
                      large = test::grown(depth("layers: 4, new_layers: copied, scale: 0.25", model),
                                          small);
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    if (spec.layer != 3) continue;
    CAPTURE(spec.name);
    const auto& made = test::tensor(large, TensorKind::weights, spec.name);
    const auto& source = test::tensor(small, TensorKind::weights, arch::layer_name(1, spec.key));
    const double factor = spec.role == Role::residual_out ? 0.25 : 1;
    for (std::int64_t i = 0; i < made.count(); ++i)
      REQUIRE(made.at(i) == Approx(factor * source.at(i)).epsilon(1e-6));
  }
  // The ends of the family are the two that have names.
  const auto of = [&](const std::string& options) { return test::grown(depth(options, model), small); };
  CHECK(test::difference_in_values(of("layers: 4, new_layers: copied, scale: 1"),
                                   of("layers: 4, new_layers: copied")) == "");
  const TrainingState zero_scale = of("layers: 4, new_layers: copied, scale: 0"),
                      silent = of("layers: 4, new_layers: zero_output");
  for (const arch::ParamSpec& spec : arch::param_table(silent.model)) {
    const auto &a = test::tensor(zero_scale, TensorKind::weights, spec.name),
               &b = test::tensor(silent, TensorKind::weights, spec.name);
    for (std::int64_t i = 0; i < a.count(); ++i) REQUIRE(a.at(i) == b.at(i));
  }
}

namespace {

// Calls check(layer, below, above, made) for every tensor of the new layers 1 and 3 of a model that
// grew from 2 layers to 4. The highest has no layer above, so `above` is the one below.
template <class Check>
void for_new_layers(const TrainingState& small, const TrainingState& large, const Check& check) {
  for (const arch::ParamSpec& spec : arch::param_table(large.model)) {
    if (spec.layer != 1 && spec.layer != 3) continue;
    CAPTURE(spec.name);
    const auto source = [&](int layer) -> const state::HostTensor& {
      return test::tensor(small, TensorKind::weights, arch::layer_name(layer, spec.key));
    };
    check(spec.layer, source(spec.layer / 2), source(1),
          test::tensor(large, TensorKind::weights, spec.name));
  }
}

}  // namespace

TEST_CASE("new layers may be means of the layers below and above; the highest copies the last") {
  const auto model = test::tiny_model(2);
  const TrainingState small = test::tiny_state(1, state::DType::f32, model),
                      large = test::grown(depth("layers: 4, new_layers: mean", model), small);
  for_new_layers(
      small, large, [](int layer, const auto& below, const auto& above, const auto& made) {
        for (std::int64_t i = 0; i < made.count(); ++i) {
          const double expected = layer == 3 ? above.at(i) : (below.at(i) + above.at(i)) / 2;
          REQUIRE(made.at(i) == Approx(expected).margin(1e-7));
        }
      });
}

namespace {

// Spherical interpolation as its definition has it, halfway: both weights sin(t/2) / sin(t).
std::vector<double> midpoint_of_arc(const state::HostTensor& a, const state::HostTensor& b) {
  double aa = 0, ab = 0, bb = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    aa += a.at(i) * a.at(i);
    ab += a.at(i) * b.at(i);
    bb += b.at(i) * b.at(i);
  }
  const double angle = std::acos(ab / std::sqrt(aa * bb)),
               weight = aa * bb > 0 && angle > 0 ? std::sin(angle / 2) / std::sin(angle) : 0.5;
  std::vector<double> points;
  for (std::int64_t i = 0; i < a.count(); ++i) points.push_back(weight * (a.at(i) + b.at(i)));
  return points;
}

state::HostTensor& tensor_of(TrainingState& state, const std::string& name) {
  return state.of(TensorKind::weights)[test::index_of(state.model, name)];
}

}  // namespace

TEST_CASE("new layers may lie halfway on the arc between the layers below and above") {
  const auto model = test::tiny_model(2);
  const TrainingState small = test::tiny_state(1, state::DType::f64, model),
                      large = test::grown(depth("layers: 4, new_layers: slerp", model), small);
  for_new_layers(small, large, [](int, const auto& below, const auto& above, const auto& made) {
    const std::vector<double> expected = midpoint_of_arc(below, above);
    for (std::int64_t i = 0; i < made.count(); ++i)
      REQUIRE(made.at(i) ==
              Approx(expected[static_cast<std::size_t>(i)]).epsilon(1e-12).margin(1e-15));
  });
}

TEST_CASE("the arc between equally long tensors keeps their length; equal ones are a copy") {
  const auto model = test::tiny_model(2);
  const std::string key = "mlp.down.weight", below = arch::layer_name(0, key),
                    above = arch::layer_name(1, key);
  TrainingState small = test::tiny_state(1, state::DType::f64, model);
  const double a = GENERATE(-1.0, 0.0, 0.6, 1.0);  // the cosine; -1 has no arc: the mean, zero
  state::HostTensor &first = tensor_of(small, below), &second = tensor_of(small, above);
  for (std::int64_t i = 0; i < first.count(); ++i) {
    const bool even = i % 2 == 0;
    first.set(i, even ? 2 : 0);
    second.set(i, even ? 2 * a : 2 * std::sqrt(1 - a * a));
  }
  const TrainingState large = test::grown(depth("layers: 4, new_layers: slerp", model), small);
  const auto& made = test::tensor(large, TensorKind::weights, arch::layer_name(1, key));
  double squares = 0, expected = 0;
  for (std::int64_t i = 0; i < made.count(); ++i) {
    squares += made.at(i) * made.at(i);
    expected += first.at(i) * first.at(i);
  }
  CHECK(squares == Approx(a == -1 ? 0 : expected).margin(1e-12));
}
