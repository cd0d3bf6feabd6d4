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
#include "plan/transfer.h"
#include "scaling/pair.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using schedule::Schedule;
constexpr double kTokensPerParameter = 20;
constexpr int kPasses = 4;  // a decay in % depends on the length of the run that results

bool is_auto(const schedule::StageSpec& stage) {
  return stage.length.unit == DurationUnit::automatic;
}
bool has_auto_slope(const schedule::StageSpec& stage) {
  return stage.until && stage.until->slope == "auto";
}

// Returns the schedule with one step for every auto, so that its models can be resolved.
Schedule with_placeholders(Schedule s) {
  for (schedule::StageSpec& stage : s.stages) {
    if (is_auto(stage)) stage.length = {1, DurationUnit::steps};
    if (has_auto_slope(stage)) stage.until->slope.clear();
  }
  return s;
}

Error refusal(const Schedule& s, std::size_t i, const std::string& what) {
  return s.source.find("stages")->items[i].error("stages.{}: {}", i, what);
}

// Computes what the walk needs once, and then walks.
class Chooser {
 public:
  Chooser(const Schedule& s, const DataFacts& facts, const Measurements& measurements,
          const GrowthOutcomes& outcomes)
      : asked_(s),
        facts_(facts),
        plan_(resolve(with_placeholders(s), facts)),
        law_(find_planning_law(s.plan.law)),
        step_tokens_(static_cast<double>(s.batch.sequences * plan_.final_model.context)) {
    for (const StagePlan& stage : plan_.stages)
      sizes_.push_back({stage.name, cost(stage, measurements), curve_of(stage)});
    run_.tokens = scratch_tokens();
    run_.decay = decay_tokens(run_.tokens / step_tokens_);
    end_loss_ = sizes_.back().curve->loss(run_.tokens);
    try {
      refuse_nonsense(law_, sizes_.back(), plan_.final_model, run_.tokens);
    } catch (const Error& error) {
      nonsense_ = error;
    }
    choose_transfer(outcomes);
    run_.mixing = mixing_tokens(outcomes);
    find_decay_drop(outcomes);
  }

  Choice choose() {
    choice_.schedule = asked_;
    const bool lengths = std::ranges::any_of(asked_.stages, is_auto);
    choice_.transfer = {assumption_, rho_.back(), run_.mixing, rho_};
    choice_.law = law_;
    // Only under loss-state do lengths depend on losses.
    if (nonsense_ && lengths && assumption_ == Assumption::loss_state) throw *nonsense_;
    for (int pass = 1; pass < kPasses; ++pass) {
      walk();
      run_.decay = decay_tokens(steps_);
    }
    walk();
    if (nonsense_) {
      choice_.end_losses.clear();
    } else {
      choice_.predicted_by = fmt::format("the law {}; {}", law_.name, assumption_name(assumption_));
      if (sizes_.size() > 1) choice_.predicted_by += predicted_saving();
      take_decay_off();
    }
    if (lengths) {
      choice_.schedule.plan.scratch = Duration{run_.tokens, DurationUnit::tokens};
      tell_whole();
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i)
      if (has_auto_slope(asked_.stages[i])) choose_slope(i);
    return choice_;
  }

 private:
  std::shared_ptr<const scaling::LossCurve> curve_of(const StagePlan& stage) const {
    auto curve = law_.curve(law_.parameters(stage.params));
    if (!curve)
      throw usage_error("the law {} has no curve of {} parameters, which stage {} has", law_.name,
                        grouped(stage.params.total), stage.name)
          .with_hint("fit a run of that size too: stagedtrain plan --fit RUN... --out FILE.json");
    return curve;
  }

  double cost(const StagePlan& stage, const Measurements& measurements) const {
    if (asked_.plan.cost == "flops") return flops_per_token(asked_, stage.model);
    const Measurement* found = measurements.find(measurement_key(plan_, stage));
    if (!found)
      throw usage_error("plan.cost: found seconds, but stage {} was not measured", stage.name)
          .with_hint("measure the stages with plan --measure SCHEDULE, or use cost: flops");
    return found->seconds_per_token;
  }

  double scratch_tokens() const {
    const double params = static_cast<double>(plan_.stages.back().params.total);
    if (!asked_.plan.scratch) return kTokensPerParameter * params;
    const Duration& length = *asked_.plan.scratch;
    if (length.unit == DurationUnit::tokens) return length.amount;
    if (length.unit == DurationUnit::flops)
      return length.amount / flops_per_token(asked_, plan_.final_model);
    return length.amount * step_tokens_;
  }

  // Returns the tokens of the decay in a run of so many steps.
  double decay_tokens(double steps) const {
    const schedule::LrSpec& lr = asked_.lr;
    if (lr.curve != "wsd") return 0;
    if (lr.decay.unit == DurationUnit::percent) return lr.decay.amount / 100 * steps * step_tokens_;
    return lr.decay.amount * (lr.decay.unit == DurationUnit::steps ? step_tokens_ : 1);
  }

  // Sets the assumption and the rho of each growth from the schedule's plan.transfer.
  void choose_transfer(const GrowthOutcomes& outcomes) {
    const std::string& word = asked_.plan.transfer;
    rho_.assign(sizes_.size(), 1);
    if (word == "auto") {
      assumption_ = Assumption::measured;
      return take_outcomes(outcomes);
    }
    const Transfer transfer = read_transfer("plan.transfer", word, "loss-state, mixing, rho=X or auto");
    assumption_ = transfer.assumption;
    rho_.assign(sizes_.size(), transfer.rho);
  }

  // Uses measured rhos. If one is missing or saves nothing, the plan is made under loss-state.
  void take_outcomes(const GrowthOutcomes& outcomes) {
    for (std::size_t i = 1; i < sizes_.size(); ++i) {
      const grow::GrowthRecipe& growth = *plan_.stages[i].growth;
      const GrowthOutcome* found = outcomes.rho_of(growth.operators(), growth.from, growth.to);
      if (!found || !(found->rho < sizes_[i].cost / sizes_[i - 1].cost)) {
        assumption_ = Assumption::loss_state;
        return;
      }
      rho_[i] = found->rho;
      measured_in_.push_back(found->run);
    }
  }

  // Finds what the decay gained in the newest run of about this size, for laws of a constant rate.
  void find_decay_drop(const GrowthOutcomes& outcomes) {
    const double flops = arch::flops_per_token(plan_.final_model);
    if (law_.end != kConstantRate || asked_.lr.curve != "wsd") return;
    for (const GrowthOutcome& growth : outcomes.all()) {
      const double factor = arch::flops_per_token(growth.to) / flops;
      if (growth.decay_drop > 0 && factor > 0.5 && factor < 2) decay_drop_ = &growth;
    }
  }

  // Describes the saving against the run from scratch that ends at the same loss.
  std::string predicted_saving() const {
    const double tokens = sizes_.back().curve->tokens(choice_.end_losses.back());
    if (!std::isfinite(tokens)) return "";
    return fmt::format("; it saves {:.1f}% of the {}",
                       100 * (1 - cost_ / (tokens * sizes_.back().cost)),
                       asked_.plan.cost == "flops" ? "FLOPs" : "seconds");
  }

  // Subtracts the decay's gain: from the law's own runs, or else from an earlier staged run.
  void take_decay_off() {
    const RunPlan plan = resolve(with_placeholders(choice_.schedule), facts_);
    if (const auto gain = decay_gain(plan, law_, *sizes_.back().curve, end_tokens_)) {
      choice_.end_losses.back() -= *gain;
      choice_.predicted_by += fmt::format("; less {:.4f} nats, the gain of own decays", *gain);
      return;
    }
    if (!decay_drop_) return;
    choice_.end_losses.back() -= decay_drop_->decay_drop;
    choice_.predicted_by += fmt::format("; less {:.4f} nats, the gain of the decay of {}",
                                        decay_drop_->decay_drop, decay_drop_->run);
  }

  double mixing_tokens(const GrowthOutcomes& outcomes) const {
    if (const auto& given = asked_.plan.mixing)
      return given->amount * (given->unit == DurationUnit::steps ? step_tokens_ : 1);
    double most = 0;
    for (std::size_t i = 1; i < sizes_.size(); ++i) {
      const grow::GrowthRecipe& growth = *plan_.stages[i].growth;
      const GrowthOutcome* found = outcomes.mixing_of(growth.operators(), growth.from, growth.to);
      if (found) most = std::max(most, found->mixing_tokens);
    }
    return most;
  }

  // Says why a growth comes no later. Except under loss-state, later is always better.
  std::string why_so_late() const {
    const std::string end = run_.decay > 0 ? "the decay" : "the end";
    if (run_.mixing > 0)
      return fmt::format("the latest time that leaves {} tokens to mix before {}",
                         short_count(run_.mixing), end);
    return fmt::format(
        "the latest time before {}; the mixing time of the growth is not known (plan.mixing)", end);
  }

  // Returns the tokens on stage i's own curve at which growing is best. Sets `why` to the reason.
  double best_until(std::size_t i, std::string& why) const {
    if (assumption_ != Assumption::loss_state) {
      double target = run_.last_growth();
      for (std::size_t j = sizes_.size() - 1; j > i + 1; --j)
        target = rho_[j] * target - run_.mixing;
      why = why_so_late();
      return rho_[i + 1] * target;
    }
    const double before_decay = sizes_.back().curve->loss(run_.tokens - run_.decay);
    const scaling::GrowthPoint growth =
        scaling::best_growth(sizes_[i], sizes_[i + 1], before_decay);
    if (!growth.pays())
      throw refusal(asked_, i + 1,
                    fmt::format("growing {} into {} saves nothing by the law {}", sizes_[i].name,
                                sizes_[i + 1].name, law_.name))
          .with_hint("give the stage's length as a number, or leave it out");
    // At the bound the reason is the bound, not that both sizes pay the same.
    if (growth.loss <= before_decay * (1 + 1e-9)) {
      why = fmt::format(
          "the latest time before {}: {} still pays less for the next bit of loss than {}, but no "
          "growth may come later",
          run_.decay > 0 ? "the decay" : "the end", sizes_[i].name, sizes_[i + 1].name);
      return growth.small_tokens;
    }
    why = fmt::format(
        "where {} and {} pay the same for the next bit of loss, at {:.4f} by the law; {} to {} "
        "tokens keep 95% of what it saves",
        sizes_[i].name, sizes_[i + 1].name, growth.loss, short_count(growth.earliest),
        short_count(growth.latest));
    return growth.small_tokens;
  }

  double resume_at(std::size_t next, double tokens) const {
    if (assumption_ != Assumption::loss_state) return tokens / rho_[next];
    return sizes_[next].curve->tokens(sizes_[next - 1].curve->loss(tokens));
  }

  double given_tokens(std::size_t i) const { return static_cast<double>(plan_.stages[i].tokens); }

  void walk() {
    choice_.messages.clear();
    choice_.end_losses.clear();
    steps_ = cost_ = 0;
    double at = 0;  // tokens on the stage's own curve
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const bool last = i + 1 == sizes_.size();
      double tokens = given_tokens(i);
      if (is_auto(asked_.stages[i])) {
        std::string why = "to reach the target loss";
        const double until = last ? run_.tokens : best_until(i, why);
        if (!(until > at))
          throw refusal(asked_, i,
                        fmt::format("growing out of {} is best at {} tokens of its own curve, but "
                                    "it begins at {}",
                                    sizes_[i].name, short_count(until), short_count(at)))
              .with_hint("leave this stage out, or shorten the one before");
        tokens = set_length(i, until - at, why);
      }
      steps_ += tokens / tokens_of_step(i);
      cost_ += tokens * sizes_[i].cost;
      choice_.end_losses.push_back(sizes_[i].curve->loss(at + tokens));
      if (last) end_tokens_ = at + tokens;
      if (!last) at = resume_at(i + 1, at + tokens);
    }
  }

  // Returns the tokens of a step after the batch-size warm-up, at the stage's own context.
  double tokens_of_step(std::size_t i) const {
    return static_cast<double>(asked_.batch.sequences * plan_.stages[i].model.context);
  }

  double set_length(std::size_t i, double tokens, const std::string& why) {
    const double each = tokens_of_step(i), steps = std::max(1.0, std::round(tokens / each));
    schedule::StageSpec& stage = choice_.schedule.stages[i];
    stage.length = {steps, DurationUnit::steps};
    if (asked_.batch.size_warmup) stage.length = {steps * each, DurationUnit::tokens};
    choice_.messages.push_back(
        fmt::format("{}: {}, {}", stage.name, counted(whole_steps(steps), "step"), why));
    return steps * each;
  }

  std::string assumption_text() const {
    if (assumption_ == Assumption::loss_state)
      return "a grown model continues where its own curve has the same loss";
    if (assumption_ == Assumption::mixing)
      return fmt::format("a grown model catches up with a run from scratch within {} tokens",
                         short_count(run_.mixing));
    std::vector<std::string> each;
    for (std::size_t i = 1; i < rho_.size(); ++i) each.push_back(fmt::format("{:.3g}", rho_[i]));
    return fmt::format("rho {}{}{}", join(each, ", "), measured_in_.empty() ? "" : ", measured in ",
                       join(measured_in_, ", "));
  }

  void tell_whole() {
    const double scratch = run_.tokens * sizes_.back().cost;
    const std::string loss =
        nonsense_ ? "" : fmt::format(", which is {:.4f} by the law {}", end_loss_, law_.name);
    choice_.messages.push_back(fmt::format(
        "together they reach the loss of {} tokens from scratch ({:.3g} for each parameter){}, "
        "for {:.1f}% of its {}; assumption: {}: {}",
        short_count(run_.tokens),
        run_.tokens / static_cast<double>(plan_.stages.back().params.total), loss,
        100 * cost_ / scratch, asked_.plan.cost == "flops" ? "FLOPs" : "seconds",
        assumption_name(assumption_), assumption_text()));
  }

  void choose_slope(std::size_t i) {
    if (i + 1 == sizes_.size())
      throw refusal(asked_, i,
                    "until.slope: auto is where growing is best, but the last stage does not grow")
          .with_hint("give a number such as -0.06");
    // The slopes of Kaplan's law depend only on the ratios of sizes and costs, not on its losses.
    if (nonsense_ && law_.name != "kaplan")
      throw nonsense_->with_hint("use plan: {law: kaplan}, whose slopes are valid for any size");
    const scaling::GrowthPoint growth =
        scaling::best_growth(sizes_[i], sizes_[i + 1], sizes_[i + 1].curve->floor());
    if (!growth.pays())
      throw refusal(asked_, i,
                    fmt::format("until.slope: growing {} saves nothing by the law {}",
                                sizes_[i].name, law_.name))
          .with_hint("give a number such as -0.06");
    const double slope = sizes_[i].curve->log_slope(growth.loss);
    choice_.schedule.stages[i].until->slope = fmt::format("{:.6g}", slope);
    choice_.messages.push_back(fmt::format(
        "{}: ends when d ln loss / d ln tokens of its fitted curve has risen to {:.4f} at two "
        "evaluations in a row, where growing into {} is best by the law {}; assumption: {}",
        sizes_[i].name, slope, sizes_[i + 1].name, law_.name,
        assumption_name(Assumption::loss_state)));
  }

  const Schedule& asked_;
  const DataFacts& facts_;
  RunPlan plan_;  // with placeholders: its models and given lengths are final
  PlanningLaw law_;
  double step_tokens_;  // tokens of a step of the final model
  scaling::Family sizes_;  // one for each stage
  scaling::RunLength run_;
  double end_loss_ = 0;
  double steps_ = 0, cost_ = 0;    // the sums over all stages
  double end_tokens_ = 0;          // where the last stage ends on its own curve
  std::optional<Error> nonsense_;  // set if the law predicts an end loss worse than guessing
  Assumption assumption_ = Assumption::loss_state;
  std::vector<double> rho_;  // for the growth into each stage
  std::vector<std::string> measured_in_;
  const GrowthOutcome* decay_drop_ = nullptr;  // null: not known, or already in the law's losses
  Choice choice_;
};

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
  return Chooser(s, facts, measurements, outcomes).choose();
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
