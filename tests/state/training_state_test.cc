// Fresh states: initial values that depend on seed, name and index alone.
#include "state/training_state.h"

#include <algorithm>
#include <cmath>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::DType;
using state::TensorKind;

namespace {

const state::HostTensor& weight(const state::TrainingState& state, const std::string& name) {
  const std::int64_t index = arch::param_table(state.model).index(name);
  REQUIRE(index >= 0);
  return state.of(TensorKind::weights)[static_cast<std::size_t>(index)];
}

}  // namespace

TEST_CASE("a fresh state has the deviations of its architecture, and zero moments") {
  const state::TrainingState state = state::fresh(test::tiny_model(2, 64), 5);
  double sum = 0, squares = 0;
  const state::HostTensor& up = weight(state, "layers.0.mlp.up.weight");
  for (std::int64_t i = 0; i < up.count(); ++i) {
    sum += up.at(i);
    squares += up.at(i) * up.at(i);
  }
  const auto count = static_cast<double>(up.count());
  CHECK(std::abs(sum / count) < 5 * 0.02 / std::sqrt(count));
  CHECK(std::abs(std::sqrt(squares / count) - 0.02) < 0.0006);
  CHECK(weight(state, "final_norm.weight").at(7) == 1);
  CHECK(weight(state, "layers.1.mlp.down.bias").at(7) == 0);
  for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
    for (const state::HostTensor& tensor : state.of(kind))
      REQUIRE(std::ranges::all_of(tensor.bytes(), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(state.histories == std::vector<state::TensorHistory>(state.of(TensorKind::weights).size()));
  CHECK(state.seed == 5);
}

TEST_CASE("a fresh state is the same for the same seed and another for another") {
  const auto model = test::tiny_model();
  CHECK(test::difference(state::fresh(model, 1), state::fresh(model, 1)).empty());
  CHECK(test::difference(state::fresh(model, 1), state::fresh(model, 2)) != "");
}

TEST_CASE("a tensor starts the same in a model with more layers, whatever comes before it") {
  const auto small = state::fresh(test::tiny_model(2), 9),
             large = state::fresh(test::tiny_model(5), 9);
  const std::string name = "layers.1.attention.query.weight";
  CHECK(std::ranges::equal(weight(small, name).bytes(), weight(large, name).bytes()));
}

TEST_CASE("float32 values are the float64 values, rounded") {
  const auto single = state::fresh(test::tiny_model(), 3),
             wide = state::fresh(test::tiny_model(), 3, DType::f64);
  const auto& a = weight(single, "embed.token");
  const auto& b = weight(wide, "embed.token");
  for (std::int64_t i = 0; i < a.count(); ++i)
    REQUIRE(a.at(i) == static_cast<double>(static_cast<float>(b.at(i))));
}
