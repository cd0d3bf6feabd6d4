// Growth under a parameterization: every operator leads to the scales of a fresh model of the new
// size, these are the factors of exact dynamics, and so training and growing commute.
#include "laws/running_state.h"
#include "optim/adamw.h"
#include "support/catch.h"
#include "train/decisions.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;
using test::GrowthCase;
using test::largest;
using test::largest_difference;

namespace {

constexpr arch::Parameterization kScaled{.base_width = 8, .base_layers = 1, .final_layers = 5};

arch::ModelConfig scaled(arch::ModelConfig model) {
  model.parameterization = kScaled;
  return arch::resolved(model);
}

// A state of the laws with the scales of its model.
TrainingState scaled_state(const arch::ModelConfig& model) {
  TrainingState state = test::law_state(model);
  state.histories = state::fresh_histories(model);
  return state;
}

void check_scales(const state::TensorHistory& found, const state::TensorHistory& wanted) {
  CHECK(found.lr_scale == Approx(wanted.lr_scale).epsilon(1e-13));
  CHECK(found.decay_scale == Approx(wanted.decay_scale).epsilon(1e-13));
  CHECK(found.eps_scale == Approx(wanted.eps_scale).epsilon(1e-13));
}

TrainingState trained(const TrainingState& from, int steps) {
  const auto model = test::running(from);
  model::ParamBuffer& params = model->params();
  for (int i = 0; i < steps; ++i) {
    model->loss_and_backward(test::batch(from.model, i), 1.0, 0);
    const double clip = train::clip_factor(train::gradient_norm(params).item<double>(), 0.05);
    train::adamw_step(params, {.eps = 1e-3, .weight_decay = 0.3}, 1e-2, from.progress.step + i + 1,
                      clip);
    model->weights_changed();
  }
  TrainingState to = test::clone(from);
  params.store(to);
  return to;
}

std::string even_copies(const std::string& dynamics) {
  return "factor: $k, symmetry: {noise: 0}, moments: equivariant, dynamics: " + dynamics;
}

}  // namespace

TEST_CASE("after any growth, the scales are those of a fresh model of that size") {
  for (const GrowthCase& c : test::growth_cases()) {
    const GrowthCase one{c.list, scaled(c.from)};
    CAPTURE(one.name());
    if (c.list.find("$other") != std::string::npos) continue;  // needs a state with these scales
    const grow::GrowthRecipe recipe = one.recipe();
    const state::StateHeader grown =
        grow::grown_header(recipe, header_of(scaled_state(one.from)), "", "");
    const std::vector<state::TensorHistory> fresh = state::fresh_histories(recipe.to);
    for (std::size_t i = 0; i < fresh.size(); ++i) check_scales(grown.histories[i], fresh[i]);
  }
}

TEST_CASE("the factors of a parameterization are those of exact dynamics, and count once") {
  for (const arch::ModelConfig& model : test::law_models())
    for (const char* name : {"width", "clone"})
      for (const int k : {2, 3}) {
        const GrowthCase exact{test::growth_list(name, even_copies("exact"), k), model};
        CAPTURE(exact.name());
        const grow::GrowthStep wanted = exact.recipe().steps[0];
        for (const char* dynamics : {"plain", "exact"}) {
          const GrowthCase one{test::growth_list(name, even_copies(dynamics), k), scaled(model)};
          const grow::GrowthStep found = one.recipe().steps[0];
          for (std::size_t i = 0; i < wanted.tensors.size(); ++i) {
            const grow::TensorRecipe &a = found.tensors[i], &b = wanted.tensors[i];
            CHECK(a.lr_scale == Approx(b.lr_scale).epsilon(1e-13));
            CHECK(a.decay_scale == Approx(b.decay_scale).epsilon(1e-13));
            CHECK(a.eps_scale == Approx(b.eps_scale).epsilon(1e-13));
          }
        }
      }
}

TEST_CASE("law 7 under a parameterization: training and growing commute") {
  const test::OneThread quick;
  for (const arch::ModelConfig& model : test::law_models())
    for (const int k : {2, 3}) {
      const GrowthCase c{test::growth_list("clone", even_copies("plain"), k), scaled(model)};
      CAPTURE(c.name());
      TrainingState small = scaled_state(c.from);
      test::put_gradient(small);
      const TrainingState grown_last = test::grown(c.recipe(), trained(small, 5)),
                          grown_first = trained(test::grown(c.recipe(), small), 5);
      for (const TensorKind kind : state::kTensorKinds)
        CHECK(largest_difference(grown_last.of(kind), grown_first.of(kind)) <=
              1e-8 * largest(grown_first.of(kind)));
    }
}

TEST_CASE("new layers of a random depth growth start as those of a fresh model") {
  const arch::ModelConfig model = scaled(test::law_model("gpt2", true, 0));
  const GrowthCase c{"[{operator: depth, layers: 5, new_layers: random}]", model};
  const TrainingState grown = test::grown(c.recipe(), scaled_state(model));
  const arch::ParamTable table = arch::param_table(grown.model);
  const auto index = static_cast<std::size_t>(table.index("layers.4.mlp.down.weight"));
  const state::HostTensor& weights = grown.of(TensorKind::weights)[index];
  double squares = 0;
  for (std::int64_t j = 0; j < weights.count(); ++j) squares += weights.at(j) * weights.at(j);
  const double deviation = std::sqrt(squares / static_cast<double>(weights.count()));
  CHECK(deviation == Approx(table[index].init.value).epsilon(0.2));
}
