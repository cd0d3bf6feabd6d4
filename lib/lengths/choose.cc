// Which lengths and slopes replace `auto` in a schedule?
//
// A stage is at a position on its size's own loss curve, in tokens. A growth maps the position t in
// size a to one in size b: D_b(L_a(t)), where the loss is the same, under loss-state; t / rho with
// a rho, which is 1 under mixing (docs/planning.md, "One question"). The targets of auto:
//   - the last one: the tokens of the scratch run, so that both end at the same loss;
//   - others under loss-state: the best growth into the next stage (scaling/pair.h) before the
//   decay;
//   - others with a rho: the latest position. The last growth leaves the decay and the mixing time
//     to the final size, an earlier one the mixing time to the stage that it leads to.
// A decay in % is a share of the run that results, so the walk over the stages is repeated.
//
// Invariant: a given length is never changed. Rejected: optimizing all lengths together, as
// --optimize does. Sizes are given here, so a best growth follows from two neighbours alone.
#include "lengths/choose.h"

#include <algorithm>
#include <cmath>

#include "forecast/annealed_end.h"
#include "lengths/length_facts.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using schedule::Schedule;
constexpr int kPasses = 4;  // a decay in % depends on the length of the run that results

// Says why a growth comes no later. Except under loss-state, later is always better.
std::string why_so_late(const scaling::RunLength& run) {
  const std::string end = run.decay > 0 ? "the decay" : "the end";
  if (run.mixing > 0)
    return fmt::format("the latest time that leaves {} tokens to mix before {}",
                       short_count(run.mixing), end);
  return fmt::format(
      "the latest time before {}; the mixing time of the growth is not known (plan.mixing)", end);
}

// One walk over the stages, which sets the lengths that are auto. `run` is that of the facts, with
// the decay of the run that results.
class Walk {
 public:
  Walk(const Schedule& asked, const LengthFacts& known, const scaling::RunLength& run)
      : asked_(asked), known_(known), run_(run), schedule(asked) {
    double at = 0;  // tokens on the stage's own curve
    for (std::size_t i = 0; i < known.sizes.size(); ++i) {
      end_tokens = at + train(i, at);
      end_losses.push_back(known.sizes[i].curve->loss(end_tokens));
      if (i + 1 < known.sizes.size()) at = resume_at(i + 1, end_tokens);
    }
  }

 private:
  const Schedule& asked_;
  const LengthFacts& known_;
  const scaling::RunLength& run_;

 public:
  Schedule schedule;                  // with the lengths that were chosen
  std::vector<std::string> messages;  // one for each of them
  std::vector<double> end_losses;     // of each stage
  double steps = 0, cost = 0;         // the sums over all stages
  double end_tokens = 0;              // where the last stage ends on its own curve

 private:
  // Returns the tokens of stage i, which begins at `at`, and adds them to the sums.
  double train(std::size_t i, double at) {
    double tokens = static_cast<double>(known_.plan.stages[i].tokens);
    if (is_auto(asked_.stages[i])) {
      std::string why = "to reach the target loss";
      const bool last = i + 1 == known_.sizes.size();
      const double until = last ? run_.tokens : best_until(i, why);
      if (!(until > at))
        throw stage_error(asked_, i,
                          fmt::format("growing out of {} is best at {} tokens of its own curve, "
                                      "but it begins at {}",
                                      known_.sizes[i].name, short_count(until), short_count(at)))
            .with_hint("leave this stage out, or shorten the one before");
      tokens = set_length(i, until - at, why);
    }
    steps += tokens / tokens_of_step(i);
    cost += tokens * known_.sizes[i].cost;
    return tokens;
  }

  // Returns the tokens of a step after the batch-size warm-up, at the stage's own context.
  double tokens_of_step(std::size_t i) const {
    return static_cast<double>(asked_.batch.sequences * known_.plan.stages[i].model.context);
  }

  double set_length(std::size_t i, double tokens, const std::string& why) {
    const double each = tokens_of_step(i), rounded = std::max(1.0, std::round(tokens / each));
    schedule::StageSpec& stage = schedule.stages[i];
    stage.length = {rounded, DurationUnit::steps};
    if (asked_.batch.size_warmup) stage.length = {rounded * each, DurationUnit::tokens};
    messages.push_back(
        fmt::format("{}: {}, {}", stage.name, counted(whole_steps(rounded), "step"), why));
    return rounded * each;
  }

  // Returns the tokens on stage i's own curve at which growing is best. Sets `why` to the reason.
  double best_until(std::size_t i, std::string& why) const {
    if (known_.assumption == Assumption::loss_state) return best_under_loss_state(i, why);
    double target = run_.last_growth();
    for (std::size_t j = known_.sizes.size() - 1; j > i + 1; --j)
      target = known_.rho[j] * target - run_.mixing;
    why = why_so_late(run_);
    return known_.rho[i + 1] * target;
  }

  double best_under_loss_state(std::size_t i, std::string& why) const {
    const scaling::Size &small = known_.sizes[i], &large = known_.sizes[i + 1];
    const double before_decay = known_.sizes.back().curve->loss(run_.tokens - run_.decay);
    const scaling::GrowthPoint growth = scaling::best_growth(small, large, before_decay);
    if (!growth.pays())
      throw stage_error(asked_, i + 1,
                        fmt::format("growing {} into {} saves nothing by the law {}", small.name,
                                    large.name, known_.law.name))
          .with_hint("give the stage's length as a number, or leave it out");
    // At the bound the reason is the bound, not that both sizes pay the same.
    if (growth.loss <= before_decay * (1 + 1e-9)) {
      why = fmt::format(
          "the latest time before {}: {} still pays less for the next bit of loss than {}, but no "
          "growth may come later",
          run_.decay > 0 ? "the decay" : "the end", small.name, large.name);
    } else {
      why = fmt::format(
          "where {} and {} pay the same for the next bit of loss, at {:.4f} by the law; {} to {} "
          "tokens keep 95% of what it saves",
          small.name, large.name, growth.loss, short_count(growth.earliest),
          short_count(growth.latest));
    }
    return growth.small_tokens;
  }

  double resume_at(std::size_t next, double tokens) const {
    if (known_.assumption != Assumption::loss_state) return tokens / known_.rho[next];
    return known_.sizes[next].curve->tokens(known_.sizes[next - 1].curve->loss(tokens));
  }
};

const char* cost_name(const Schedule& asked) {
  return asked.plan.cost == "flops" ? "FLOPs" : "seconds";
}

// Describes the saving against the run from scratch that ends at the same loss.
std::string predicted_saving(const Schedule& asked, const LengthFacts& known, const Walk& walk) {
  const scaling::Size& last = known.sizes.back();
  const double tokens = last.curve->tokens(walk.end_losses.back());
  if (!std::isfinite(tokens)) return "";
  return fmt::format("; it saves {:.1f}% of the {}", 100 * (1 - walk.cost / (tokens * last.cost)),
                     cost_name(asked));
}

// Subtracts the decay's gain: from the law's own runs, or else from an earlier staged run.
void take_decay_off(const DataFacts& facts, const LengthFacts& known, double end_tokens,
                    Choice& choice) {
  const RunPlan plan = resolve(with_placeholders(choice.schedule), facts);
  if (const auto gain = decay_gain(plan, known.law, *known.sizes.back().curve, end_tokens)) {
    choice.end_losses.back() -= *gain;
    choice.predicted_by += fmt::format("; less {:.4f} nats, the gain of own decays", *gain);
  } else if (known.decay_drop) {
    choice.end_losses.back() -= known.decay_drop->decay_drop;
    choice.predicted_by += fmt::format("; less {:.4f} nats, the gain of the decay of {}",
                                       known.decay_drop->decay_drop, known.decay_drop->run);
  }
}

std::string assumption_text(const LengthFacts& known) {
  if (known.assumption == Assumption::loss_state)
    return "a grown model continues where its own curve has the same loss";
  if (known.assumption == Assumption::mixing)
    return fmt::format("a grown model catches up with a run from scratch within {} tokens",
                       short_count(known.run.mixing));
  std::vector<std::string> each;
  for (std::size_t i = 1; i < known.rho.size(); ++i)
    each.push_back(fmt::format("{:.3g}", known.rho[i]));
  return fmt::format("rho {}{}{}", join(each, ", "),
                     known.measured_in.empty() ? "" : ", measured in ",
                     join(known.measured_in, ", "));
}

// Describes what the stages cost and reach together.
std::string whole_text(const Schedule& asked, const LengthFacts& known, double cost) {
  const double tokens = known.run.tokens;
  const std::string loss = known.nonsense ? ""
                                          : fmt::format(", which is {:.4f} by the law {}",
                                                        known.end_loss, known.law.name);
  return fmt::format(
      "together they reach the loss of {} tokens from scratch ({:.3g} for each parameter){}, for "
      "{:.1f}% of its {}; assumption: {}: {}",
      short_count(tokens), tokens / static_cast<double>(known.plan.stages.back().params.total),
      loss, 100 * cost / (tokens * known.sizes.back().cost), cost_name(asked),
      assumption_name(known.assumption), assumption_text(known));
}

void choose_slope(const Schedule& asked, const LengthFacts& known, std::size_t i, Choice& choice) {
  if (i + 1 == known.sizes.size())
    throw stage_error(
        asked, i, "until.slope: auto is where growing is best, but the last stage does not grow")
        .with_hint("give a number such as -0.06");
  // The slopes of Kaplan's law depend only on the ratios of sizes and costs, not on its losses.
  if (known.nonsense && known.law.name != "kaplan")
    throw known.nonsense->with_hint("use plan: {law: kaplan}, whose slopes are valid for any size");
  const scaling::Size &small = known.sizes[i], &large = known.sizes[i + 1];
  const scaling::GrowthPoint growth = scaling::best_growth(small, large, large.curve->floor());
  if (!growth.pays())
    throw stage_error(asked, i,
                      fmt::format("until.slope: growing {} saves nothing by the law {}", small.name,
                                  known.law.name))
        .with_hint("give a number such as -0.06");
  const double slope = small.curve->log_slope(growth.loss);
  choice.schedule.stages[i].until->slope = fmt::format("{:.6g}", slope);
  choice.messages.push_back(fmt::format(
      "{}: ends when d ln loss / d ln tokens of its fitted curve has risen to {:.4f} at two "
      "evaluations in a row, where growing into {} is best by the law {}; assumption: {}",
      small.name, slope, large.name, known.law.name, assumption_name(Assumption::loss_state)));
}

// Walks until the decay is that of the run that results.
Walk settled_walk(const Schedule& asked, LengthFacts& known) {
  for (int pass = 1; pass < kPasses; ++pass)
    known.run.decay =
        decay_tokens(asked.lr, Walk(asked, known, known.run).steps, known.step_tokens);
  return Walk(asked, known, known.run);
}

}  // namespace

bool asks_planner(const Schedule& s) {
  return std::ranges::any_of(s.stages, [](const schedule::StageSpec& stage) {
    return is_auto(stage) || has_auto_slope(stage);
  });
}

Choice choose(const Schedule& s, const DataFacts& facts, const Measurements& measurements,
              const GrowthOutcomes& outcomes) {
  if (!s.from.empty())
    throw usage_error("for: auto: the schedule starts from {}, expected fresh weights", s.from)
        .with_hint("the planner does not know how that model was trained; give lengths as numbers");
  LengthFacts known = length_facts(s, facts, measurements, outcomes);
  const bool lengths = std::ranges::any_of(s.stages, is_auto);
  // Only under loss-state do lengths depend on losses.
  if (known.nonsense && lengths && known.assumption == Assumption::loss_state)
    throw *known.nonsense;
  const Walk walk = settled_walk(s, known);
  Choice choice{.schedule = walk.schedule,
                .messages = walk.messages,
                .end_losses = {},
                .predicted_by = {},
                .transfer = {known.assumption, known.rho.back(), known.run.mixing, known.rho},
                .law = known.law};
  if (!known.nonsense) {
    choice.end_losses = walk.end_losses;
    choice.predicted_by =
        fmt::format("the law {}; {}", known.law.name, assumption_name(known.assumption));
    if (known.sizes.size() > 1) choice.predicted_by += predicted_saving(s, known, walk);
    take_decay_off(facts, known, walk.end_tokens, choice);
  }
  if (lengths) {
    choice.schedule.plan.scratch = Duration{known.run.tokens, DurationUnit::tokens};
    choice.messages.push_back(whole_text(s, known, walk.cost));
  }
  for (std::size_t i = 0; i < known.sizes.size(); ++i)
    if (has_auto_slope(s.stages[i])) choose_slope(s, known, i, choice);
  return choice;
}

Schedule as_recorded(Schedule asked, const std::string& recorded) {
  const Schedule before = schedule::parse(recorded, "schedule.yaml");
  for (schedule::StageSpec& stage : asked.stages)
    for (const schedule::StageSpec& old : before.stages) {
      if (old.name != stage.name) continue;
      if (is_auto(stage)) stage.length = old.length;
      if (has_auto_slope(stage) && old.until) stage.until->slope = old.until->slope;
    }
  return asked;
}

}  // namespace stagedtrain::plan
