// Laws of copies in special cases, in float64: of the layer above, and of experts.
#include <cmath>

#include "laws/running_state.h"
#include "support/catch.h"

using namespace stagedtrain;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;
using test::grown;
using test::GrowthCase;
using test::largest;
using test::loss_of;
using test::OneThread;
using test::put_gradient;

namespace {

TrainingState values_of(TrainingState state) {
  state.lineage.clear();
  for (state::TensorHistory& history : state.histories) history.generation = 0;
  return state;
}

}  // namespace

TEST_CASE("copies of the next layer, in a model whose layers are equal, are copies in turn") {
  for (const arch::ModelConfig& model : test::law_models()) {
    TrainingState small = test::law_state(model);
    const arch::ParamTable table = arch::param_table(model);
    for (const TensorKind kind : state::kTensorKinds)
      for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].layer <= 0) continue;
        const auto first = static_cast<std::size_t>(table.index(arch::layer_name(0, table[i].key)));
        for (std::int64_t j = 0; j < table[i].count(); ++j)
          small.of(kind)[i].set(j, small.of(kind)[first].at(j));
      }
    for (const std::string moments : {"equivariant", "reset_new", "copy"}) {
      const auto by = [&](const std::string& copies) {
        const std::string options = "factor: 3, moments: " + moments + ", copies: " + copies;
        return values_of(
            grown(GrowthCase{test::growth_list("clone", options, 1), model}.recipe(), small));
      };
      CAPTURE(describe(model), moments);
      CHECK(test::difference(by("next_layer"), by("in_turn")) == "");
    }
  }
}

TEST_CASE("an only expert that each token goes through may have copies that it may choose") {
  const OneThread quick;
  for (arch::ModelConfig model : test::law_models()) {
    if (model.experts == 0) continue;
    model.experts_per_token = 1;
    for (const char* chosen : {"1", "2", "3"}) {
      const GrowthCase c{
          "[{operator: experts, factor: 3, symmetry: {noise: 0}, "
          "experts_per_token: " +
              std::string(chosen) + "}]",
          model};
      CAPTURE(c.name());
      const grow::GrowthRecipe recipe = c.recipe();
      // Three copies share the gate that the one expert had of a softmax over all.
      const bool all_copies = std::string(chosen) == "3";
      CHECK(recipe.exact() == (model.norm_topk || all_copies));
      CHECK(recipe.equivariant() == false);  // moments: copy
      if (!recipe.exact()) continue;
      const TrainingState small = test::law_state(model);
      CHECK(loss_of(grown(recipe, small)) == Approx(loss_of(small)).epsilon(1e-12));
    }
  }
}

TEST_CASE("the gradients of an expert's copies, and of its router's rows, add up to the old one") {
  const OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    if (model.experts == 0) continue;
    const GrowthCase c{
        "[{operator: experts, factor: 3, experts_per_token: 6, symmetry: {noise: 0}}]", model};
    CAPTURE(c.name());
    TrainingState small = test::law_state(model), large = grown(c.recipe(), small);
    put_gradient(small);
    put_gradient(large);
    const arch::ParamTable sources = arch::param_table(model),
                           table = arch::param_table(large.model);
    std::vector<std::vector<double>> sums;
    for (const HostTensor& tensor : small.of(TensorKind::exp_avg))
      sums.emplace_back(static_cast<std::size_t>(tensor.count()), 0);
    for (std::size_t i = 0; i < table.size(); ++i) {
      std::string name = table[i].name;
      const std::string part = fmt::format("experts.{}.", table[i].expert);
      if (table[i].expert >= 0)
        name.replace(name.find(part), part.size(),
                     fmt::format("experts.{}.", table[i].expert % model.experts));
      std::vector<double>& sum = sums[static_cast<std::size_t>(sources.index(name))];
      for (std::int64_t j = 0; j < large.of(TensorKind::exp_avg)[i].count(); ++j)
        sum[static_cast<std::size_t>(j) % sum.size()] += large.of(TensorKind::exp_avg)[i].at(j);
    }
    const double scale = largest(small.of(TensorKind::exp_avg));
    for (std::size_t i = 0; i < sums.size(); ++i)
      for (std::size_t j = 0; j < sums[i].size(); ++j)
        REQUIRE(std::abs(sums[i][j] - small.of(TensorKind::exp_avg)[i].at(
                                          static_cast<std::int64_t>(j))) <= 1e-10 * scale);
  }
}
