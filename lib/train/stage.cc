// Trains one stage in a loop over its steps. Everything that decides what happens next is in the
// state, so that a run that was stopped and resumed takes the same steps as one that was not.
#include "train/stage.h"

#include <chrono>
#include <optional>

#include "base/signals.h"
#include "base/stopwatch.h"
#include "lengths/time_budget.h"
#include "replicas/replicas.h"
#include "scoring/stage_scores.h"
#include "text/text.h"
#include "train/adapter_step.h"
#include "train/decisions.h"
#include "train/stage_ending.h"
#include "train/stage_saves.h"
#include "train/step_log.h"
#include "train/training_step.h"

namespace stagedtrain::train {
namespace {

using Clock = std::chrono::steady_clock;

class StageLoop {
 public:
  StageLoop(RunContext& run, DeviceState& live)
      : run_(run),
        live_(live),
        progress_(live.header.progress),
        stage_(run.plan.stages[static_cast<std::size_t>(progress_.stage_index)]),
        step_(run, stage_, live),
        scores_(run, stage_, live),
        log_(run, stage_, progress_),
        budget_(run.plan, stage_, progress_.step, progress_.stage_step, progress_.total_steps),
        ending_(run, stage_, progress_),
        saves_(run, stage_, live, step_.shards()) {}

  eval::EvalReport run() {
    saves_.prepare();
    if (progress_.stage_step == 0) begin_adapters_of(run_, stage_, live_);
    step_.begin();
    std::optional<eval::EvalReport> report;
    for (;;) {
      run_.ranks.stop_point("training");
      saves_.log_completed();
      report.reset();
      if (is_due_now(run_.plan.evaluate_every)) report = scores_.evaluate();
      if (!report) evaluate_what_was_saved();
      if (is_due_now(run_.plan.sample_every)) scores_.sample();
      if (is_over()) break;
      if (report && ending_.is_reached(*report)) break;
      const bool length_decided = step();
      if (is_due(progress_.step, run_.plan.schedule.guard.check_every))
        check_replicas(run_.ranks, live_, step_.shards().shared());
      run_.kept.came_to(progress_.step);
      saves_.start_what_is_due(is_over(), length_decided);
    }
    return finish(report);
  }

  Path save_step() { return saves_.save_step(); }

 private:
  bool is_due_now(const plan::Every& every) const {
    return progress_.stage_step > 0 && is_due(every, run_.plan.schedule, stage_, progress_);
  }

  // Whether the stage is at its end after this many more steps.
  bool is_over(std::int64_t more = 0) const {
    return progress_.stage_step + more >= stage_.steps ||
           progress_.step + more >= progress_.total_steps;
  }

  // The best checkpoints are chosen by their validation losses. This evaluation never ends a stage,
  // because a run that is stopped and resumed saves and evaluates more often and must take the same
  // steps.
  void evaluate_what_was_saved() {
    if (progress_.stage_step > 0 && saves_.has_saved_this_step() &&
        run_.plan.schedule.checkpoint.keep.best > 0)
      scores_.evaluate();
  }

  // One optimizer step. The state changes only once the whole gradient is known and finite. Returns
  // whether it decided the run's length.
  bool step() {
    step_.select_data();
    step_.lift_mask();
    const auto start = Clock::now();
    run_.ranks.set_phase(
        fmt::format("training, step {} of stage {}", progress_.stage_step + 1, progress_.stage));
    run_.ranks.take_time();  // leaves out the time between steps
    const ComputedGradient computed = step_.compute(!is_over(1));
    refuse_divergence(computed.loss, computed.norm);
    step_.update(computed);
    const dist::CommunicationTime communication = run_.ranks.take_time();
    // The first rank's clock is everyone's: checkpoints may be due by it.
    progress_.seconds += run_.ranks.from_first(seconds_since(start));
    const auto line = log_.add(computed, communication);
    if (line) ending_.add(*line);
    const auto length = budget_.after_step(progress_.step, progress_.seconds);
    if (length) ending_.decide(*length);
    return length.has_value();
  }

  void refuse_divergence(double loss, double norm) {
    const RunningStats losses{progress_.loss_mean, progress_.loss_var};
    if (!diverged(loss, norm, losses, run_.plan.schedule.guard.rise)) return;
    saves_.refuse_divergence(fmt::format(
        "stage {}, step {}: diverged: loss {:.4g} (running mean {:.4g}), gradient norm {:.4g}",
        progress_.stage, progress_.step + 1, loss, losses.mean, norm));
  }

  // `report` is the evaluation after this step, if it was due.
  eval::EvalReport finish(std::optional<eval::EvalReport> report) {
    if (!report) report = scores_.evaluate();
    if (!std::isfinite(report->loss))
      saves_.refuse_divergence(
          fmt::format("stage {}: diverged: the validation loss is not a number", progress_.stage));
    scores_.sample();
    scores_.log_report("stage_end", *report);
    progress_.stage_done = true;
    // A stage that ended early shortens the curve of what follows.
    progress_.total_steps = progress_.step;
    for (std::size_t i = static_cast<std::size_t>(progress_.stage_index) + 1;
         i < run_.plan.stages.size(); ++i)
      progress_.total_steps += run_.plan.stages[i].steps;
    saves_.save(run_.folder.stage_file(progress_.stage));
    run_.kept.came_to(progress_.step + 1);  // its validation loss is finite
    return *report;
  }

  RunContext& run_;
  DeviceState& live_;
  state::Progress& progress_;
  const plan::StagePlan& stage_;
  TrainingStep step_;
  StageScores scores_;
  StepLog log_;
  plan::TimeBudget budget_;
  StageEnding ending_;
  StageSaves saves_;  // ends first
};

}  // namespace

eval::EvalReport run_stage(RunContext& run, DeviceState& live) {
  StageLoop loop(run, live);
  try {
    return loop.run();
  } catch (const Error& error) {
    // A signal, or token files that can no longer be read: the state itself is good.
    if (error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::input) throw;
    if (!run.ranks.all_throw(error)) throw;
    std::string what = error.what();
    if (live.header.progress.step > 0) what += "; saved " + loop.save_step().string();
    const bool interrupted = error.kind() == ErrorKind::interrupted;
    throw Error(error.kind(), what,
                interrupted ? "run the same command again to continue" : error.hint());
  }
}

}  // namespace stagedtrain::train
