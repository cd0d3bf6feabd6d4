// Predicted layers: exact where the mean is right, and as numpy computes them elsewhere
// (scripts/make_prediction_golden.py).
#include "learned/layer_prediction.h"

#include <cfloat>
#include <cmath>

#include "apply/apply.h"
#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "grow/grow_support.h"
#include "support/temp_dir.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;

namespace {

template <class Entry>
grow::LayerMatrices matrices(std::int64_t rows, std::int64_t columns, int layers, Entry entry) {
  grow::LayerMatrices made{rows, columns, {}};
  for (int i = 0; i < layers; ++i) {
    std::vector<double>& one = made.layers.emplace_back();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        one.push_back(
            entry(static_cast<double>(i), static_cast<double>(r), static_cast<double>(c)));
  }
  return made;
}

std::vector<std::vector<double>> predicted(const grow::LayerMatrices& from,
                                           const std::vector<std::int64_t>& below) {
  return grow::predicted_layers(from, below, DBL_EPSILON, 7);
}

void check_between(const grow::LayerMatrices& from, double tolerance) {
  std::vector<std::int64_t> below;
  for (std::int64_t i = 0; i + 1 < static_cast<std::int64_t>(from.layers.size()); ++i)
    below.push_back(i);
  const auto made = predicted(from, below);
  REQUIRE(made.size() == below.size());
  for (std::size_t i = 0; i < made.size(); ++i)
    for (std::size_t j = 0; j < made[i].size(); ++j)
      CHECK(made[i][j] ==
            Approx((from.layers[i][j] + from.layers[i + 1][j]) / 2).margin(tolerance));
}

double made_up(double layer, double r, double c) {
  return std::sin(1 + 0.7 * layer * layer + 1.3 * r + 2.1 * c * r + 0.4 * layer * c);
}

void check_golden(const grow::LayerMatrices& from, const std::vector<double>& first,
                  const std::vector<double>& last) {
  const auto made = predicted(from, {0, static_cast<std::int64_t>(from.layers.size()) - 2});
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(made[0][i] == Approx(first[i]).epsilon(1e-8));
    CHECK(made[1][i] == Approx(last[i]).epsilon(1e-8));
  }
}

}  // namespace

TEST_CASE("equal layers, and layers that change linearly with depth, are predicted exactly") {
  check_between(matrices(5, 7, 4, [](double, double r, double c) { return made_up(0, r, c); }),
                1e-9);
  check_between(matrices(6, 4, 5,  // of rank 1
                         [](double i, double r, double c) {
                           return (1 + 0.3 * i) * std::cos(r) * std::sin(1 + c);
                         }),
                1e-9);
  check_between(matrices(9, 4, 6,
                         [](double i, double r, double c) {
                           return made_up(0, r, c) + i * made_up(1, r, c);
                         }),
                1e-8);
  check_between(matrices(3, 4, 3, [](double, double, double) { return 0.0; }), 0);
}

TEST_CASE("two layers have no example to learn from, so their mean is predicted") {
  check_between(matrices(4, 6, 2, made_up), 1e-12);
}

TEST_CASE("predictions are those of numpy") {
  check_golden(matrices(4, 6, 5, made_up),
               {0.981329499689, 0.747779905901, 0.431865523552, 0.540037085945, 0.0845871809175,
                0.0638431014421, 0.431648725622, -0.763044336838, 0.656603890067, -0.0622588054725,
                0.0451731793645, 0.216082622231},
               {0.372160577463, 0.760650687613, -0.107078109948, -1.00820224915, -0.425824221216,
                0.716621712727, 0.5556735735, -0.533294982982, 0.604049082835, -0.210105109301,
                0.266840532799, 0.453396195667});
  // Two batches in each epoch, and a rank below the number of rows.
  check_golden(matrices(30, 5, 6, made_up),
               {0.637951875037, 0.966545388407, 0.567950339778, 0.707219854597, 0.0587488554472,
                0.2444029164, -0.522366979165, 0.630296704151, -0.0389781831526, -0.223301141518,
                -0.486576043786, 0.497422675809},
               {-0.255755179657, 1.0016928483, -0.00673414901095, -0.402588252693, 0.0957840718287,
                0.649280146909, -0.811926636225, 0.482736795835, 0.0485439688561, -0.405801222776,
                0.609075543166, 0.59638810028});
}

TEST_CASE("the seed decides the network") {
  const grow::LayerMatrices from = matrices(4, 6, 5, made_up);
  const std::vector<std::int64_t> below{1};
  const auto one = predicted(from, below);
  CHECK(one == predicted(from, below));
  CHECK(one != grow::predicted_layers(from, below, DBL_EPSILON, 8));
}

TEST_CASE("depth predicts the matrices of new layers and copies the rest") {
  const TrainingState small = test::tiny_state(1, state::DType::f64, test::tiny_model(4));
  const auto recipe = test::recipe_of(
      "[{operator: depth, layers: [0, 0, 1, 1, 1, 2, 3, 3], new_layers: predicted, moments: copy}]",
      small.model);
  CHECK(!recipe.exact());
  const TrainingState large = test::grown(recipe, small);
  const auto weights = [](const TrainingState& state, int layer, const std::string& key) {
    const state::HostTensor& tensor =
        test::tensor(state, TensorKind::weights, arch::layer_name(layer, key));
    std::vector<double> entries;
    for (std::int64_t i = 0; i < tensor.count(); ++i) entries.push_back(tensor.at(i));
    return entries;
  };
  grow::LayerMatrices up{32, 8, {}};
  for (int i = 0; i < 4; ++i) up.layers.push_back(weights(small, i, "mlp.up.weight"));
  const auto made = grow::predicted_layers(up, std::vector<std::int64_t>{0, 1}, DBL_EPSILON,
                                           hash_name("mlp.up.weight 7"));
  CHECK(weights(large, 1, "mlp.up.weight") == made[0]);
  CHECK(weights(large, 3, "mlp.up.weight") == made[1]);
  CHECK(weights(large, 4, "mlp.up.weight") == made[1]);       // between the same two layers
  CHECK(weights(large, 7, "mlp.up.weight") == up.layers[3]);  // nothing is above the top layer
  CHECK(weights(large, 1, "norm_1.weight") == weights(small, 0, "norm_1.weight"));
  CHECK(weights(large, 3, "mlp.up.bias") == weights(small, 1, "mlp.up.bias"));
  CHECK(weights(large, 2, "mlp.up.weight") == up.layers[1]);
  CHECK(std::ranges::equal(
      test::tensor(large, TensorKind::exp_avg, "layers.1.mlp.up.weight").bytes(),
      test::tensor(small, TensorKind::exp_avg, "layers.0.mlp.up.weight").bytes()));
}

TEST_CASE("predictions have the same bits in memory, from file to file, and within a list") {
  const test::TempDir dir;
  const std::string list =
      "[{operator: depth, layers: 5, new_layers: predicted}, {operator: depth, layers: 10, "
      "new_layers: copied}]";
  const TrainingState small = test::tiny_state(1, state::DType::f32, test::tiny_model(3));
  const auto recipe = test::recipe_of(list, small.model);
  state::save(dir / "small.h5", small);
  grow::apply_file(recipe, state::CheckpointReader(dir / "small.h5"), dir / "small.h5",
                   dir / "large.h5");
  CHECK(test::difference_in_values(state::load(dir / "large.h5"), test::grown(recipe, small)) ==
        "");
}
