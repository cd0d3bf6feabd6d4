// Fits the curve of the stage that a run is training, and chooses the lengths of the rest.
#include "lengths/replan.h"

#include <algorithm>
#include <cmath>

#include "fit/fit_laws.h"
#include "statistics/bootstrap.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;
constexpr double kTrusted = 3;  // a curve is trusted up to this many times the fitted steps

// Returns the stage that is being trained, or comes next. Throws Error(usage) if the run has ended.
std::size_t current_stage(const runlog::Run& run) {
  const auto ended = [&](const std::string& name) {
    return std::ranges::find(run.stage_ends, name, &runlog::Evaluation::stage) !=
           run.stage_ends.end();
  };
  // If a lost log was reconstructed, it may lack the end of a stage, but not that of the run.
  for (std::size_t i = 0; i < run.stages.size() && !run.end; ++i)
    if (!ended(run.stages[i].name)) return i;
  throw usage_error("plan --from: {} has ended; there is nothing left to plan", run.name);
}

LoggedCurve curve_of(const runlog::Run& run, std::size_t stage) {
  LoggedRuns logged;
  read_run(run, run.name, logged);
  return logged.curves.at(stage);
}

// Returns the steps at the peak after which a curve's slope has risen to `slope`.
double x_at_slope(const scaling::StageCurve& law, double slope) {
  const double t = -slope;
  if (t >= law.b) return -law.x0;  // it was never steeper
  return std::pow(law.B / (law.E * t / (law.b - t)), 1 / law.b) - law.x0;
}

GrowthTime time_of(const FittedCurve& fit, double slope, double now) {
  const auto step = [&](const scaling::StageCurve& law) {
    return std::max(now, fit.last_step + x_at_slope(law, slope) - fit.last_x);
  };
  std::vector<double> steps;
  for (const scaling::StageCurve& sample : fit.samples) steps.push_back(step(sample));
  const scaling::Interval interval = scaling::interval(std::move(steps));
  GrowthTime time{
      .step = step(fit.law), .low = interval.low, .high = interval.high, .slope = slope};
  time.now = time.step <= now;
  return time;
}

class Replanner {
 public:
  Replanner(const runlog::Run& run, const Schedule& schedule, const DataFacts& facts,
            const Measurements& measurements, const GrowthOutcomes& outcomes)
      : run_(run),
        schedule_(schedule),
        facts_(facts),
        measurements_(measurements),
        outcomes_(outcomes),
        now_(resolve(schedule, facts)),
        index_(current_stage(run)) {
    if (run.stages.size() != now_.stages.size())
      throw input_error("{}: its log has {} stages, its schedule {}", run.name, run.stages.size(),
                        now_.stages.size())
          .with_hint("use the schedule.yaml in that run's folder");
  }

  Replan plan() {
    const LoggedCurve curve = curve_of(run_, index_);
    const FittedCurve fit = fit_logged_curve(curve, {});
    out_.run = run_.name;
    out_.stage = now_.stages[index_].name;
    out_.step = curve.steps.back().step;
    out_.reading = *read_slope(curve);
    out_.first_new = index_;
    for (const StagePlan& stage : now_.stages)
      out_.old_steps.push_back(static_cast<double>(stage.steps));
    out_.schedule = schedule_;
    if (index_ + 1 < now_.stages.size()) {
      set_growth(fit);
      choose_rest(fit.begin);
    }
    return out_;
  }

 private:
  Choice chosen(const Schedule& s) const { return choose(s, facts_, measurements_, outcomes_); }

  // Finds the slope at which growing is best by the law, and the time of growth under the
  // assumption.
  void set_growth(const FittedCurve& fit) {
    Schedule asked = schedule_;
    asked.stages[index_].until = schedule::UntilSpec{.loss = {}, .slope = "auto"};
    const Choice choice = chosen(asked);
    const double slope = *parse_number(choice.schedule.stages[index_].until->slope);
    out_.growth = time_of(fit, slope, out_.step);
    chooses_rest_ = schedule_.plan.scratch && !choice.end_losses.empty();
    if (choice.transfer.assumption != scaling::Assumption::loss_state) wait_for_decay(fit.begin);
    const double seen = out_.step - fit.begin;
    if (out_.growth->high - fit.begin > kTrusted * seen)
      out_.warnings.push_back(fmt::format(
          "the growth is later than {} times the {} steps that were fitted; plan again later",
          kTrusted, grouped_number(seen)));
  }

  // Moves the growth to the latest time before the decay. Except under loss-state, the slope does
  // not matter.
  void wait_for_decay(double begin) {
    Schedule asked = schedule_;
    asked.stages[index_].length = {0, DurationUnit::automatic};
    asked.stages[index_].until.reset();
    chooses_rest_ = schedule_.plan.scratch.has_value();
    if (chooses_rest_) leave_rest_open(asked);
    // The planner may give the length in tokens; resolve() converts it into steps.
    const RunPlan plan = resolve(chosen(asked).schedule, facts_);
    const double step = begin + static_cast<double>(plan.stages[index_].steps);
    GrowthTime& growth = *out_.growth;
    growth.step = growth.low = growth.high = std::max(step, out_.step);
    growth.now = step <= out_.step;
  }

  // Lets the planner choose all later lengths: the decay is a share of the resulting run, so old
  // lengths would make it wrong.
  void leave_rest_open(Schedule& asked) const {
    for (std::size_t i = index_ + 1; i < asked.stages.size(); ++i)
      asked.stages[i].length = {0, DurationUnit::automatic};
  }

  // Chooses the lengths of this and the later stages. `begin` is the step at which the stage began.
  void choose_rest(double begin) {
    Schedule asked = schedule_;
    const double steps = std::max(1.0, std::round(out_.growth->step - begin));
    asked.stages[index_].length = {steps, DurationUnit::steps};
    asked.stages[index_].until.reset();
    if (chooses_rest_) leave_rest_open(asked);
    const Choice choice = chosen(asked);
    out_.schedule = choice.schedule;
    out_.messages = choice.messages;
    if (out_.messages.empty())
      out_.messages.push_back(
          "later stages keep their lengths: the schedule has no target (plan.scratch), or the law "
          "does not cover models of these sizes");
  }

  const runlog::Run& run_;
  const Schedule& schedule_;
  const DataFacts& facts_;
  const Measurements& measurements_;
  const GrowthOutcomes& outcomes_;
  RunPlan now_;
  std::size_t index_;
  bool chooses_rest_ = false;
  Replan out_;
};

std::string growth_text(const Replan& r) {
  const GrowthTime& g = *r.growth;
  if (g.now)
    return fmt::format("grow now: the slope is {:.4f}, and growing is best at {:.4f}\n",
                       r.reading.slope, g.slope);
  return fmt::format("grow after step {} (80%: {} to {}), where the slope reaches {:.4f}\n",
                     grouped_number(g.step), grouped_number(g.low), grouped_number(g.high),
                     g.slope);
}

}  // namespace

Replan replan(const runlog::Run& run, const Schedule& schedule, const DataFacts& facts,
              const Measurements& measurements, const GrowthOutcomes& outcomes) {
  return Replanner(run, schedule, facts, measurements, outcomes).plan();
}

std::string to_text(const Replan& r) {
  const scaling::StageCurve& law = r.reading.law;
  std::string text = fmt::format(
      "{}: stage {}, step {}\nits curve  loss = {:.4f} + {:.4g} (x + {:.4g})^-{:.4f}, x in steps "
      "at "
      "the peak rate\nits slope  {:.4f} (80%: {:.4f} to {:.4f}), d ln loss / d ln tokens\n\n",
      r.run, r.stage, grouped_number(r.step), law.E, law.B, law.x0, law.b, r.reading.slope,
      r.reading.low, r.reading.high);
  if (r.growth) {
    text += growth_text(r);
  } else {
    text += "this is the last stage: no growth follows\n";
  }
  for (std::size_t i = r.first_new; i < r.old_steps.size(); ++i)
    text += fmt::format("  {}: {} instead of {} steps\n", r.schedule.stages[i].name,
                        to_string(r.schedule.stages[i].length), grouped_number(r.old_steps[i]));
  for (const std::string& message : r.messages)
    text += "  " + stagedtrain::wrapped(message, 96, "  ");
  for (const std::string& warning : r.warnings) text += "\nwarning: " + warning + "\n";
  if (r.growth)
    text += fmt::format(
        "\n"
        "to continue with this plan:\n"
        "  stagedtrain plan --from {0} --print-schedule > rest.yaml\n"
        "  stagedtrain train rest.yaml --out {0} --replan\n",
        r.run);
  return text;
}

Json to_json(const Replan& r) {
  Json json = {{"run", r.run},
               {"stage", r.stage},
               {"step", r.step},
               {"curve",
                {{"E", r.reading.law.E},
                 {"B", r.reading.law.B},
                 {"b", r.reading.law.b},
                 {"x0", r.reading.law.x0}}},
               {"slope", r.reading.slope},
               {"slope_low", r.reading.low},
               {"slope_high", r.reading.high},
               {"grow", nullptr}};
  if (r.growth)
    json["grow"] = {{"step", r.growth->step},
                    {"low", r.growth->low},
                    {"high", r.growth->high},
                    {"slope", r.growth->slope},
                    {"now", r.growth->now}};
  json["stages"] = Json::array();
  for (std::size_t i = 0; i < r.old_steps.size(); ++i)
    json["stages"].push_back({{"name", r.schedule.stages[i].name},
                              {"for", to_string(r.schedule.stages[i].length)},
                              {"planned_steps", r.old_steps[i]}});
  json["messages"] = r.messages;
  json["warnings"] = r.warnings;
  return json;
}

}  // namespace stagedtrain::plan
