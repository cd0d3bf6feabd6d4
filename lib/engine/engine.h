// Declares the interface between the executable and the LibTorch module, which it loads on demand.
// This header includes no LibTorch.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cost/measurements.h"
#include "plan/run_plan.h"
#include "state/training_state.h"

namespace stagedtrain::train {

struct DeviceRequest {
  std::string device = "auto";   // auto, cpu, cuda, cuda:N
  std::string kernels = "auto";  // auto, reference, fused
  int threads = 0;               // 0: LibTorch's own choice (OMP_NUM_THREADS, or the cores)
};

struct RunRequest {
  Path out;
  std::string stage;  // one stage only; empty: all
  bool fresh = false;
  bool replan = false;       // stages that have not ended may change their lengths (run_folder.h)
  bool extend = false;       // the run has ended, and its last stage becomes longer
  bool tensorboard = false;  // write event files to out/tensorboard
  std::optional<Path> branch_of;  // a shorter run's checkpoint to continue, with its progress
  DeviceRequest device;
};

// The end of a stage. Totals count from the first step of the run.
struct StageResult {
  std::string name;
  state::Progress progress;             // step 0: neither the log nor a checkpoint has it
  double loss = 0, standard_error = 0;  // on the validation windows, nats per token; NaN: unknown
  Path checkpoint;                      // empty: no longer there
  bool is_known() const { return progress.step > 0; }
};
struct RunResult {
  std::vector<StageResult> stages;  // those that have ended, now or in an earlier call
  bool done = false;                // the last stage of the schedule has ended
  double bits_per_byte = 0;         // at the end of the last stage; 0: the text's size is unknown
};

struct EvalRequest {
  Path checkpoint, data;
  std::int64_t tokens = 0;  // 0: the whole file
  std::int64_t rows = 8;    // windows at a time
  bool ema = false;         // with the moving average of the weights
  DeviceRequest device;
};
struct EvalResult {
  double loss = 0, standard_error = 0;       // NaN for a single window
  double perplexity = 0, bits_per_byte = 0;  // bits_per_byte 0: unknown
  bool lossy = false;  // the tokenizer drops part of the text that bits_per_byte counts
  std::int64_t windows = 0, tokens = 0;
  double seconds = 0;
  std::string taken_for, warning;  // see data::TokenFileInfo
};

struct SampleRequest {
  Path checkpoint;
  std::string prompt;     // empty: the model starts by itself
  std::string tokenizer;  // a spec (tokenizers/tokenizer.h), if the checkpoint records none
  std::int64_t tokens = 0, top_k = 0;
  double temperature = 0.8;
  std::uint64_t seed = 1;
  bool ema = false;  // see EvalRequest
  DeviceRequest device;
};

enum class SampleUnit { text, ids };

struct TaskRequest {
  Path checkpoint, file;
  std::string tokenizer;  // see SampleRequest
  bool ema = false;       // see EvalRequest
  DeviceRequest device;
};
// The values of eval::TaskReport. Standard errors are NaN for a single example.
struct TaskResult {
  std::int64_t choices = 0, last_words = 0;
  double acc = 0, acc_stderr = 0, acc_norm = 0, acc_norm_stderr = 0;  // scores of multiple choice
  double acc_bytes = 0, acc_bytes_stderr = 0;
  double exact = 0, exact_stderr = 0, perplexity = 0;  // scores of last words
  double seconds = 0;
  std::vector<std::vector<double>> log_likelihoods;
};

struct VerifyRequest {
  Path before, after, data;
  DeviceRequest device;
};
struct VerifyResult {
  double loss_before = 0, loss_after = 0;  // on the same windows
  std::int64_t tokens = 0;
};

// Measures the cost of a stage on this machine: a few optimizer steps of its model on random
// tokens.
struct MeasureRequest {
  std::int64_t steps = 20;   // timed steps, after a warm-up
  double most_seconds = 60;  // a stage stops earlier after this long, with at least 3 steps
  DeviceRequest device;
};

// A stamp of the types in this interface. An executable and a module of different builds usually
// differ in it.
constexpr std::uint64_t interface_stamp() {
  std::uint64_t stamp = 1;
  for (const std::uint64_t size :
       {sizeof(plan::RunPlan), sizeof(plan::StagePlan), sizeof(plan::Measurement),
        sizeof(RunRequest), sizeof(RunResult), sizeof(EvalRequest), sizeof(EvalResult),
        sizeof(SampleRequest), sizeof(TaskRequest), sizeof(TaskResult), sizeof(VerifyRequest),
        sizeof(MeasureRequest),
        sizeof(state::TrainingState), sizeof(arch::ModelConfig)})
    stamp = stamp * 1099511628211u + size;
  return stamp;
}

// Every function reports errors as an exception of type Error.
struct Engine {
  std::uint64_t stamp;  // interface_stamp() of the module's build; read before anything else
  RunResult (*run)(const plan::RunPlan&, const RunRequest&);
  EvalResult (*evaluate)(const EvalRequest&);
  // emit receives pieces of text as they are generated. The first is the prompt, once all of the
  // request has been checked. Without a known tokenizer the result is ids, and prompt and sample
  // are numbers (eval/sample_text.h).
  SampleUnit (*sample)(const SampleRequest&, const std::function<void(const std::string&)>& emit);
  TaskResult (*score_tasks)(const TaskRequest&);
  VerifyResult (*verify)(const VerifyRequest&);
  // Returns one measurement for each stage, in order. on_stage receives a stage's name when it
  // begins.
  std::vector<plan::Measurement> (*measure)(
      const plan::RunPlan&, const MeasureRequest&,
      const std::function<void(const std::string&)>& on_stage);
};

}  // namespace stagedtrain::train

// The only name that the module exports.
extern "C" const stagedtrain::train::Engine* stagedtrain_engine();
