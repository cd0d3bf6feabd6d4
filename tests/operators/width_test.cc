// Width growth entry by entry: block-diagonal matrices, tiles, scales and the symmetry break.
#include <cmath>

#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using arch::Role;
using state::DType;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

std::string width(int factor, const std::string& symmetry = "{noise: 0}") {
  return fmt::format("[{{operator: width, factor: {}, symmetry: {}, moments: equivariant}}]",
                     factor, symmetry);
}

// What an entry is multiplied by, from the definitions of docs/growth.md.
struct Scales {
  double value, gradient;
};
Scales scales_of(Role role, bool tied, double k) {
  if (role == Role::head) return {1 / k, 1};
  if (role == Role::final_norm && tied) return {1 / k, 1};
  return {1, 1 / k};
}

// Checks every entry of one tensor of the grown state.
void check_entries(const TrainingState& small, const TrainingState& large, std::size_t i, int k) {
  const arch::ParamSpec source = arch::param_table(small.model)[i],
                        target = arch::param_table(large.model)[i];
  CAPTURE(target.name);
  const grow::Corner from = grow::corner_of(source), to = grow::corner_of(target);
  const Scales scales = scales_of(target.role, small.model.tied, k);
  const bool diagonal = to[0] == k * from[0] && to[1] == k * from[1];
  for (std::int64_t r = 0; r < to[0]; ++r)
    for (std::int64_t c = 0; c < to[1]; ++c) {
      const std::int64_t in = (r % from[0]) * from[1] + c % from[1], out = r * to[1] + c;
      const bool on = !diagonal || r / from[0] == c / from[1];
      const auto at = [&](const TrainingState& state, TensorKind kind, std::int64_t j) {
        return state.of(kind)[i].at(j);
      };
      const double g = scales.gradient;
      REQUIRE(at(large, TensorKind::weights, out) ==
              Approx(on ? scales.value * at(small, TensorKind::weights, in) : 0).epsilon(1e-14));
      REQUIRE(at(large, TensorKind::exp_avg, out) ==
              Approx(g * at(small, TensorKind::exp_avg, in)).epsilon(1e-14));
      REQUIRE(at(large, TensorKind::exp_avg_sq, out) ==
              Approx(g * g * at(small, TensorKind::exp_avg_sq, in)).epsilon(1e-14));
    }
}

double size_of(const state::HostTensor& x) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.count(); ++i) sum += x.at(i) * x.at(i);
  return std::sqrt(sum / static_cast<double>(x.count()));
}

}  // namespace

TEST_CASE("width multiplies width, heads and ffn and keeps the size of a head") {
  const auto to = test::recipe_of(width(3)).to;
  CHECK(to.width == 24);
  CHECK(to.heads == 6);
  CHECK(to.kv_heads == 6);
  CHECK(to.head_dim == 4);
  CHECK(to.ffn == 96);
  CHECK(to.layers == 2);
  CHECK(to.vocab == 32);
}

TEST_CASE("every entry of every tensor and moment is where the definition has it") {
  const int k = GENERATE(2, 3);
  auto model = test::tiny_model();
  model.tied = GENERATE(true, false);
  const TrainingState small = test::tiny_state(1, DType::f64, model),
                      large = test::grown(test::recipe_of(width(k), model), small);
  for (std::size_t i = 0; i < large.of(TensorKind::weights).size(); ++i)
    check_entries(small, large, i, k);
}

TEST_CASE("a factor of 1 changes no bit, noise or not") {
  const TrainingState small = test::tiny_state();
  const auto recipe = test::recipe_of(width(1, "{noise: 0.5}"));
  CHECK(recipe.equivariant());
  CHECK(test::difference_in_values(test::grown(recipe, small), small) == "");
}

TEST_CASE("the break is on matrices of two growing axes alone, rows balanced, columns not") {
  const TrainingState small = test::tiny_state(1, DType::f64, test::tiny_model(1, 16));
  const int k = GENERATE(2, 3);
  const auto noisy = test::grown(test::recipe_of(width(k, "{noise: 0.1}"), small.model), small);
  const auto plain = test::grown(test::recipe_of(width(k), small.model), small);
  const arch::ParamTable table = arch::param_table(noisy.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const auto &a = noisy.of(TensorKind::weights)[i], &b = plain.of(TensorKind::weights)[i];
    const bool matrix = table[i].axes.size() == 2 && table[i].role != Role::embed;
    CHECK(std::ranges::equal(a.bytes(), b.bytes()) == !matrix);
    if (!matrix) continue;
    const std::int64_t rows = a.shape()[0], columns = a.shape()[1], part = columns / k;
    double most_in_row = 0, most_in_column = 0, squares = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < part; ++c) {
        double row = 0;
        for (int j = 0; j < k; ++j) {
          const std::int64_t at = r * columns + j * part + c;
          row += a.at(at) - b.at(at);
          squares += std::pow(a.at(at) - b.at(at), 2);
        }
        most_in_row = std::max(most_in_row, std::abs(row));
      }
    for (std::int64_t c = 0; c < columns; ++c) {
      double column = 0;
      for (std::int64_t r = 0; r < rows; ++r)
        column += a.at(r * columns + c) - b.at(r * columns + c);
      most_in_column = std::max(most_in_column, std::abs(column));
    }
    const double size = size_of(small.of(TensorKind::weights)[i]);
    CHECK(most_in_row < 1e-15);
    CHECK(most_in_column > 0.1 * size);
    // Two of the k blocks of each row have noise of a tenth of the source's size.
    const double noise = std::sqrt(squares / static_cast<double>(2 * rows * part));
    CHECK(noise == Approx(0.1 * size).epsilon(0.15));
  }
  CHECK(noisy.of(TensorKind::exp_avg)[3].at(5) == plain.of(TensorKind::exp_avg)[3].at(5));
}

TEST_CASE("the same seed makes the same bytes, another seed others") {
  const TrainingState small = test::tiny_state();
  const auto with_seed = [&](int seed) {
    return test::grown(test::recipe_of(width(2, fmt::format("{{seed: {}}}", seed))), small);
  };
  CHECK(test::difference_in_values(with_seed(7), with_seed(7)) == "");
  CHECK(test::difference_in_values(
            with_seed(7), test::grown(test::recipe_of("[{operator: width, moments: equivariant}]"),
                                      small)) == "");
  CHECK(test::difference_in_values(with_seed(7), with_seed(8)) == "weights 4");
}

TEST_CASE("each row block and each tensor has noise of its own") {
  const TrainingState small = test::tiny_state(1, DType::f64);
  const auto noisy = test::grown(test::recipe_of(width(2, "{noise: 0.1}")), small);
  const auto noise = [&](const std::string& name, std::int64_t block) {
    const auto &large = test::tensor(noisy, TensorKind::weights, name),
               &source = test::tensor(small, TensorKind::weights, name);
    const std::int64_t row = block * source.shape()[0], column = block * source.shape()[1];
    return (large.at(row * large.shape()[1] + column) - source.at(0)) / size_of(source);
  };
  const double query = noise("layers.0.attention.query.weight", 0);
  CHECK(query != 0);
  CHECK(std::abs(query - noise("layers.0.attention.query.weight", 1)) > 1e-3);
  CHECK(std::abs(query - noise("layers.0.attention.key.weight", 0)) > 1e-3);
  CHECK(std::abs(query - noise("layers.1.attention.query.weight", 0)) > 1e-3);
}

TEST_CASE("width refuses what it cannot do, and says what it could") {
  const auto says = [](const std::string& list,
                       const arch::ModelConfig& model = test::tiny_model()) {
    return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, model); });
  };
  CHECK(contains(says(width(0)), "width.factor: found '0', expected from 1 to 64"));
  CHECK(
      contains(says(width(2, "{noise: -1}")), "symmetry.noise: found '-1', expected from 0 to 1"));
  CHECK(contains(says("[{operator: width, faktor: 2}]"), "did you mean 'factor'?"));
  CHECK(contains(says("[{operator: width, symmetry: {sed: 2}}]"), "did you mean 'seed'?"));
  CHECK(contains(says(width(64), test::tiny_model(1, 1 << 22)),
                 "model.width is 268435456, expected 0 to 16777216"));
}
