// What untie promises of moments: the gradient of a shared weight is the sum over its passes, and
// copies with equal gradients take the step of the shared weight.
#include "laws/running_state.h"
#include "optim/adamw.h"
#include "optim/sgd.h"
#include "support/catch.h"

using namespace stagedtrain;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;
using test::grown;
using test::GrowthCase;
using test::largest;
using test::largest_difference;

namespace {

std::vector<arch::ModelConfig> tied_models() {
  std::vector<arch::ModelConfig> models = test::looped_models();
  std::erase_if(models, [](const arch::ModelConfig& model) { return !model.tied_cores; });
  return models;
}

GrowthCase untie(const arch::ModelConfig& model, const std::string& options = "") {
  return {"[{operator: untie" + options + "}]", model};
}

// The index in the tied model's table of the tensor that each untied one was copied from.
std::vector<std::size_t> sources_of(const grow::GrowthRecipe& recipe) {
  std::vector<std::size_t> sources;
  for (const grow::TensorRecipe& made : recipe.steps.front().tensors)
    sources.push_back(*made.heir_of);
  return sources;
}

bool is_shared(const arch::ParamSpec& spec, const arch::ModelConfig& from) {
  const std::int64_t place = spec.layer - from.prelude;
  return place >= 0 && place < from.passes * from.core;
}

// The sums over all copies, in the layout of the tied model.
std::vector<HostTensor> summed(const TrainingState& large, const TrainingState& small,
                               const std::vector<std::size_t>& sources) {
  std::vector<HostTensor> sums;
  for (const HostTensor& tensor : small.of(TensorKind::exp_avg)) {
    sums.push_back(tensor.clone());
    for (std::int64_t j = 0; j < tensor.count(); ++j) sums.back().set(j, 0);
  }
  for (std::size_t i = 0; i < sources.size(); ++i)
    for (std::int64_t j = 0; j < sums[sources[i]].count(); ++j)
      sums[sources[i]].set(j, sums[sources[i]].at(j) + large.of(TensorKind::exp_avg)[i].at(j));
  return sums;
}

// The weights after one step with a made-up gradient: that of a state of the tied model, or its
// K-th part for every copy.
using Step = void (*)(model::ParamBuffer&);
TrainingState stepped(const TrainingState& state, const std::vector<std::size_t>& sources,
                      const std::vector<double>& shares, Step step) {
  const auto model = test::running(state);
  model::ParamBuffer& params = model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    at::manual_seed(sources[i]);
    const at::Tensor gradient = 1e-3 * at::randn(params.table()[i].shape(), at::kDouble);
    params.view(params.grads(), i).copy_(gradient * shares[i]);
  }
  step(params);
  TrainingState to = test::clone(state);
  params.store(to);
  return to;
}

// How far the copies are from the shared weight, after one step of both.
double distance_after_step(const arch::ModelConfig& model, const std::string& options, Step step) {
  const GrowthCase c = untie(model, options);
  const TrainingState small = test::law_state(model), large = grown(c.recipe(), small);
  const std::vector<std::size_t> sources = sources_of(c.recipe());
  std::vector<std::size_t> own;
  for (std::size_t i = 0; i < small.of(TensorKind::weights).size(); ++i) own.push_back(i);
  std::vector<double> shares;
  for (const arch::ParamSpec& spec : arch::param_table(large.model))
    shares.push_back(is_shared(spec, model) ? 1 / static_cast<double>(model.passes) : 1);
  const TrainingState one = stepped(small, own, std::vector<double>(own.size(), 1), step),
                      all = stepped(large, sources, shares, step);
  double most = 0;
  for (std::size_t i = 0; i < sources.size(); ++i)
    most = std::max(most, largest_difference(all.of(TensorKind::weights)[i],
                                             one.of(TensorKind::weights)[sources[i]]));
  return most;
}

void adamw(model::ParamBuffer& params) { train::adamw_step(params, {.eps = 1e-3}, 1e-2, 13, 1.0); }
void sgd(model::ParamBuffer& params) {
  train::sgd_step(params, {.weight_decay = 0}, 1e-1, 13, 1.0);
}

}  // namespace

TEST_CASE("the gradients of untied copies add up to that of the shared weight, as moments do") {
  const test::OneThread quick;
  for (const arch::ModelConfig& model : tied_models()) {
    const GrowthCase c = untie(model);
    CAPTURE(c.name());
    TrainingState small = test::law_state(model);
    test::put_gradient(small);
    const TrainingState large = grown(c.recipe(), small);
    TrainingState found = test::clone(large);
    test::put_gradient(found);
    const std::vector<std::size_t> sources = sources_of(c.recipe());
    const double scale = largest(small.of(TensorKind::exp_avg));
    for (const TrainingState* state : {&large, static_cast<const TrainingState*>(&found)})
      CHECK(largest_difference(summed(*state, small, sources), small.of(TensorKind::exp_avg)) <=
            1e-13 * scale);
  }
}

TEST_CASE("untied copies have a K-th of the first moment and a K-squared-th of the second") {
  for (const arch::ModelConfig& model : tied_models()) {
    const GrowthCase c = untie(model);
    const TrainingState small = test::law_state(model), large = grown(c.recipe(), small);
    const std::vector<std::size_t> sources = sources_of(c.recipe());
    const arch::ParamTable table = arch::param_table(large.model);
    for (std::size_t i = 0; i < table.size(); ++i) {
      const double share = is_shared(table[i], model) ? 1 / static_cast<double>(model.passes) : 1;
      for (const auto& [kind, factor] :
           {std::pair{TensorKind::weights, 1.0}, std::pair{TensorKind::exp_avg, share},
            std::pair{TensorKind::exp_avg_sq, share * share}})
        for (std::int64_t j = 0; j < large.of(kind)[i].count(); ++j)
          REQUIRE(large.of(kind)[i].at(j) ==
                  Approx(factor * small.of(kind)[sources[i]].at(j)).epsilon(1e-14).margin(1e-300));
    }
  }
}

TEST_CASE("with equal gradients every untied copy takes the step of the shared weight") {
  const test::OneThread quick;
  for (const arch::ModelConfig& model : tied_models()) {
    CAPTURE(describe(model));
    CHECK(distance_after_step(model, ", dynamics: exact", adamw) <= 1e-14);
    CHECK(distance_after_step(model, ", dynamics: exact", sgd) <= 1e-14);
    CHECK(distance_after_step(model, "", adamw) > 1e-5);  // eps counts K times as much
    CHECK(distance_after_step(model, ", dynamics: exact, moments: copy", adamw) > 1e-5);
  }
}
