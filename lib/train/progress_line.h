// What a person sees while a run trains: one line that renews itself, or a line now and then.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "plan/run_plan.h"
#include "state/training_state.h"

namespace stagedtrain::train {

// The numbers of one line. loss in nats per token; z: distance from the running mean in standard
// deviations.
struct StepNumbers {
  double loss = 0, loss_z = 0, grad_norm = 0, grad_norm_z = 0, lr = 0;
};

// Speed over some steps; 0 where no time has passed.
struct Speed {
  double tokens_per_second = 0, flops_per_second = 0;
};

Speed speed_between(const state::Progress& from, const state::Progress& to);

// "full 2,100/3,000  loss 1.612 (z -0.4)  4 min left in stage, 12 min in run  norm ..."
std::string progress_text(const plan::RunPlan& plan, const state::Progress& progress,
                          const StepNumbers& step, const Speed& speed);
// Seconds that the rest of a stage and of the run take at a speed in FLOPs per second.
double stage_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                          double flops_per_second);
double run_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                        double flops_per_second);
// Resident memory of this process, in bytes; 0 where it is not known.
std::uint64_t resident_bytes();

// Writes to stderr. Not for two threads.
class ProgressLine {
 public:
  // interval: seconds between lines where stderr is no terminal. quiet: says nothing, as on all
  // ranks but the first.
  ProgressLine(const plan::RunPlan& plan, double interval, bool quiet = false);
  ~ProgressLine();  // ends an open line
  void step(const state::Progress& progress, const StepNumbers& numbers);
  // A line that stays, above the progress line.
  void say(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  Speed speed_since_mark(const state::Progress& progress);
  void clear();
  const plan::RunPlan& plan_;
  double interval_;
  bool terminal_, quiet_, open_ = false, marked_ = false;
  Clock::time_point shown_{};
  state::Progress mark_;
  Speed speed_;
};

}  // namespace stagedtrain::train
