// A student in the corner of its teacher's matrices: its function, the gradients of what the two
// share, and that the ways of computing them agree.
#include "reference/student.h"

#include "laws/running_state.h"
#include "model/running_model.h"

using namespace stagedtrain;
using model::Distillation;
using model::Kernels;
using model::Precision;
using state::TrainingState;
using test::batch;

namespace {

std::vector<arch::ModelConfig> teachers() {
  std::vector<arch::ModelConfig> dense;
  for (const arch::ModelConfig& model : test::law_models())
    if (model.experts == 0) dense.push_back(model);
  return dense;
}

TrainingState applied(const std::string& list, const TrainingState& state) {
  return test::grown(test::GrowthCase{list, state.model}.recipe(), state);
}
TrainingState student_of(const TrainingState& teacher) {
  return applied("[{operator: corner, factor: 2}]", teacher);
}
TrainingState cloned(const TrainingState& small) {
  return applied("[{operator: clone, factor: 2, symmetry: {noise: 0}}]", small);
}

at::Tensor logits_of(const TrainingState& state) {
  return test::running(state)
      ->logits(batch(state.model).narrow(1, 0, state.model.context))
      .flatten(0, 1);
}

struct Pass {
  double loss, student_loss;
  at::Tensor grads;
};
Pass pass_of(model::Model& model, const std::optional<Distillation>& how, double scale = 1) {
  model::set_student(model, how);
  model.params().grads().zero_();
  const double loss = model.loss_and_backward(batch(model.config()), scale, 3).item<double>();
  const at::Tensor students = model::take_student_loss(model);
  return {loss, students.defined() ? students.item<double>() : 0, model.params().grads().clone()};
}

// What a pass minimizes, from the logits of two models. `fixed` are the teacher's logits at which
// the distillation loss has no gradient.
double objective(const TrainingState& teacher, const at::Tensor& fixed_NV, const Distillation& how,
                 double z_loss) {
  const at::Tensor targets_N1 =
      batch(teacher.model).narrow(1, 1, teacher.model.context).reshape({-1, 1});
  const at::Tensor student_NV = logits_of(student_of(teacher));
  double sum = 0;
  for (const at::Tensor& logits_NV : {logits_of(teacher), student_NV}) {
    const at::Tensor z_N = logits_NV.logsumexp({1});
    sum += (z_N.unsqueeze(1) - logits_NV.gather(1, targets_N1)).mean().item<double>();
    sum += z_loss * z_N.square().mean().item<double>();
  }
  const at::Tensor p_NV = (fixed_NV / how.temperature).softmax(1),
                   q_NV = (student_NV / how.temperature).softmax(1);
  const double divergence = (p_NV * (p_NV / q_NV).log()).sum(1).mean().item<double>();
  return sum + how.kd * how.temperature * how.temperature * divergence;
}

}  // namespace

TEST_CASE("the student computes what the operator corner takes out") {
  const test::OneThread quick;
  for (const arch::ModelConfig& config : teachers()) {
    CAPTURE(describe(config));
    const TrainingState teacher = test::law_state(config);
    const Pass pass = pass_of(*test::running(teacher), Distillation{}, 0.5);
    CHECK(pass.loss == Approx(test::loss_of(teacher)).epsilon(1e-12));
    CHECK(pass.student_loss == Approx(0.5 * test::loss_of(student_of(teacher))).epsilon(1e-12));
  }
}

TEST_CASE("after clone the teacher's logits are the student's, and distilling does nothing") {
  const test::OneThread quick;
  for (const arch::ModelConfig& config : teachers()) {
    CAPTURE(describe(config));
    const TrainingState small = test::law_state(config), teacher = cloned(small);
    CHECK(test::error_of(logits_of(teacher), logits_of(student_of(teacher))) <= 1e-12);
    const auto model = test::running(teacher);
    const Pass none = pass_of(*model, Distillation{.kd = 0}),
               much = pass_of(*model, Distillation{.kd = 50});
    CHECK(none.student_loss == Approx(none.loss).epsilon(1e-12));
    CHECK(test::error_of(much.grads, none.grads) <= 1e-11);
  }
}

TEST_CASE("gradients are the slopes of the losses of two separate models") {
  const test::OneThread quick;
  constexpr double kZLoss = 0.01, kScale = 0.7, kStep = 1e-6;
  std::uint64_t seed = 1;
  for (const arch::ModelConfig& config : teachers())
    for (const Distillation& how :
         {Distillation{.kd = 0}, Distillation{}, Distillation{.kd = 2, .temperature = 2.5}}) {
      const TrainingState state = test::law_state(config);
      const auto model = model::make_model(
          config, {.precision = Precision::fp64, .kernels = Kernels::reference, .z_loss = kZLoss});
      model::ParamBuffer& params = model->params();
      params.load(state);
      const at::Tensor grads = pass_of(*model, how, kScale).grads / kScale,
                       fixed_NV = logits_of(state);
      for (std::size_t i = 0; i < params.table().size(); ++i) {
        CAPTURE(describe(config), how.kd, how.temperature, params.table()[i].name);
        at::manual_seed(seed++);
        at::Tensor direction = at::zeros_like(params.weights());
        params.view(direction, i).copy_(at::randn(params.table()[i].shape(), at::kDouble));
        const auto moved = [&](double by) {
          TrainingState there = test::clone(state);
          params.weights().add_(direction, by);
          params.store(there);
          params.weights().sub_(direction, by);
          return objective(there, fixed_NV, how, kZLoss);
        };
        const double slope = (moved(kStep) - moved(-kStep)) / (2 * kStep);
        CHECK((direction * grads).sum().item<double>() == Approx(slope).epsilon(1e-6).margin(1e-8));
      }
    }
}

TEST_CASE("a student's gradient is the sum over passes, and over parts of the rows") {
  const test::OneThread quick;
  for (const arch::ModelConfig& config : teachers()) {
    CAPTURE(describe(config));
    const auto model = test::running(test::law_state(config));
    const Pass whole = pass_of(*model, Distillation{}),
               parts = pass_of(*model, Distillation{.rows_at_once = 5});
    CHECK(test::error_of(parts.grads, whole.grads) <= 1e-13);
    CHECK(parts.loss == Approx(whole.loss).epsilon(1e-13));
    CHECK(parts.student_loss == Approx(whole.student_loss).epsilon(1e-13));
    model->params().grads().zero_();
    const at::Tensor tokens_BS = batch(config);
    for (const std::int64_t row : {0, 1})
      model->loss_and_backward(tokens_BS.narrow(0, 2 * row, 2), 0.5, 3);
    CHECK(test::error_of(model->params().grads(), whole.grads) <= 1e-13);
    CHECK(model::take_student_loss(*model).item<double>() ==
          Approx(whole.student_loss).epsilon(1e-13));
  }
}

TEST_CASE("recomputing blocks gives a student the same bits, and bfloat16 is near fp32") {
  for (const arch::ModelConfig& config : teachers()) {
    CAPTURE(describe(config));
    const auto pass = [&](model::ModelOptions options) {
      options.kernels = Kernels::reference;
      return pass_of(*test::make_filled(config, options), Distillation{});
    };
    const Pass plain = pass({}), again = pass({.recompute = model::Recompute::blocks}),
               mixed = pass({.precision = Precision::bf16});
    CHECK(again.grads.equal(plain.grads));
    CHECK(again.student_loss == plain.student_loss);
    CHECK(mixed.student_loss == Approx(plain.student_loss).epsilon(0.01));
    CHECK(mixed.student_loss != plain.student_loss);
    CHECK(test::error_of(mixed.grads, plain.grads) < 0.1);
  }
}

TEST_CASE("without its student a model is trained as before, to the bit") {
  const arch::ModelConfig config = teachers().front();
  const auto model = test::running(test::law_state(config));
  const Pass before = pass_of(*model, {}), with = pass_of(*model, Distillation{}),
             after = pass_of(*model, {});
  CHECK(after.grads.equal(before.grads));
  CHECK(after.loss == before.loss);
  CHECK_FALSE(with.grads.equal(before.grads));
  CHECK(with.loss == Approx(before.loss).epsilon(1e-14));
}
