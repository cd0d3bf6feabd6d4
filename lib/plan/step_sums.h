// Tokens and FLOPs of a run's steps, batch-size and length warm-ups included.
//
// A step trains on sequences_at(step) sequences of the stage's own context, whatever pieces the
// length warm-up cuts them into. Everything that turns tokens into steps asks here, so that a
// length in tokens means the same for a stage, a warm-up, a decay, an evaluation and a save.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::plan {

// Sequences of context tokens in a step of the run.
std::int64_t sequences_at(const schedule::Schedule& schedule, std::int64_t step);
// The length of the pieces they are cut into: the largest divisor of the context that the length
// warm-up allows.
std::int64_t length_at(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                       std::int64_t step);
// Tokens of a step in a stage with this model.
std::int64_t tokens_at(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                       std::int64_t step);

// FLOPs of the optimizer in one step, which the sums below and a run's log count: Muon's
// Newton-Schulz iterations over all matrices of the blocks. Other optimizers count nothing.
double optimizer_flops_per_step(const schedule::Schedule& schedule, const arch::ModelConfig& model);
// FLOPs of a token in a whole step, the optimizer's share included.
double flops_per_token(const schedule::Schedule& schedule, const arch::ModelConfig& model);

// Sums over steps, in closed form: a ramp of a million steps costs no more than none. Batch sizes
// rise as a line that is rounded down, whose sum is known; lengths are one of the few divisors of
// the context.
class StepSums {
 public:
  StepSums(const schedule::Schedule& schedule, const arch::ModelConfig& model);
  // The same where a token of a sequence of some length, or the optimizer, costs other FLOPs than
  // those of the whole model.
  using FlopsPerToken = std::function<double(std::int64_t length)>;
  StepSums(const schedule::Schedule& schedule, const arch::ModelConfig& model,
           const FlopsPerToken& flops_per_token, double optimizer_flops_per_step);

  // Of the steps from first to before last.
  std::int64_t tokens(std::int64_t first, std::int64_t last) const;
  double flops(std::int64_t first, std::int64_t last) const;
  // The fewest steps from `first` on that come to so many tokens or FLOPs (to 1 part in 1e12).
  // Not rounded to an integer type, which a person's number may exceed.
  double steps_for_tokens(std::int64_t first, double tokens) const;
  double steps_for_flops(std::int64_t first, double flops) const;
  // How many of the last steps before `last` hold so many tokens: all from `first` on if even
  // these hold fewer.
  std::int64_t steps_before(std::int64_t first, std::int64_t last, double tokens) const;

 private:
  // Steps from first_step on whose pieces have this length.
  struct Segment {
    std::int64_t first_step;
    double flops_per_token;
  };
  std::int64_t sequences_before(std::int64_t step) const;  // sum over steps 0 to step - 1
  template <class Sum>
  double steps_for(std::int64_t first, double amount, Sum sum) const;

  std::int64_t context_, sequences_, start_, over_;  // of the batch-size warm-up
  std::int64_t ramp_end_;                            // of both warm-ups
  double optimizer_flops_;                           // of a step
  std::vector<Segment> segments_;
};

}  // namespace stagedtrain::plan
