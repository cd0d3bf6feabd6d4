// Trains the small model in the corner of a running model's matrices beside it, as the student of
// the larger one (Gap Preserving Distillation, arXiv 2410.04140). arch/corner.h says which model
// that is.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "model/block_ops.h"
#include "model/dropout.h"
#include "model/model.h"

namespace stagedtrain::model {

class ReferenceModel;

struct Distillation {
  std::int64_t factor = 2;  // of the corner
  double kd = 3, temperature = 1;
  // an upper bound of the rows whose logits exist at a time; 0: an eighth of rows_of_logits(V)
  std::int64_t rows_at_once = 0;
};

// From now on, loss_and_backward() also adds the gradients of the student's losses to those of the
// model, which is then its teacher. With the logits z of the teacher, z_s of the student, and no
// gradient through stop(z), they are
//   CE(student) + kd T^2 KL(softmax(stop(z) / T) || softmax(z_s / T))
// and the student's z-loss. It returns the teacher's cross-entropy. Without `how`, the model is
// trained alone again. Requires a reference model without shards, experts or mask, which has a
// corner of this factor.
void set_student(Model& model, const std::optional<Distillation>& how);
// Returns the sum of scale * the student's cross-entropy over the passes since the last call, as a
// 0-dim float64 tensor on the device; undefined without a student.
at::Tensor take_student_loss(Model& model);

// The student of a reference model. It runs on weights of its own, which are copied from the
// teacher's before every pass: that costs 1 / factor^2 of the teacher's weights and gradients in
// memory, and keeps recomputation, bfloat16 and devices as they are.
class Student {
 public:
  // The teacher must outlive the student.
  Student(ReferenceModel& teacher, const Distillation& how);

  // Adds the gradients of the student to the teacher's. x_NC is the output of the teacher's final
  // norm for this batch. Returns the teacher's loss; the backward pass of its objective computes
  // the rest of the teacher's gradients.
  Loss loss(const at::Tensor& x_NC, const at::Tensor& tokens_BS, double scale,
            const PassDropout& dropout);
  at::Tensor take_loss();

 private:
  // A tensor of the student, and the corner of the teacher's that it shares.
  struct Shared {
    at::Tensor weights, grads, teacher_weights, teacher_grads;
    double scale = 1;
  };
  // Sums over rows of logits: cross-entropies, and what is minimized.
  struct Sums {
    at::Tensor entropy, objective;
  };

  void take_weights();
  void give_gradients();
  Sums sums_of(const at::Tensor& logits_nV, const at::Tensor& targets_n) const;
  at::Tensor divergence(const at::Tensor& teacher_nV, const at::Tensor& student_nV) const;

  ReferenceModel& teacher_;
  Distillation how_;
  std::unique_ptr<Model> owned_;
  ReferenceModel& model_;  // *owned_
  std::vector<Shared> shared_;
  at::Tensor loss_;
};

}  // namespace stagedtrain::model
