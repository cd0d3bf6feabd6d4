// A finished or running training run as its run.jsonl tells it: reports and fits read it.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/file.h"

namespace stagedtrain::runlog {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// How far a run had come, over the whole life of its state. seconds: wall-clock, training steps
// only. NaN where the log does not say.
struct Place {
  double step = kUnknown, tokens = kUnknown, flops = kUnknown, seconds = kUnknown;
};

struct StepPoint {
  Place at;
  std::string stage;
  double loss = kUnknown, grad_norm = kUnknown, lr = kUnknown;  // loss in nats per token
};

// A loss on the fixed validation set, in nats per token, with its standard error.
struct Evaluation {
  Place at;
  std::string stage;
  double loss = kUnknown, se = kUnknown, windows = kUnknown, seconds = kUnknown;
};

struct Growth {
  Place at;
  std::string stage, operators, from, to;
  double params_before = kUnknown, params_after = kUnknown;
  double loss_before = kUnknown, loss_after = kUnknown, seconds = kUnknown;
};

struct Stage {
  std::string name, grow;
  arch::ModelConfig model;
  double params = kUnknown, non_embedding = kUnknown, flops_per_token = kUnknown;
  double steps = kUnknown;           // as planned
  double predicted_loss = kUnknown;  // at its end
};

// Why a stage ended before its steps were done.
struct Ending {
  Place at;
  std::string stage, why;
};

struct RunEnd {
  Place at;
  double loss = kUnknown, se = kUnknown, bits_per_byte = kUnknown;
  bool decayed = false;  // the learning rate had decayed fully
};

struct Run {
  std::string name;  // the folder as given
  std::string role;  // "staged" or "scratch"
  std::string predicted_by;  // law and assumption of the stages' predicted losses
  std::string version, time, device, curve, train_data, validation_data;
  std::optional<double> seed, threads, total_steps;
  arch::ModelConfig final_model;
  std::vector<Stage> stages;
  std::vector<StepPoint> steps;         // by rising step
  std::vector<Evaluation> evaluations;  // by rising step
  std::vector<Growth> growths;
  std::vector<Ending> endings;
  std::vector<Evaluation> stage_ends;
  std::optional<RunEnd> end;

  bool staged() const { return role == "staged"; }
  // Ended with the learning rate fully decayed and a finite loss at a known, positive cost.
  bool comparable() const;
  // Parameters of the final model, or NaN.
  double params() const;
  // The furthest place that the log tells.
  Place last() const;
};

// Reads one log. A later line replaces an earlier one of the same place; what a "resume" voids is
// dropped; unknown events are ignored; a line cut by a crash (the last one, or the one before a new
// start) is skipped. Throws Error(input) with file:line for anything else that is no event.
Run read_log(const Path& log, std::string name);

// Every run of the folders (or run.jsonl files) given: a folder stands for its own run.jsonl and
// for those of the folders in it, in natural order; a run named twice is read once. Throws
// Error(input).
std::vector<Run> read_runs(const std::vector<std::string>& paths);

}  // namespace stagedtrain::runlog
