// Law 7 under every optimizer: training and growing commute, in float64, over every architecture.
#include "arch/muon_matrices.h"
#include "laws/running_state.h"
#include "optim/optimizer.h"
#include "support/catch.h"
#include "train/decisions.h"

using namespace stagedtrain;
using schedule::OptimizerName;
using schedule::OptimizerSpec;
using schedule::UpdateScale;
using state::TensorKind;
using state::TrainingState;
using test::GrowthCase;
using test::largest;
using test::largest_difference;

namespace {

OptimizerSpec muon(double adamw_lr, UpdateScale scale = UpdateScale::spectral) {
  return {.name = OptimizerName::muon,
          .eps = 1e-3,
          .weight_decay = 0.3,
          .clip = 0,
          .momentum = 0.95,
          .nesterov = true,
          .update_scale = scale,
          .adamw_lr = adamw_lr};
}

TrainingState trained(const TrainingState& from, const OptimizerSpec& spec, double lr, int steps) {
  schedule::Schedule schedule;
  schedule.optimizer = spec;
  schedule.lr.peak = lr;
  train::Optimizer optimizer(schedule);
  const auto model = test::running(from);
  model::ParamBuffer& params = model->params();
  for (int i = 0; i < steps; ++i) {
    model->loss_and_backward(test::batch(from.model, i), 1.0, 0);
    const double norm = train::gradient_norm(params).item<double>();
    optimizer.step(params, lr, from.progress.step + i + 1, train::clip_factor(norm, spec.clip));
    model->weights_changed();
  }
  TrainingState to = test::clone(from);
  params.store(to);
  return to;
}

// Even duplication, as the small state trains and then grows, and as it grows and then trains.
struct Commuted {
  TrainingState grown_last, grown_first;
  bool same_entries;  // width spreads the same function over its blocks in another way
};

std::vector<arch::ModelConfig> one_model() { return {test::law_models().front()}; }

// Copies of all axes, and of the feed-forward's alone, whose matrices then have copies on one side.
template <class F>
void for_each_commuted(const std::vector<arch::ModelConfig>& models, const std::string& dynamics,
                       const OptimizerSpec& spec, double lr, F f) {
  for (const auto& [name, axes] :
       {std::pair{"clone", ""}, {"width", ""}, {"width", "axes: [ffn], "}})
    for (const arch::ModelConfig& model : models)
      for (const int k : {2, 3}) {
        const std::string options = std::string("factor: $k, ") + axes +
                                    "symmetry: {noise: 0}, moments: equivariant, dynamics: ";
        const GrowthCase c{test::growth_list(name, options + dynamics, k), model};
        CAPTURE(c.name());
        TrainingState small = test::law_state(model);
        test::put_gradient(small);
        f(Commuted{test::grown(c.recipe(), trained(small, spec, lr, 5)),
                   trained(test::grown(c.recipe(), small), spec, lr, 5),
                   name == std::string("clone")});
      }
}

// Softmax ignores what a key's bias adds, so its gradient is rounding noise, of which Lion takes
// the sign.
bool is_noise(const arch::ParamSpec& spec, const OptimizerSpec& optimizer) {
  return optimizer.name == OptimizerName::lion && spec.key == "attention.key.bias";
}

void check_commuted(const Commuted& c, const OptimizerSpec& optimizer, double tolerance) {
  const arch::ParamTable table = arch::param_table(c.grown_first.model);
  for (const TensorKind kind : state::kTensorKinds) {
    // SGD's momentum holds the decay, so weights.
    const bool holds_weights = kind == TensorKind::weights || optimizer.name == OptimizerName::sgd;
    if (holds_weights && !c.same_entries) continue;
    const double most = largest(c.grown_first.of(kind));
    double difference = 0;
    for (std::size_t i = 0; i < table.size(); ++i)
      if (!is_noise(table[i], optimizer))
        difference = std::max(
            difference, largest_difference(c.grown_last.of(kind)[i], c.grown_first.of(kind)[i]));
    CAPTURE(kind_name(kind), difference / most);
    CHECK(difference <= tolerance * most);
  }
  CHECK(std::abs(test::loss_of(c.grown_last) / test::loss_of(c.grown_first) - 1) <= tolerance);
}

}  // namespace

// What AdamW trains stands still here (adamw_lr: 0), so that Muon is seen alone; plain dynamics
// leave all scales at 1.
TEST_CASE("law 7 for muon: training and growing commute without any factor") {
  const test::OneThread quick;
  for_each_commuted(test::law_models(), "plain", muon(0), 0.02,
                    [](const Commuted& c) { check_commuted(c, muon(0), 1e-12); });
}

TEST_CASE("law 7 for muon beside AdamW, and for every scale of its update, with exact dynamics") {
  const test::OneThread quick;
  for (const UpdateScale scale :
       {UpdateScale::spectral, UpdateScale::original, UpdateScale::match_rms_adamw}) {
    OptimizerSpec spec = muon(1e-3, scale);
    spec.clip = 0.05;  // below every norm
    for_each_commuted(scale == UpdateScale::spectral ? test::law_models() : one_model(), "exact",
                      spec, 0.02, [&](const Commuted& c) { check_commuted(c, spec, 1e-8); });
  }
}

TEST_CASE("law 7 for lion and sgd, with exact dynamics") {
  const test::OneThread quick;
  const OptimizerSpec sgd{.name = OptimizerName::sgd,
                          .betas = {},
                          .weight_decay = 0.3,
                          .clip = 0.05,
                          .momentum = 0.9,
                          .nesterov = true};
  for_each_commuted(test::law_models(), "exact", sgd, 0.1,
                    [&](const Commuted& c) { check_commuted(c, sgd, 1e-12); });
  const OptimizerSpec lion{
      .name = OptimizerName::lion, .betas = {0.9, 0.99}, .weight_decay = 0.3, .clip = 0.05};
  for_each_commuted(test::law_models(), "exact", lion, 1e-3,
                    [&](const Commuted& c) { check_commuted(c, lion, 1e-8); });
}

TEST_CASE("law 7 needs the spectral scale or exact dynamics, and sgd and lion need exact ones") {
  const test::OneThread quick;
  const auto check_part = [](const OptimizerSpec& spec, double lr) {
    double most = 0;
    for_each_commuted(one_model(), "plain", spec, lr, [&](const Commuted& c) {
      most = std::max(most, largest_difference(c.grown_last.of(TensorKind::exp_avg),
                                               c.grown_first.of(TensorKind::exp_avg)) /
                                largest(c.grown_first.of(TensorKind::exp_avg)));
    });
    CHECK(most > 1e-3);
  };
  check_part(muon(0, UpdateScale::original), 0.02);
  check_part(muon(0, UpdateScale::match_rms_adamw), 0.02);
  OptimizerSpec sgd{
      .name = OptimizerName::sgd, .betas = {}, .clip = 0, .momentum = 0.9, .nesterov = false};
  check_part(sgd, 0.1);
  check_part({.name = OptimizerName::lion, .betas = {0.9, 0.99}, .clip = 0}, 1e-2);
}

// exact dynamics leave scales on every tensor, which AdamW needs; Muon must not take them.
TEST_CASE("exact dynamics give muon's matrices a factor of 1") {
  const test::OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    const GrowthCase c{"[{operator: clone, factor: 2, moments: equivariant, dynamics: exact}]",
                       model};
    TrainingState with = test::grown(c.recipe(), test::law_state(model));
    TrainingState without = test::clone(with);
    const arch::ParamTable table = arch::param_table(with.model);
    int changed = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (!arch::is_muon_matrix(table[i])) continue;
      state::TensorHistory& history = without.histories[i];
      changed += history.lr_scale != 1;
      history.lr_scale = history.decay_scale = history.eps_scale = 1;
    }
    CHECK(changed > 0);
    CHECK(largest_difference(trained(with, muon(1e-3), 0.02, 3).of(TensorKind::weights),
                             trained(without, muon(1e-3), 0.02, 3).of(TensorKind::weights)) == 0);
  }
}

// Of a growth with `moments: reset_new, ramp`, which zeroes moments in every matrix.
TEST_CASE("muon lets the rate of a matrix rise in which moments were zeroed") {
  const test::OneThread quick;
  const arch::ModelConfig model = test::law_models().front();
  const auto moved = [&](const std::string& ramp) {
    const GrowthCase c{"[{operator: clone, factor: 2, moments: reset_new" + ramp + "}]", model};
    const TrainingState before = test::grown(c.recipe(), test::law_state(model));
    const TrainingState after = trained(before, muon(0), 0.02, 1);
    const auto index = static_cast<std::size_t>(
        arch::param_table(after.model).index("layers.0.attention.query.weight"));
    std::vector<double> difference;
    for (std::int64_t j = 0; j < after.of(TensorKind::weights)[index].count(); ++j) {
      const double w = before.of(TensorKind::weights)[index].at(j);
      difference.push_back(after.of(TensorKind::weights)[index].at(j) - w);
    }
    return difference;
  };
  const std::vector<double> whole = moved(""), ramped = moved(", ramp: 4");
  double worst = 0, most = 0;
  for (std::size_t j = 0; j < whole.size(); ++j) {
    worst = std::max(worst, std::abs(ramped[j] - 0.25 * whole[j]));
    most = std::max(most, std::abs(whole[j]));
  }
  CHECK(worst <= 1e-15);
  CHECK(most > 1e-3);
}
