// The model in the corner of a larger one's matrices: its sizes, its tensors, and that taking it
// out undoes clone.
#include "arch/corner.h"

#include <algorithm>

#include "grow/grow_support.h"
#include "laws/growth_cases.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

grow::GrowthRecipe clone_and_corner(const arch::ModelConfig& model, int factor) {
  return test::recipe_of(
      fmt::format("[{{operator: clone, factor: {0}, symmetry: {{noise: 0}}, moments: equivariant, "
                  "dynamics: exact}}, {{operator: corner, factor: {0}, dynamics: exact}}]",
                  factor),
      model);
}

// The ratio of a small tensor to the corner of the large one, which must be the same everywhere.
double ratio_of(const HostTensor& small, const HostTensor& large) {
  const auto columns = [](const HostTensor& x) { return x.shape().size() == 2 ? x.shape()[1] : 1; };
  const double ratio = small.at(0) / large.at(0);
  for (std::int64_t j = 0; j < small.count(); ++j) {
    const std::int64_t row = j / columns(small), column = j % columns(small);
    CHECK(small.at(j) == Approx(ratio * large.at(row * columns(large) + column)));
  }
  return ratio;
}

std::string refused(const std::string& options, const arch::ModelConfig& from) {
  return test::refusal(ErrorKind::usage,
                       [&] { test::recipe_of("[{operator: corner, " + options + "}]", from); });
}

}  // namespace

TEST_CASE("corner after clone gives back weights, moments and optimizer scales") {
  for (const arch::ModelConfig& model : test::law_models()) {
    CAPTURE(describe(model));
    const TrainingState small = test::law_state(model);
    for (const int factor : {2, 4}) {  // powers of 2, which round nothing
      const TrainingState back = test::grown(clone_and_corner(model, factor), small);
      CHECK(test::difference_in_values(back, small) == "");
    }
    const TrainingState back = test::grown(clone_and_corner(model, 3), small);
    for (const TensorKind kind : state::kTensorKinds)
      for (std::size_t i = 0; i < small.of(kind).size(); ++i)
        for (std::int64_t j = 0; j < small.of(kind)[i].count(); ++j)
          CHECK(back.of(kind)[i].at(j) == Approx(small.of(kind)[i].at(j)).epsilon(1e-14));
  }
}

TEST_CASE("readers are multiplied by the factor, and the moments of writers") {
  struct Case {
    const char* name;
    double value, gradient;
    bool tied = true;
  };
  const std::vector<Case> cases = {{"embed.token", 1, 3},
                                   {"embed.position", 1, 3},
                                   {"layers.1.norm_1.weight", 1, 3},
                                   {"layers.1.attention.query.weight", 3, 3},
                                   {"layers.1.attention.key.bias", 1, 3},
                                   {"layers.1.attention.output.weight", 3, 3},
                                   {"layers.1.attention.output.bias", 1, 3},
                                   {"layers.1.mlp.down.weight", 3, 3},
                                   {"final_norm.weight", 3, 1},
                                   {"final_norm.bias", 3, 1},
                                   {"final_norm.weight", 1, 3, false},
                                   {"head.weight", 3, 1, false}};
  for (const Case& one : cases) {
    CAPTURE(one.name, one.tied);
    arch::ModelConfig model = {.layers = 2,
                               .width = 12,
                               .heads = 3,
                               .ffn = 21,
                               .vocab = 11,
                               .context = 7,
                               .tied = one.tied};
    const TrainingState large = test::law_state(arch::resolved(model)),
                        small = test::grown(
                            test::recipe_of("[{operator: corner, factor: 3}]", large.model), large);
    const auto ratio = [&](TensorKind kind) {
      return ratio_of(test::tensor(small, kind, one.name), test::tensor(large, kind, one.name));
    };
    CHECK(ratio(TensorKind::weights) == Approx(one.value));
    CHECK(ratio(TensorKind::exp_avg) == Approx(one.gradient));
    CHECK(ratio(TensorKind::exp_avg_sq) == Approx(one.gradient * one.gradient));
  }
}

TEST_CASE("a corner has the sizes divided by the factor, and heads as large") {
  const arch::ModelConfig large = arch::resolved({.architecture = "llama",
                                                  .layers = 3,
                                                  .width = 48,
                                                  .heads = 8,
                                                  .kv_heads = 4,
                                                  .head_dim = 6,
                                                  .ffn = 40,
                                                  .vocab = 11,
                                                  .context = 7});
  const arch::ModelConfig small = test::recipe_of("[{operator: corner, factor: 4}]", large).to;
  arch::ModelConfig expected = large;
  expected.width = 12;
  expected.heads = 2;
  expected.kv_heads = 1;
  expected.ffn = 10;
  CHECK(small == expected);
  CHECK(contains(refused("factor: 3", large), "corner: found heads 8, expected a multiple of 3"));
  CHECK(
      contains(refused("factor: 8", large), "corner: found kv_heads 4, expected a multiple of 8"));
  CHECK(contains(refused("factor: 5", large), "corner: found width 48, expected a multiple of 5"));
  CHECK(contains(refused("factor: 1", large), "factor"));
}
