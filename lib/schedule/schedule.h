// What does a schedule ask for? Every key of the document with its default. plan::resolve turns it
// into a RunPlan, in which every number is decided.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "io/file.h"
#include "schedule/budget_spec.h"
#include "schedule/checkpoint_spec.h"
#include "schedule/ema_spec.h"
#include "schedule/lr_curves.h"
#include "schedule/machine_spec.h"
#include "schedule/optimizer_spec.h"
#include "schedule/policies.h"
#include "schedule/sample_spec.h"
#include "schedule/select_spec.h"
#include "text/fields.h"

namespace stagedtrain::schedule {

enum class Precision { fp32, bf16, fp64 };
enum class TrainOnly { all, only_new };
enum class Recompute { none, norms, blocks };

struct DataSpec {
  std::string train, validation;
  std::optional<SelectSpec> select;
  template <class V>
  void fields(V& v) {
    v("train", train,
      {.doc = "token file to train on (stagedtrain data, nanoGPT's raw uint16, llm.c's)",
       .required = true});
    v("validation", validation,
      {.doc = "token file on which validation losses are measured", .required = true});
    v("select", select,
      {.doc = "trains on subsets of the windows of data.train, which represent the others best by "
              "the features of the model itself (INGENIOUS; docs/policies.md)"});
  }
};

// A linear rise over the first steps of the run.
struct RampSpec {
  std::int64_t start = 1, over = 0;
  template <class V>
  void fields(V& v) {
    v("start", start, {.doc = "value at the first step", .min = 1});
    v("over", over, {.doc = "steps until the full value", .min = 0, .max = 1e6});
  }
};

struct BatchSpec {
  std::int64_t sequences = 16, micro = 0;
  Recompute recompute = Recompute::none;
  std::optional<RampSpec> size_warmup, length_warmup;
  template <class V>
  void fields(V& v) {
    v("sequences", sequences,
      {.doc = "sequences of context tokens in one optimizer step", .min = 1, .max = 1 << 24});
    v("micro", micro,
      {.doc = "sequences in one forward and backward pass; gradients are accumulated; 0 means all",
       .min = 0,
       .max = 1 << 24});
    v("recompute", recompute,
      {.doc =
           "what the backward pass recomputes instead of storing it (activation checkpointing), to "
           "save memory at the cost of time: none; norms, the outputs of norms (fused kernels on a "
           "CPU); blocks, everything within a block. Results are the same to the bit"});
    v("size_warmup", size_warmup,
      {.doc = "batch-size warm-up: sequences rise linearly from start"});
    v("length_warmup", length_warmup,
      {.doc = "sequence-length warm-up: sequences are cut into pieces, at first of start tokens; "
              "the number of tokens in a step stays the same"});
  }
};

struct LrSpec {
  std::string curve = "wsd";
  double peak = 3e-3, floor = 0;
  Duration warmup{100, DurationUnit::steps}, decay{20, DurationUnit::percent},
      rewarm{0, DurationUnit::steps};
  template <class V>
  void fields(V& v) {
    v("curve", curve,
      {.doc = "shape of the learning rate over all stages together", .choices = lr_curve_names()});
    v("peak", peak, {.doc = "highest learning rate", .min = 0, .max = 10, .above_min = true});
    v("floor", floor, {.doc = "where a decay ends, as a fraction of the peak", .min = 0, .max = 1});
    v("warmup", warmup, {.doc = "linear rise at the start: steps, tokens or % of the run"});
    v("decay", decay, {.doc = "length of the decay of wsd: steps, tokens or % of the run"});
    v("rewarm", rewarm,
      {.doc = "linear rise at the start of every grown stage: steps, tokens or % of the run"});
  }
};

struct UntilSpec {
  std::optional<double> loss;
  std::string slope;
  template <class V>
  void fields(V& v) {
    v("loss", loss,
      {.doc = "the stage ends when the validation loss is at most this, in nats per token",
       .min = 0,
       .above_min = true});
    v("slope", slope,
      {.doc = "the stage ends when the curve fitted to its logged losses is as flat as this slope, "
              "d ln loss / d ln tokens, at two evaluations in a row; auto: the slope at which the "
              "planner's scaling law says it is best to grow",
       .shape = "auto or a number below 0"});
  }
};

// The planner's assumptions and goal, which matter where a schedule says auto.
struct PlanSpec {
  std::string law = "chinchilla", transfer = "auto", cost = "flops";
  std::optional<Duration> scratch, mixing;
  template <class V>
  void fields(V& v) {
    v("law", law,
      {.doc =
           "scaling law: chinchilla, hoffmann, kaplan, a file written by plan --fit, or files of "
           "several contexts, separated by commas"});
    v("transfer", transfer,
      {.doc = "assumption about how much a grown model keeps of its earlier training: loss-state, "
              "mixing, rho=X, or auto (rho if earlier runs measured it for these operators, else "
              "loss-state)"});
    v("cost", cost,
      {.doc = "what to minimize; seconds requires a prior plan --measure",
       .choices = {"flops", "seconds"}});
    v("scratch", scratch,
      {.doc = "the loss to reach is that of a from-scratch run of the final model of this length: "
              "steps, tokens or flops (default: 20 tokens for each parameter)"});
    v("mixing", mixing,
      {.doc = "how long a grown model needs to mix: steps or tokens (default: as measured, or 0)"});
  }
};

struct StageLrSpec {
  std::optional<double> peak;
  std::optional<Duration> rewarm;
  template <class V>
  void fields(V& v) {
    v("peak", peak,
      {.doc = "peak learning rate of this stage, instead of lr.peak",
       .min = 0,
       .max = 10,
       .above_min = true});
    v("rewarm", rewarm, {.doc = "re-warm-up of this stage, instead of lr.rewarm"});
  }
};

struct StageSpec {
  std::string name;
  Tree model;  // the keys that differ from the final model
  Tree grow;   // a list of operators
  Duration length;
  std::optional<UntilSpec> until;
  std::optional<StageLrSpec> lr;
  TrainOnly train_only = TrainOnly::all;
  Policies policies;
  template <class V>
  void fields(V& v) {
    v("name", name, {.doc = "names the stage in logs, files and --stage", .required = true});
    v("model", model, {.doc = "first stage: the keys of model that differ from the final model"});
    v("grow", grow,
      {.doc = "growth operators, applied in order to the end of the previous stage; in the first "
              "stage, to the checkpoint named by from",
       .shape = "list of map"});
    v("for", length,
      {.doc = "length: steps, tokens, flops, epochs, or auto (chosen by the planner); with until, "
              "the maximum length",
       .required = true});
    v("until", until, {.doc = "ends the stage early"});
    v("lr", lr, {.doc = "learning rate of this stage"});
    v("train_only", train_only,
      {.doc = "new: only the layers and experts that this stage's growth adds are trained "
              "(LLaMA-Pro)"});
    policies.fields(v);
  }
};

struct FrontierSpec {
  Tree sizes;
  std::vector<Duration> budgets{
      {70, DurationUnit::percent}, {100, DurationUnit::percent}, {140, DurationUnit::percent}};
  template <class V>
  void fields(V& v) {
    v("sizes", sizes,
      {.doc = "for each size, the keys of model that differ from the final model, as [{layers: 4}, "
              "{layers: 24}] (default: the sizes of earlier stages, and half and twice the layers)",
       .shape = "list of map"});
    v("budgets", budgets,
      {.doc = "lengths at which each size is decayed: % of the staged run's FLOPs, steps, tokens "
              "or flops"});
  }
};

struct ScratchSpec {
  std::vector<Duration> budgets{{60, DurationUnit::percent}, {100, DurationUnit::percent}};
  FrontierSpec frontier;
  template <class V>
  void fields(V& v) {
    v("budgets", budgets,
      {.doc = "lengths at which `train --scratch` decays the final model trained from scratch: % "
              "of the staged run's steps, steps, tokens or flops"});
    v("frontier", frontier,
      {.doc = "sizes other than the final model's, which `train --frontier` trains from scratch"});
  }
};

struct EvaluateSpec {
  Duration every{200, DurationUnit::steps};
  std::int64_t tokens = 65536;
  template <class V>
  void fields(V& v) {
    v("every", every,
      {.doc = "how often the validation loss is measured: steps or tokens; 0: at the end of stages "
              "only",
       .shape = "steps or tokens"});
    v("tokens", tokens,
      {.doc = "validation tokens, always the same ones, spread over the file", .min = 1});
  }
};

struct LogSpec {
  std::int64_t every = 10;
  double seconds = 10;
  template <class V>
  void fields(V& v) {
    v("every", every, {.doc = "steps between lines of run.jsonl", .min = 1});
    v("seconds", seconds,
      {.doc = "seconds between progress lines when there is no terminal", .min = 0});
  }
};

struct GuardSpec {
  double rise = 3;
  std::int64_t check_every = 100;
  template <class V>
  void fields(V& v) {
    v("rise", rise,
      {.doc =
           "training stops as diverged when a step's loss is this many nats above its running mean",
       .min = 0,
       .above_min = true});
    v("check_every", check_every,
      {.doc =
           "steps between comparisons of the weights and moments of all processes of a run, which "
           "are also compared at every save; 0: only then",
       .min = 0});
  }
};

struct Schedule {
  std::string name;  // the file's name without folder and extension; not a key
  std::int64_t seed = 1;
  std::string from;
  DataSpec data;
  arch::ModelConfig model;
  BatchSpec batch;
  LrSpec lr;
  OptimizerSpec optimizer;
  std::optional<EmaSpec> ema;
  std::optional<arch::Parameterization> parameterization;
  Precision precision = Precision::fp32;
  double dropout = 0, z_loss = 0;
  std::vector<StageSpec> stages;
  std::optional<BudgetSpec> budget;
  PlanSpec plan;
  ScratchSpec scratch;
  EvaluateSpec evaluate;
  std::optional<SampleSpec> sample;
  CheckpointSpec checkpoint;
  LogSpec log;
  GuardSpec guard;
  MachineSpec machine;
  Tree source;  // the document, edits applied, from which messages take line and column

  template <class V>
  void fields(V& v);
};

// Reads a schedule from a file, or from the text of the file called `file`. edits are "path=value"
// pairs, which change the document before it is read; a path is written as lr.peak or
// stages.full.for, and a value is YAML. Checks keys, types, ranges and rules between fields;
// plan::resolve checks grown models and files. Throws Error(usage), with file:line:column where the
// fault has a place.
Schedule load(const Path& path, const std::vector<std::string>& edits = {});
Schedule parse(const std::string& text, const std::string& file,
               const std::vector<std::string>& edits = {});
// Returns every key with its value, as YAML that loads as the same schedule.
std::string dump(const Schedule& schedule);
// Returns the rows of the reference (docs/schedule-reference.md), in document order.
std::vector<FieldRow> document();

template <class V>
void Schedule::fields(V& v) {
  v("seed", seed, {.doc = "seed of initial weights, data order and dropout", .min = 0});
  v("from", from,
    {.doc = "checkpoint whose weights the first stage starts from, instead of fresh weights; if "
            "that stage has a grow, it is applied to them first"});
  v("data", data, {.doc = "token files", .required = true});
  v("model", model, {.doc = "the final model", .required = true});
  v("batch", batch, {.doc = "size of a step"});
  v("lr", lr, {.doc = "learning rate, over all stages together"});
  v("optimizer", optimizer, {.doc = "the optimizer: AdamW, Muon, Lion or SGD"});
  v("ema", ema,
    {.doc = "an exponential moving average of the weights, which is kept in checkpoints, evaluated "
            "beside the weights, and used by eval --ema and export --ema (docs/optimizers.md)"});
  v("parameterization", parameterization,
    {.doc = "scales initial values, learning rates, weight decay and eps of each tensor by the "
            "model's size (muP, CompleteP), so that the lr.peak tuned on a small model suits a "
            "larger one; growth keeps it (docs/growth.md, Parameterization)"});
  v("precision", precision,
    {.doc =
         "fp32; bf16: products in bfloat16, master weights and moments in fp32; fp64: for checks"});
  v("dropout", dropout,
    {.doc = "dropout probability, on embeddings and both residual branches", .min = 0, .max = 0.9});
  v("z_loss", z_loss,
    {.doc = "coefficient of the mean squared log-partition added to the loss", .min = 0, .max = 1});
  v("stages", stages,
    {.doc = "the stages in order, each grown from the previous one", .required = true});
  v("budget", budget,
    {.doc = "a limit for the run, at which it ends decayed (docs/planning.md, A time budget)"});
  v("plan", plan, {.doc = "what the planner assumes and minimizes if a stage says auto"});
  v("scratch", scratch, {.doc = "the runs from scratch for comparison"});
  v("evaluate", evaluate, {.doc = "validation"});
  v("sample", sample,
    {.doc = "text that the run samples from its model while it trains, with the seed of the run "
            "(docs/run-log.md); training is the same with and without it"});
  v("checkpoint", checkpoint, {.doc = "saving"});
  v("log", log, {.doc = "logging"});
  v("guard", guard, {.doc = "stopping a run that diverges, or whose processes do"});
  v("machine", machine, {.doc = "the machine for which plan computes time, money and memory"});
}

}  // namespace stagedtrain::schedule

namespace stagedtrain {
template <>
struct EnumNames<schedule::TrainOnly> {
  static constexpr std::array names{"all", "new"};
};
template <>
struct EnumNames<schedule::Recompute> {
  static constexpr std::array names{"none", "norms", "blocks"};
};
template <>
struct EnumNames<schedule::Precision> {
  static constexpr std::array names{"fp32", "bf16", "fp64"};
};
}  // namespace stagedtrain
