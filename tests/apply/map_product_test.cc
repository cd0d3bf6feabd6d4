// Products of learned maps: what they start as, and their formula.
#include "apply/map_product.h"

#include <cmath>

#include "grow/grow_support.h"
#include "laws/growth_cases.h"
#include "learned/learned_growth.h"

using namespace stagedtrain;
using grow::DenseMap;
using grow::GrowthRecipe;
using grow::GrowthStep;
using state::TensorKind;
using state::TrainingState;

namespace {

constexpr const char* kSizes = "layers: 5, width: 30, heads: 12, ffn: 33";

// A recipe of products, whose maps count as fitted.
GrowthRecipe learned(const std::string& options, const arch::ModelConfig& from, double noise) {
  GrowthRecipe recipe = test::recipe_of(
      fmt::format("[{{operator: ligo, {}, fit: {{steps: 1, noise: {}}}}}]", options, noise), from);
  recipe.steps[0].fit.done = true;
  return recipe;
}

GrowthRecipe copied(const std::string& options, const arch::ModelConfig& from) {
  return test::recipe_of("[{operator: ligo, " + options + ", fit: {steps: 0}}]", from);
}

using Matrix = std::vector<std::vector<double>>;

// The matrix of a map's use, every entry written out; the identity without a use.
Matrix written_out(const GrowthStep& step, const std::optional<grow::MapUse>& use,
                   std::int64_t size) {
  const auto n = static_cast<std::size_t>(size);
  if (!use) {
    Matrix identity(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i) identity[i][i] = 1;
    return identity;
  }
  const DenseMap& map = step.maps[use->map];
  const auto unit = static_cast<std::size_t>(use->unit),
             columns = static_cast<std::size_t>(map.columns);
  Matrix whole(static_cast<std::size_t>(map.rows) * unit, std::vector<double>(columns * unit));
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (std::size_t j = 0; j < whole[i].size(); ++j)
      if (i % unit == j % unit)
        whole[i][j] =
            map.entries[i / unit * columns + j / unit] * (use->reads ? map.read[j / unit] : 1);
  return whole;
}

// A M B^T of one tensor by the definition.
std::vector<double> by_definition(const GrowthRecipe& recipe, const TrainingState& small,
                                  std::size_t i) {
  const GrowthStep& step = recipe.steps[0];
  const grow::MapProduct& product = step.tensors[i].products.front();
  const grow::Corner from =
      grow::corner_of(arch::param_table(recipe.from)[product.sources.front()]);
  const Matrix a = written_out(step, product.rows, from[0]),
               b = written_out(step, product.columns, from[1]);
  std::vector<double> mixed(static_cast<std::size_t>(from[0] * from[1]));
  for (std::size_t l = 0; l < product.sources.size(); ++l) {
    double weight = 1;
    if (product.layers)
      weight =
          step.maps[product.layers->map]
              .entries[static_cast<std::size_t>(product.layers->row) * product.sources.size() + l];
    for (std::size_t k = 0; k < mixed.size(); ++k)
      mixed[k] += weight * small.of(TensorKind::weights)[product.sources[l]].at(
                               static_cast<std::int64_t>(k));
  }
  const std::size_t inner = b.front().size();
  std::vector<double> out;
  for (const auto& row : a)
    for (const auto& column : b) {
      double sum = 0;
      for (std::size_t r = 0; r < row.size(); ++r)
        for (std::size_t c = 0; c < inner; ++c) sum += row[r] * mixed[r * inner + c] * column[c];
      out.push_back(sum);
    }
  return out;
}

}  // namespace

TEST_CASE("maps that are not trained yet make what copies make, to the bit") {
  const state::DType dtype = GENERATE(state::DType::f32, state::DType::f64);
  const std::string options = GENERATE(
      as<std::string>{}, "layers: 4", "layers: 5, order: alternate", "width: 36", "width: 31",
      "heads: 12", "ffn: 47", kSizes, "layers: 4, order: alternate, width: 24, heads: 8, ffn: 40");
  for (const arch::ModelConfig& model : test::law_models()) {
    CAPTURE(options, describe(model));
    const TrainingState small = test::law_state(model, dtype);
    const GrowthRecipe products = learned(options, model, 0);
    CHECK(!products.steps[0].maps.empty());
    CHECK(test::difference_in_values(test::grown(products, small),
                                     test::grown(copied(options, model), small)) == "");
  }
}

TEST_CASE("without a fit ligo is stack, depth and rms_copy, to the bit") {
  for (const arch::ModelConfig& model : test::law_models()) {
    CAPTURE(describe(model));
    const TrainingState small = test::law_state(model);
    for (const auto& [options, other] :
         {std::pair<std::string, std::string>{"layers: 4", "{operator: stack, factor: 2"},
          {"layers: 5, order: alternate", "{operator: depth, layers: 5, new_layers: copied"},
          {"width: 24, heads: 8, ffn: 40",
           "{operator: rms_copy, width: 24, heads: 8, ffn: 40, ramp: 0"},
          {"width: 24, heads: 8, ffn: 40, moments: equivariant",
           "{operator: rms_copy, width: 24, heads: 8, ffn: 40, ramp: 0, moments: equivariant"}}) {
      const std::string moments =
          options.find("moments") == std::string::npos ? ", moments: reset" : "";
      CHECK(test::difference_in_values(
                test::grown(copied(options, model), small),
                test::grown(test::recipe_of("[" + other + moments + "}]", model), small)) == "");
    }
  }
}

TEST_CASE("a product is A M B^T with the written-out maps") {
  for (const arch::ModelConfig& model : test::law_models()) {
    CAPTURE(describe(model));
    const TrainingState small = test::law_state(model);
    const GrowthRecipe recipe = learned(kSizes, model, 0.5);
    const TrainingState large = test::grown(recipe, small);
    for (std::size_t i = 0; i < recipe.steps[0].tensors.size(); ++i) {
      if (recipe.steps[0].tensors[i].products.empty()) continue;
      const std::vector<double> expected = by_definition(recipe, small, i);
      REQUIRE(static_cast<std::int64_t>(expected.size()) ==
              large.of(TensorKind::weights)[i].count());
      double most = 0;
      for (std::size_t j = 0; j < expected.size(); ++j)
        most = std::max(most, std::abs(expected[j] - large.of(TensorKind::weights)[i].at(
                                                         static_cast<std::int64_t>(j))));
      CHECK(most <= 1e-13);
    }
  }
}
