// Runs teacher and student on the same tokens, and computes the losses that need the logits of
// both.
//
// Logits exist for some rows at a time, as their gradients do: for each such part, a graph from the
// features of both models to the losses is built and run backward at once. The gradients of the
// features that this leaves then go through the layers of each model.
#include "reference/student.h"

#include "arch/corner.h"
#include "reference/reference_model.h"

namespace stagedtrain::model {
namespace {

// About how many tensors as large as the logits exist at a time: the logits of both models, their
// softmaxes, and gradients.
constexpr std::int64_t kLogits = 8;

std::unique_ptr<Model> make_student(const Model& teacher, std::int64_t factor) {
  ModelOptions options = teacher.options();
  options.make_graph = {};
  if (options.device.is_cpu()) options.kernels = Kernels::reference;
  auto student = make_model(arch::corner_model(teacher.config(), factor), options);
  // It takes no steps of its own, so it needs no moments.
  student->params().exp_avg() = student->params().exp_avg_sq() = at::Tensor();
  return student;
}

at::Tensor corner_of(const at::Tensor& whole, const arch::ParamSpec& small) {
  at::Tensor corner = whole;
  for (std::size_t axis = 0; axis < small.axes.size(); ++axis)
    corner = corner.narrow(static_cast<std::int64_t>(axis), 0, small.axes[axis].size);
  return corner;
}

ReferenceModel& as_reference(Model& model) {
  auto* reference = dynamic_cast<ReferenceModel*>(&model);
  ST_CHECK(reference, "{} kernels with a student", model.kernels_name());
  return *reference;
}

}  // namespace

Student::Student(ReferenceModel& teacher, const Distillation& how)
    : teacher_(teacher),
      how_(how),
      owned_(make_student(teacher, how.factor)),
      model_(as_reference(*owned_)) {
  ST_CHECK(!teacher.shards() && teacher.config().experts == 0,
           "a student of a model with shards or experts");
  ParamBuffer &large = teacher.params(), &small = model_.params();
  for (std::size_t i = 0; i < small.table().size(); ++i) {
    const arch::ParamSpec& spec = small.table()[i];
    shared_.push_back({small.view(small.weights(), i), small.view(model_.compute_grads_, i),
                       corner_of(large.view(large.weights(), spec.name), spec),
                       corner_of(large.view(large.grads(), spec.name), spec),
                       arch::corner_scales(spec, teacher.config().tied, how.factor).value});
  }
}

void Student::take_weights() {
  const at::NoGradGuard no_grad;
  for (const Shared& one : shared_) one.weights.copy_(one.teacher_weights).mul_(one.scale);
  model_.weights_changed();
  model_.compute_grads_.zero_();
}

void Student::give_gradients() {
  const at::NoGradGuard no_grad;
  for (const Shared& one : shared_) one.teacher_grads.add_(one.grads, one.scale);
}

Student::Sums Student::sums_of(const at::Tensor& logits_nV, const at::Tensor& targets_n) const {
  const double z_loss = teacher_.options().z_loss;
  const at::Tensor entropy = at::cross_entropy_loss(logits_nV, targets_n, {}, at::Reduction::Sum);
  at::Tensor objective = entropy;
  if (z_loss > 0) objective = objective + z_loss * at::logsumexp(logits_nV, {1}).square().sum();
  return {entropy.detach().to(at::kDouble), objective};
}

at::Tensor Student::divergence(const at::Tensor& teacher_nV, const at::Tensor& student_nV) const {
  const double t = how_.temperature;
  return how_.kd * t * t *
         at::kl_div(at::log_softmax(student_nV / t, 1), at::log_softmax(teacher_nV / t, 1),
                    at::Reduction::Sum, /*log_target=*/true);
}

Loss Student::loss(const at::Tensor& x_NC, const at::Tensor& tokens_BS, double scale,
                   const PassDropout& dropout) {
  take_weights();
  const std::int64_t length = tokens_BS.size(1) - 1, all = x_NC.size(0);
  const at::Tensor y_NC = model_
                              .features(tokens_BS.narrow(1, 0, length),
                                        {.dropout = dropout, .layers = model_.config().layers})
                              .flatten(0, 1);
  const std::int64_t rows =
      how_.rows_at_once > 0 ? how_.rows_at_once : rows_of_logits(kLogits * model_.config().vocab);
  const auto x_nC = x_NC.detach().split(rows), y_nC = y_NC.detach().split(rows),
             targets_n = tokens_BS.narrow(1, 1, length).flatten().split(rows);
  std::vector<at::Tensor> dx_nC, dy_nC;
  at::Tensor entropy = at::zeros({}, x_NC.options().dtype(at::kDouble)),
             entropy_of_student = at::zeros_like(entropy);
  for (std::size_t i = 0; i < targets_n.size(); ++i) {
    const at::Tensor x = x_nC[i].detach().requires_grad_(true),
                     y = y_nC[i].detach().requires_grad_(true);
    const at::Tensor z_nV = teacher_.scores(x), student_nV = model_.scores(y);
    const Sums own = sums_of(z_nV, targets_n[i]), students = sums_of(student_nV, targets_n[i]);
    const at::Tensor sum =
        own.objective + students.objective + divergence(z_nV.detach(), student_nV);
    (sum * (scale / static_cast<double>(all))).backward();
    entropy += own.entropy;
    entropy_of_student += students.entropy;
    dx_nC.push_back(x.grad());
    dy_nC.push_back(y.grad());
  }
  y_NC.backward(at::cat(dy_nC));
  give_gradients();
  const at::Tensor part = entropy_of_student * (scale / static_cast<double>(all));
  loss_ = loss_.defined() ? loss_ + part : part;
  // The gradient of this sum with respect to x is what the parts have left.
  return {entropy / static_cast<double>(all), (x_NC * at::cat(dx_nC)).sum()};
}

at::Tensor Student::take_loss() {
  at::Tensor taken = loss_;
  loss_ = at::Tensor();
  return taken;
}

void set_student(Model& model, const std::optional<Distillation>& how) {
  if (!how && !dynamic_cast<ReferenceModel*>(&model)) return;
  as_reference(model).set_student(how);
}

at::Tensor take_student_loss(Model& model) {
  auto* reference = dynamic_cast<ReferenceModel*>(&model);
  return reference && reference->student() ? reference->student()->take_loss() : at::Tensor();
}

}  // namespace stagedtrain::model
