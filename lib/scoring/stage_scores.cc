// Scores on the fixed validation windows, so losses of a run and of its stages are comparable.
#include "scoring/stage_scores.h"

#include "replicas/same_everywhere.h"
#include "scoring/samples.h"
#include "scoring/shared_evaluation.h"
#include "text/error_bar.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {

StageScores::StageScores(RunContext& run, const plan::StagePlan& stage, DeviceState& live)
    : run_(run),
      live_(live),
      progress_(live.header.progress),
      has_average_(run.plan.schedule.ema.has_value()),
      validation_(run.data.validation, stage.model.context, stage.model.vocab,
                  run.plan.schedule.evaluate.tokens) {}

eval::EvalReport StageScores::evaluate() {
  run_.ranks.set_phase(
      fmt::format("evaluating after step {} of stage {}", progress_.stage_step, progress_.stage));
  check_unchanged(run_.ranks, run_.data);
  const eval::EvalReport report = evaluate_on_ranks(run_, live_, validation_);
  if (has_average_) average_report_ = evaluate_average_on_ranks(run_, live_, validation_);
  log_report("evaluate", report);
  run_.kept.measured(progress_.stage, progress_.step, report.loss);
  run_.line.print(
      fmt::format("{} step {}: validation loss {}{}", progress_.stage,
                  grouped(progress_.stage_step), with_error(report.loss, report.standard_error, 4),
                  report.windows == 1 ? " (one window: its error is unknown)" : "") +
      (has_average_ ? fmt::format(", of the averaged weights {:.4f}", average_report_.loss) : ""));
  return report;
}

void StageScores::sample() {
  if (!run_.plan.schedule.sample || sampled_ == progress_.step) return;
  sampled_ = progress_.step;
  run_.ranks.set_phase(
      fmt::format("sampling after step {} of stage {}", progress_.stage_step, progress_.stage));
  write_samples(run_, live_);
}

void StageScores::log_report(const char* kind, const eval::EvalReport& report) {
  Json event = evaluation_event(kind, progress_, report);
  if (has_average_)
    event.update(
        {{"ema_loss", average_report_.loss}, {"ema_stderr", average_report_.standard_error}});
  if (event["event"] == "stage_end") event["process"] = run_.process;
  run_.log.write(event);
}

}  // namespace stagedtrain::train
