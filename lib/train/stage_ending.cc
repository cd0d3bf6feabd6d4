// Compares evaluations and the fitted curve with the thresholds of a stage's `until`.
#include "train/stage_ending.h"

#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {

StageEnding::StageEnding(RunContext& run, const plan::StagePlan& stage, state::Progress& progress)
    : run_(run), stage_(stage), progress_(progress) {
  if (!stage.until_slope || !run.ranks.first()) return;
  // What the log records about this stage; the run's start event is in it already.
  const std::int64_t first = progress.step - progress.stage_step;
  slope_.emplace(*stage.until_slope,
                 plan::curve_so_far(run.folder.log(), stage.name, first, progress.step),
                 plan::last_due(run.plan.evaluate_every, {run.plan.schedule, stage.model}, first,
                                progress.step, progress.tokens));
}

bool StageEnding::is_reached(const eval::EvalReport& report) {
  std::vector<double> reached{run_.ranks.first() && is_reached_here(report) ? 1.0 : 0.0};
  run_.ranks.sum(reached);
  return reached[0] > 0;
}

bool StageEnding::is_reached_here(const eval::EvalReport& report) {
  if (stage_.until_loss && report.loss <= *stage_.until_loss) {
    tell_why({{"rule", "loss"}, {"threshold", *stage_.until_loss}, {"loss", report.loss}},
             fmt::format("the validation loss {:.4f} has come to {:.4f}", report.loss,
                         *stage_.until_loss));
    return true;
  }
  const auto decision = slope_ ? slope_->check() : std::nullopt;
  if (!decision) return false;
  const plan::SlopeReading& now = decision->now;
  tell_why({{"rule", "slope"},
            {"threshold", decision->threshold},
            {"slope", now.slope},
            {"low", now.low},
            {"high", now.high},
            {"slope_before", decision->before.slope},
            {"E", now.law.E},
            {"B", now.law.B},
            {"b", now.law.b},
            {"x0", now.law.x0}},
           decision->why());
  return true;
}

void StageEnding::decide(std::int64_t total_steps) {
  progress_.total_steps = total_steps;
  const std::int64_t left = total_steps - progress_.step;
  tell_why({{"rule", "time"}, {"threshold", stage_.until_seconds}, {"total_steps", total_steps}},
           fmt::format("{} steps from here, for a time budget of {}", grouped(left),
                       short_seconds(stage_.until_seconds)));
}

void StageEnding::tell_why(const Json& numbers, const std::string& why) {
  Json event = place_event("until", progress_);
  event.update(numbers);
  event["why"] = why;
  run_.log.write(event);
  run_.line.print(fmt::format("{} ends: {}", progress_.stage, why));
}

}  // namespace stagedtrain::train
