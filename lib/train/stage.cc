// The loop. Everything that decides what happens next lies in the state, so that a run that was
// stopped and resumed takes the same steps as one that was not.
#include "train/stage.h"

#include <chrono>
#include <optional>

#include "base/signals.h"
#include "base/stopwatch.h"
#include "lengths/time_budget.h"
#include "optim/ema.h"
#include "optim/gradients.h"
#include "optim/optimizer_shards.h"
#include "record/executed_work.h"
#include "replicas/batch_feed.h"
#include "replicas/replicas.h"
#include "replicas/same_everywhere.h"
#include "replicas/shared_save.h"
#include "runfolder/checkpoint_saver.h"
#include "text/error_bar.h"
#include "text/json.h"
#include "text/text.h"
#include "train/decisions.h"
#include "train/samples.h"
#include "train/selecting.h"
#include "train/shared_evaluation.h"
#include "train/stage_ending.h"
#include "train/step_log.h"

namespace stagedtrain::train {
namespace {

using Clock = std::chrono::steady_clock;

class StageLoop {
 public:
  StageLoop(RunContext& run, DeviceState& live)
      : run_(run),
        live_(live),
        schedule_(run.plan.schedule),
        progress_(live.header.progress),
        stage_(run.plan.stages[static_cast<std::size_t>(progress_.stage_index)]),
        feed_(training_stream(run, live.header.data, stage_.model), live.options.device,
              [this] { run_.data.train->check_unchanged(run_.data.train_fingerprint); }),
        validation_(run.data.validation, stage_.model.context, stage_.model.vocab,
                    schedule_.evaluate.tokens),
        gradient_(run.ranks, run.sharding == plan::Sharding::full),
        optimizer_(schedule_),
        shards_(gradient_, run.ranks, run.sharding == plan::Sharding::optimizer),
        log_(run, stage_, progress_),
        saved_seconds_(progress_.seconds),
        saved_step_(progress_.step),
        budget_(run.plan, stage_, progress_.step, progress_.stage_step, progress_.total_steps),
        ending_(run, stage_, progress_) {}

  eval::EvalReport run() {
    const bool saves = !run_.plan.checkpoint_every.only_at_ends() ||
                       run_.plan.checkpoint_seconds > 0 || kept_every_ > 0;
    if (saves && run_.ranks.first() && !live_.model->shards()) saver_.prepare(live_.header);
    std::optional<eval::EvalReport> report;
    freeze_what_is_not_trained();
    shards_.begin(*live_.model);
    for (;;) {
      run_.ranks.stop_point("training");
      tell_saved(saver_.completed());
      report.reset();
      if (progress_.stage_step > 0 && is_due_now(run_.plan.evaluate_every))
        report = evaluate("evaluate");
      if (!report) evaluate_what_was_saved();
      if (progress_.stage_step > 0 && is_due_now(run_.plan.sample_every)) sample();
      if (is_over()) break;
      if (report && ending_.is_reached(*report)) break;
      if (select_windows(run_, live_))
        feed_.restart(training_stream(run_, live_.header.data, stage_.model));
      lift_mask();
      step();
      if (is_due(progress_.step, schedule_.guard.check_every))
        check_replicas(run_.ranks, live_, shards_.shared());
      run_.kept.came_to(progress_.step);
      keep_what_is_due();
    }
    return finish(report);
  }

  // Saves before it returns, on any rank, and says so to the log. The stage's loop is over: every
  // rank has the whole state again.
  void save(const Path& file) {
    run_.ranks.stands(fmt::format("saving {} after step {} of stage {}", file.filename().string(),
                                  progress_.stage_step, progress_.stage));
    shards_.gather(*live_.model);
    check_replicas(run_.ranks, live_);
    if (run_.ranks.first()) {
      save_here(file);
    } else if (live_.model->shards()) {
      save_shared(file, live_, run_.ranks);
    }
    run_.ranks.barrier();
  }

 private:
  void save_here(const Path& file) {
    std::function<void()> write;
    if (live_.model->shards()) write = [&] { save_shared(file, live_, run_.ranks); };
    save_with([&] {
      saver_.save(
          file, live_, [this] { run_.log.sync(); }, write);
    });
    tell_saved(saver_.completed());
  }

  // Begins to save; training goes on once the state is copied. A state with shards is not copied,
  // since no rank has room for it.
  void start_saving(const Path& file) {
    saved_seconds_ = progress_.seconds;
    if (live_.model->shards()) return save(file);
    check_replicas(run_.ranks, live_, shards_.shared());
    shards_.gather_at_first(*live_.model);
    if (!run_.ranks.first()) return;
    save_with([&] { saver_.start(file, live_, [this] { run_.log.sync(); }); });
    shards_.begin(*live_.model);
  }

  // The log is on the disk before a checkpoint that it should tell of.
  template <class Save>
  void save_with(Save save) {
    run_.folder.check_lock();
    try {
      save();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::diverged) throw;
      throw refusal(error.what());
    }
  }

  void tell_saved(const std::vector<SavedCheckpoint>& saved) {
    for (const SavedCheckpoint& checkpoint : saved) {
      run_.kept.saved(checkpoint);
      Json event = place_event("checkpoint", checkpoint.progress);
      event.update({{"file", checkpoint.file.lexically_relative(run_.folder.path()).string()},
                    {"bytes", checkpoint.bytes},
                    {"stood_still_seconds", checkpoint.stood_still},
                    {"write_seconds", checkpoint.writing}});
      run_.log.write(event);
    }
  }

  // Whether something that happens again and again happens now, after the stage's last step.
  bool is_due_now(const plan::Every& every) const {
    return plan::is_due(every, progress_.step, progress_.tokens,
                        plan::tokens_at(schedule_, stage_.model, progress_.step - 1));
  }

  // The training diverged, as every rank finds; says which checkpoint is left.
  [[noreturn]] void refuse_everywhere(const std::string& what) {
    if (!run_.ranks.first()) throw run_.ranks.agreed(make_error(ErrorKind::diverged, "{}", what));
    throw run_.ranks.agreed(refusal(what));
  }

  Error refusal(const std::string& what) {
    tell_saved(saver_.wait());
    run_.kept.came_to(
        progress_.step);  // a save that took long may be of a step before the last good one
    std::string hint;
    for (const Path& file : run_.kept.set_aside_diverged())
      hint += fmt::format("the state saved just before is kept as {}; ", file.string());
    const Path& good = run_.kept.last_good();
    return Error(ErrorKind::diverged, what,
                 hint + fmt::format("nothing was saved over the last good checkpoint ({}); try a "
                                    "lower lr.peak or a longer lr.warmup in a new folder",
                                    good.empty() ? "there is none yet" : good.string()));
  }

  // idle: of the step at hand.
  void freeze_what_is_not_trained(const arch::IdleParts& idle = {}) {
    const auto newest = static_cast<std::int64_t>(live_.header.lineage.size());
    live_.model->params().set_histories(live_.header.histories, stage_.train_only_new ? newest : 0,
                                        idle);
  }

  // A mask of the growth before rises with every step, until it is gone.
  void lift_mask() {
    const state::MaskRamp& mask = live_.header.mask;
    if (mask.steps == 0) return;
    if (progress_.step >= mask.start + mask.steps) {
      shards_.gather(*live_.model);
      end_mask(live_);
      freeze_what_is_not_trained();
      shards_.begin(*live_.model);
    } else {
      show_through_mask(live_, progress_.step + 1);
    }
  }

  // One optimizer step. The state changes only once the whole gradient is known and finite.
  void step() {
    const auto start = Clock::now();
    const double lr = plan::learning_rate(run_.plan, stage_, progress_.step, progress_.stage_step,
                                          progress_.total_steps);
    run_.ranks.stands(
        fmt::format("training, step {} of stage {}", progress_.stage_step + 1, progress_.stage));
    run_.ranks.take_time();  // leaves out the time between steps
    const DeviceBatch batch = feed_.take(shape_at(progress_.step));
    const std::int64_t rows = rows_of_pass(
        run_.plan, batch.rows(), stage_.model.context / batch.length(), run_.ranks.size());
    const GradientPasses passes{
        rows, live_.header.seed, progress_.step,
        passes_of_step(run_.plan, stage_, progress_, (batch.rows() + rows - 1) / rows, rows)};
    const arch::ParamTable& table = live_.model->params().table();
    const ExecutedWork work =
        executed_work(schedule_, stage_, passes.work, batch.rows(), rows, batch.length(),
                      plan::frozen_in_step(run_.plan, stage_, table, progress_.stage_step));
    const bool idle = !work.idle.none();
    if (idle) freeze_what_is_not_trained(work.idle);
    const at::Tensor loss_there =
        gradient_.add_up(*live_.model, batch.tokens_BS, passes, shards_.shared());
    const at::Tensor norm_there = shards_.norm(*live_.model);
    if (!is_over(1)) feed_.prepare(shape_at(progress_.step + 1));
    const double loss = loss_there.item<double>(), norm = norm_there.item<double>();
    refuse_divergence(loss, norm);
    shards_.step(*live_.model, optimizer_, lr, progress_.step + 1,
                 clip_factor(norm, schedule_.optimizer.clip));
    keep_age(table, work.idle, live_.header.histories);
    if (idle) freeze_what_is_not_trained();
    advance(batch, lr, work);
    if (schedule_.ema && is_due(progress_.step, schedule_.ema->every))
      ema_step(live_.model->params(), schedule_.ema->decay);
    // The first rank's clock is everyone's: checkpoints may be due by it.
    const dist::CommunicationTime communication = run_.ranks.take_time();
    progress_.seconds += run_.ranks.from_first(seconds_since(start));
    const auto line = log_.add(loss, norm, work.layers, communication);
    if (line) ending_.add(*line);
    const auto length = budget_.after_step(progress_.step, progress_.seconds);
    length_decided_ = length.has_value();
    if (length) ending_.decide(*length);
  }

  // Whether the stage is at its end after this many more steps.
  bool is_over(std::int64_t more = 0) const {
    return progress_.stage_step + more >= stage_.steps ||
           progress_.step + more >= progress_.total_steps;
  }

  BatchShape shape_at(std::int64_t step) const {
    return {plan::sequences_at(schedule_, step), plan::length_at(schedule_, stage_.model, step)};
  }

  void refuse_divergence(double loss, double norm) {
    const RunningStats losses{progress_.loss_mean, progress_.loss_var};
    if (!diverged(loss, norm, losses, schedule_.guard.rise)) return;
    refuse_everywhere(fmt::format(
        "stage {}, step {}: diverged: loss {:.4g} (running mean {:.4g}), gradient norm {:.4g}",
        progress_.stage, progress_.step + 1, loss, losses.mean, norm));
  }

  void advance(const DeviceBatch& batch, double lr, const ExecutedWork& work) {
    ++progress_.step;
    ++progress_.stage_step;
    progress_.tokens += batch.rows() * batch.length();
    progress_.flops += work.flops;
    progress_.learning_rate = lr;
    live_.header.data.index = batch.next;
  }

  void keep_what_is_due() {
    if (run_.plan.branch_step == progress_.step) start_saving(run_.folder.branch_file());
    const double unsaved = progress_.seconds - saved_seconds_;
    const bool due = length_decided_ || is_due_now(run_.plan.checkpoint_every) ||
                     is_due(progress_.step, kept_every_) ||
                     (run_.plan.checkpoint_seconds > 0 && unsaved >= run_.plan.checkpoint_seconds);
    if (is_over() || !due) return;
    check_unchanged(run_.ranks, run_.data);
    start_saving(run_.folder.step_file(progress_.step));
    saved_step_ = progress_.step;
  }

  // The best checkpoints are chosen by their validation losses. This evaluation ends no stage: a
  // run that is stopped and resumed, which saves and evaluates more often, takes the same steps.
  void evaluate_what_was_saved() {
    const bool saved = progress_.stage_step > 0 && saved_step_ == progress_.step;
    if (saved && schedule_.checkpoint.keep.best > 0) evaluate("evaluate");
  }

  eval::EvalReport evaluate(const char* kind) {
    run_.ranks.stands(
        fmt::format("evaluating after step {} of stage {}", progress_.stage_step, progress_.stage));
    check_unchanged(run_.ranks, run_.data);
    const eval::EvalReport report = evaluate_on_ranks(run_, live_, validation_);
    if (schedule_.ema) average_report_ = evaluate_average_on_ranks(run_, live_, validation_);
    log_report(kind, report);
    run_.kept.measured(progress_.stage, progress_.step, report.loss);
    run_.line.print(fmt::format("{} step {}: validation loss {}{}", progress_.stage,
                                grouped(progress_.stage_step),
                                with_error(report.loss, report.standard_error, 4),
                                report.windows == 1 ? " (one window: its error is unknown)" : "") +
                    (schedule_.ema
                         ? fmt::format(", of the averaged weights {:.4f}", average_report_.loss)
                         : ""));
    return report;
  }

  // Samples at most once after a step.
  void sample() {
    if (!schedule_.sample || sampled_ == progress_.step) return;
    sampled_ = progress_.step;
    run_.ranks.stands(
        fmt::format("sampling after step {} of stage {}", progress_.stage_step, progress_.stage));
    write_samples(run_, live_);
  }

  void log_report(const char* kind, const eval::EvalReport& report) {
    Json event = place_event(kind, progress_);
    event.update({{"loss", report.loss},
                  {"stderr", report.standard_error},
                  {"windows", report.windows},
                  {"eval_seconds", report.seconds}});
    if (schedule_.ema)
      event.update(
          {{"ema_loss", average_report_.loss}, {"ema_stderr", average_report_.standard_error}});
    if (event["event"] == "stage_end") event["process"] = run_.process;
    run_.log.write(event);
  }

  // report: the evaluation of this very step, if it was due.
  eval::EvalReport finish(std::optional<eval::EvalReport> report) {
    if (!report) report = evaluate("evaluate");
    if (!std::isfinite(report->loss))
      refuse_everywhere(
          fmt::format("stage {}: diverged: the validation loss is not a number", progress_.stage));
    sample();
    log_report("stage_end", *report);
    progress_.stage_done = true;
    // A stage that ended early shortens the curve of what follows.
    std::int64_t rest = 0;
    for (std::size_t i = static_cast<std::size_t>(progress_.stage_index) + 1;
         i < run_.plan.stages.size(); ++i)
      rest += run_.plan.stages[i].steps;
    progress_.total_steps = progress_.step + rest;
    save(run_.folder.stage_file(progress_.stage));
    run_.kept.came_to(progress_.step + 1);  // its validation loss is finite
    return *report;
  }

  RunContext& run_;
  DeviceState& live_;
  const schedule::Schedule& schedule_;
  state::Progress& progress_;
  const plan::StagePlan& stage_;
  BatchFeed feed_;
  data::EvaluationSet validation_;
  StepGradient gradient_;
  Optimizer optimizer_;
  OptimizerShards shards_;
  StepLog log_;
  double saved_seconds_;     // training time at the last save
  std::int64_t saved_step_;  // the step of the last save, or of the state that was resumed
  const std::int64_t kept_every_ =
      static_cast<std::int64_t>(schedule_.checkpoint.keep.every.amount);
  std::int64_t sampled_ = 0;  // the step of the last samples
  plan::TimeBudget budget_;
  bool length_decided_ = false;  // by the last step; saved at once, since a clock decides only once
  StageEnding ending_;
  eval::EvalReport average_report_;  // the last evaluation of the average, with ema
  CheckpointSaver saver_;  // ends first: what it writes and prunes is the run's
};

}  // namespace

eval::EvalReport run_stage(RunContext& run, DeviceState& live) {
  StageLoop loop(run, live);
  try {
    return loop.run();
  } catch (const Error& error) {
    // A signal, or token files that can no longer be read: the state itself is good.
    if (error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::input) throw;
    const state::Progress& at = live.header.progress;
    if (!run.ranks.all_throw(error)) throw;
    const Path file = run.folder.step_file(at.step);
    if (at.step > 0) loop.save(file);
    const bool interrupted = error.kind() == ErrorKind::interrupted;
    throw Error(error.kind(),
                at.step > 0 ? fmt::format("{}; saved {}", error.what(), file.string())
                            : std::string(error.what()),
                interrupted ? "run the same command again to go on" : error.hint());
  }
}

}  // namespace stagedtrain::train
