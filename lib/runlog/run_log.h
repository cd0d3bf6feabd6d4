// What does run.jsonl record about a run, finished or still training? Reports and fits read it.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "io/file.h"
#include "runlog/prediction.h"

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
  double loss_steps = 1;  // number of steps over which loss is the mean, this one last
};

// A text that the model wrote after a prompt of the schedule's `sample`.
struct GeneratedText {
  Place at;
  std::string stage, prompt, text;  // text: without the prompt
};

// A loss on the fixed validation set, in nats per token, with its standard error.
struct Evaluation {
  Place at;
  std::string stage;
  double loss = kUnknown, se = kUnknown, windows = kUnknown, seconds = kUnknown;
};

struct LoggedGrowth {
  Place at;
  std::string stage, operators, from, to;
  double params_before = kUnknown, params_after = kUnknown;
  double loss_before = kUnknown, loss_after = kUnknown, seconds = kUnknown;
};

// The training of a learned growth's maps, before the growth into `stage`. `at` is after it, and
// tokens, flops and seconds are its own.
struct Fit {
  Place at;
  std::string stage;
  double steps = kUnknown, tokens = kUnknown, flops = kUnknown, seconds = kUnknown;
  double loss_before = kUnknown, loss_after = kUnknown;  // with the maps before and after it
};

struct LoggedStage {
  std::string name, grow;
  arch::ModelConfig model;
  double params = kUnknown, non_embedding = kUnknown, flops_per_token = kUnknown;
  // What the stage was to cost and to train under its policy; "" and "all" where it had none.
  double expected_flops_per_token = kUnknown;
  std::string policy, train_only;
  double steps = kUnknown;           // planned steps
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
  bool decayed = false;  // the log says that the learning rate had decayed fully
  double lr = kUnknown;  // learning rate of the last step
};

// A key of the schedule and its value, both as text: "lr.peak", "0.003".
struct Setting {
  std::string key, value;
};

// A subset of the training windows was drawn.
struct Selection {
  Place at;
  std::string stage;
  double windows = kUnknown, selected = kUnknown;  // all of them, and those of the subset
  double passes = kUnknown;                        // 1 if features were computed for it, else 0
  double flops = kUnknown, seconds = kUnknown;     // what that cost
};

// The adapters of a stage have begun from a larger model.
struct LoggedTransplant {
  Place at;
  std::string stage, from;  // the checkpoint of the larger model
  double samples = kUnknown, flops = kUnknown, seconds = kUnknown;
};

// What a start event says.
struct RunFacts {
  std::string role;          // "staged" or "scratch"
  std::string predicted_by;  // law and assumption of the stages' predicted losses
  Prediction prediction;     // for the whole run
  std::string schedule, version, time, curve, from;
  std::string device, hardware;  // "cpu", "cuda:0"; the hardware's own name
  // Token files as they were named, and what is the same for the same tokens wherever they lie; ""
  // where the log does not say.
  std::string train_data, validation_data, train_fingerprint, validation_fingerprint, tokenizer;
  std::optional<double> seed, threads, total_steps;
  arch::ModelConfig final_model;
  std::vector<Setting> settings;  // the schedule's; empty in logs of older versions
  std::vector<LoggedStage> stages;
};

// One of several runs that differ in their seed alone.
struct Sample {
  std::string name;
  double seed = kUnknown, loss = kUnknown;
};

// The facts are those of the last process that took steps. A start event that no step follows
// (train called on a finished run) changes nothing, unless the log has no other.
struct Run : RunFacts {
  std::string name;   // the folder as given
  std::string label;  // a shorter name for people, if one was given to the run
  Path folder;        // the log's folder
  // Where the log begins at a step of another run: that step, and the checkpoint's file.
  double branch_step = 0;
  std::string branch_file;
  bool moved = false;            // processes on different devices or numbers of threads took steps
  std::vector<Sample> samples;   // the seeds of a mean; empty for a log
  std::vector<StepPoint> steps;  // ordered by step
  std::vector<Evaluation> evaluations;   // ordered by step
  std::vector<GeneratedText> generated;  // ordered by step, then as the prompts are
  std::vector<LoggedGrowth> growths;
  std::vector<Fit> fits;
  std::vector<Selection> selections;  // ordered by step
  std::vector<LoggedTransplant> transplants;
  std::vector<Ending> endings;
  std::vector<Evaluation> stage_ends;
  std::optional<RunEnd> end;

  bool staged() const { return role == "staged"; }
  // The value of a key of the schedule, or "" where the log does not say.
  std::string setting(const std::string& key) const;
  // Why the end may not be compared with other ends, as the rest of a sentence that begins with the
  // run's name: "has not ended"; "" if it may: it ended with a finite loss, at a known and positive
  // cost, with a learning rate that the log says was fully decayed and that did come down.
  std::string why_not_comparable() const;
  bool comparable() const { return why_not_comparable().empty(); }
  // Parameters of the final model, or NaN.
  double params() const;
  // Returns the furthest place in the log.
  Place last() const;
};

// Reads one log. A later line replaces an earlier one of the same place; what a "resume" voids is
// dropped; unknown events are ignored; a line cut by a crash (the last one, or the one before a new
// start) is skipped. Throws Error(input) with file:line for anything else that is no event; with
// bad, such lines are skipped and counted there.
struct BadLines {
  int count = 0;
  std::string first;  // what is wrong with the first of them
};
Run read_log(const Path& log, std::string name, BadLines* bad = nullptr);

// Returns every run of the folders (or run.jsonl files) given: a folder stands for its own
// run.jsonl and for those of the folders in it, in natural order; a run named twice is read once.
// Throws Error(input).
std::vector<Run> read_runs(const std::vector<std::string>& paths);

// Does the same, but reads past damage: bad lines are skipped, and so is a run whose log is missing
// or tells nothing. What was skipped or is missing is said in problems, a sentence each. Throws
// Error(input) only where a path does not exist or no run at all can be read.
struct RunLogs {
  std::vector<Run> runs;
  std::vector<std::string> problems;
};
RunLogs read_what_is_there(const std::vector<std::string>& paths);

}  // namespace stagedtrain::runlog
