// Grown weights against the papers' formulas, computed by scripts/make_growth_golden.py in numpy.
#include "grow/grow_support.h"
#include "support/golden_file.h"

using namespace stagedtrain;
using state::TensorKind;

namespace {

struct Published {
  const char *name, *list;
};

state::TrainingState state_of_file(const test::GoldenFile& golden) {
  state::TrainingState state = state::fresh(golden.model(), 1, state::DType::f64);
  const arch::ParamTable table = arch::param_table(golden.model());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::vector<double>& values = golden["weights/" + table[i].name].values;
    REQUIRE(static_cast<std::int64_t>(values.size()) == table[i].count());
    for (std::size_t j = 0; j < values.size(); ++j)
      state.of(TensorKind::weights)[i].set(static_cast<std::int64_t>(j), values[j]);
  }
  return state;
}

}  // namespace

TEST_CASE("grown weights are those of the papers' formulas, entry by entry") {
  const char* file =
      GENERATE("growth_gpt2.golden", "growth_gpt2_untied.golden", "growth_llama.golden");
  const Published published =
      GENERATE(Published{"width", "[{operator: width, factor: 3, symmetry: {noise: 0}}]"},
               Published{"clone", "[{operator: clone, factor: 3, symmetry: {noise: 0}}]"},
               Published{"stack", "[{operator: stack, factor: 2}]"},
               Published{"llama_pro", "[{operator: llama_pro, groups: 2}]"});
  CAPTURE(file, published.name);
  const test::GoldenFile golden = test::open_golden(file);
  const state::TrainingState small = state_of_file(golden),
                             large =
                                 test::grown(test::recipe_of(published.list, small.model), small);
  const arch::ParamTable table = arch::param_table(large.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const test::GoldenTensor& expected = golden[std::string(published.name) + "/" + table[i].name];
    REQUIRE(expected.shape == table[i].shape());
    for (std::size_t j = 0; j < expected.values.size(); ++j)
      REQUIRE(large.of(TensorKind::weights)[i].at(static_cast<std::int64_t>(j)) ==
              Approx(expected.values[j]).epsilon(1e-15).margin(0));
  }
}
