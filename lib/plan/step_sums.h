// How many tokens and FLOPs do a run's steps have, including batch-size and length warm-ups?
//
// A step trains on sequences_at(step) sequences of the stage's own context, into whatever pieces
// the length warm-up cuts them. All conversions between tokens and steps use this file, so that a
// length in tokens means the same for a stage, a warm-up, a decay, an evaluation and a save.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::plan {

// Returns the number of sequences in a step of the run.
std::int64_t sequences_at(const schedule::Schedule& schedule, std::int64_t step);
// Returns the length of the pieces into which sequences are cut: the largest divisor of the context
// that the length warm-up allows.
std::int64_t length_at(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                       std::int64_t step);
// Returns the tokens of a step in a stage with this model.
std::int64_t tokens_at(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                       std::int64_t step);

// Returns the FLOPs of the optimizer in one step, which the sums below and a run's log include:
// Muon's Newton-Schulz iterations for all matrices of the blocks. Other optimizers count 0.
double optimizer_flops_per_step(const schedule::Schedule& schedule, const arch::ModelConfig& model);
// Returns the FLOPs of a token, including its share of the optimizer's FLOPs.
double flops_per_token(const schedule::Schedule& schedule, const arch::ModelConfig& model);

// Sums over steps in closed form, so a ramp of a million steps takes no longer than none. The batch
// size rises as a line that is rounded down, whose sum is known. Lengths are divisors of the
// context, of which there are few.
class StepSums {
 public:
  StepSums(const schedule::Schedule& schedule, const arch::ModelConfig& model);
  // The same with other FLOPs of a token (given the length of its sequence) and of the optimizer
  // than those of the whole model.
  using FlopsPerToken = std::function<double(std::int64_t length)>;
  StepSums(const schedule::Schedule& schedule, const arch::ModelConfig& model,
           const FlopsPerToken& flops_per_token, double optimizer_flops_per_step);

  // Return the sums over the steps from `first` up to but not including `last`.
  std::int64_t tokens(std::int64_t first, std::int64_t last) const;
  double flops(std::int64_t first, std::int64_t last) const;
  // Return the fewest steps from `first` on that reach so many tokens or FLOPs (to 1 part in 1e12).
  // The result is a double because a user's number may exceed integer types.
  double steps_for_tokens(std::int64_t first, double tokens) const;
  double steps_for_flops(std::int64_t first, double flops) const;
  // Returns how many of the last steps before `last` have so many tokens together; all steps from
  // `first` on if even these have fewer.
  std::int64_t steps_before(std::int64_t first, std::int64_t last, double tokens) const;

 private:
  // The steps from first_step on, in which sequences have one length.
  struct Segment {
    std::int64_t first_step;
    double flops_per_token;
  };
  std::int64_t sequences_before(std::int64_t step) const;  // sum over steps 0 to step - 1
  template <class Sum>
  double steps_for(std::int64_t first, double amount, Sum sum) const;

  std::int64_t context_, sequences_, start_, over_;  // start_ and over_: the batch-size warm-up
  std::int64_t ramp_end_;                            // the end of both warm-ups
  double optimizer_flops_;                           // in one step
  std::vector<Segment> segments_;
};

}  // namespace stagedtrain::plan
