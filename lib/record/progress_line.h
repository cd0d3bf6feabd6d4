// Shows the progress of training: one line that is rewritten on a terminal, or a new line now and
// then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "io/terminal.h"
#include "plan/run_plan.h"
#include "state/training_state.h"

namespace stagedtrain::train {

// The numbers of one line. loss is in nats per token. z is the distance from the running mean in
// standard deviations.
struct StepNumbers {
  double loss = 0, loss_z = 0, grad_norm = 0, grad_norm_z = 0, lr = 0;
};

// The speed over some steps; 0 if no time has passed.
struct Speed {
  double tokens_per_second = 0, flops_per_second = 0;
};

Speed speed_between(const state::Progress& from, const state::Progress& to);

// "full 2,100/3,000  loss 1.612 (z -0.4)  4 min left in stage, 12 min in run  norm ..."
std::string progress_text(const plan::RunPlan& plan, const state::Progress& progress,
                          const StepNumbers& step, const Speed& speed);
// Return the seconds that the rest of a stage or of the run takes at a speed in FLOPs per second.
double stage_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                          double flops_per_second);
double run_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                        double flops_per_second);
// Returns the resident memory of this process in bytes, or 0 if it is unknown.
std::uint64_t resident_bytes();

// Writes to stderr. For one thread.
class ProgressLine {
 public:
  // interval is the number of seconds between lines if stderr is no terminal. quiet suppresses all
  // output, as on all ranks but the first.
  ProgressLine(const plan::RunPlan& plan, double interval, bool quiet = false);
  void step(const state::Progress& progress, const StepNumbers& numbers);
  // Prints a line that stays, above the progress line.
  void print(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  Speed speed_since_mark(const state::Progress& progress);
  const plan::RunPlan& plan_;
  double interval_;
  bool terminal_, quiet_, marked_ = false;
  RewrittenLine line_;
  Clock::time_point shown_{};
  state::Progress mark_;
  Speed speed_;
};

}  // namespace stagedtrain::train
