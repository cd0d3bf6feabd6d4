// The policy teacher: trains the stage's model and the smaller one in the corner of its matrices
// together, the larger as the teacher of the smaller (Gap Preserving Distillation, arXiv
// 2410.04140).
//
// The student's parameters are those of arch/corner.h, so every gradient of the student is one of
// the teacher, too. A micro-batch minimizes
//   CE(teacher) + CE(student) + kd T^2 KL(softmax(stop(z) / T) || softmax(z_s / T))
// with the logits z of the teacher, through which the distillation loss has no gradient, and z_s of
// the student. Both models run whole, forward and backward, on all tokens (reference/student.cc).
//
// Rejected: the student on the fused CPU kernels. They never hold the logits of a batch, and the
// distillation loss needs those of both models.
#include "arch/corner.h"
#include "arch/cost.h"
#include "arch/loops.h"
#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kLeastTemperature = 1e-3;

arch::ModelConfig student_of(const PolicyStage& stage) {
  return arch::corner_model(stage.model, stage.keys.teacher->factor);
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  const arch::TokenFlops teacher = arch::step_flops_per_token(stage.model, {}, {}, length),
                         student = arch::step_flops_per_token(student_of(stage), {}, {}, length);
  return {teacher.total + student.total, teacher.attention + student.attention};
}

// The student's weights and gradients, and their copies in bf16.
double more_memory(const PolicyStage& stage, double number_bytes) {
  return 3 * number_bytes * static_cast<double>(arch::count_params(student_of(stage)).total);
}

// The activations of one of the student's layers take 1 / factor of the teacher's.
std::int64_t most_layers(const PolicyStage& stage) {
  const std::int64_t factor = stage.keys.teacher->factor;
  return stage.model.layers + (stage.model.layers + factor - 1) / factor;
}

std::string refusal(const PolicyStage& stage) {
  const arch::ModelConfig& model = stage.model;
  if (model.experts > 0)
    return fmt::format("found in a model with {} experts, expected one without experts",
                       model.experts);
  if (arch::is_looped(model))
    return "found in a model with a looped core, expected a model without one (model.core: 0)";
  if (model.routed_every > 0)
    return "found in a model with routed layers, expected one without them (model.routed_every: 0)";
  if (stage.keys.teacher->temperature < kLeastTemperature)
    return fmt::format(
        "temperature: found {:g}, expected at least {:g}: logits divided by less "
        "leave the range of numbers",
        stage.keys.teacher->temperature, kLeastTemperature);
  return arch::obstacle_to_corner(model, stage.keys.teacher->factor);
}

std::string description(const PolicyStage& stage) {
  const arch::ModelConfig student = student_of(stage);
  return fmt::format(
      "a student of width {}, with {} parameters, is trained beside this stage's model, in the "
      "corner of its matrices; on a CPU the run uses reference kernels",
      student.width, short_count(static_cast<double>(arch::count_params(student).total)));
}

}  // namespace

const Policy& teacher() {
  static const Policy policy = {
      .key = "teacher",
      .is_on = [](const schedule::Policies& keys) { return keys.teacher.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage&, std::int64_t, std::int64_t) { return 1.0; },
      .refusal = refusal,
      .description = description,
      .more_memory = more_memory,
      .most_layers = most_layers};
  return policy;
}

}  // namespace stagedtrain::plan
