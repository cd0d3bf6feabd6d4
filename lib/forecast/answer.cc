// Prints the answer of a plan in about five lines, and as many further sections as fit on the
// screen.
#include "forecast/answer.h"

#include <algorithm>

#include "arch/size_text.h"
#include "plan/selection_cost.h"
#include "plan/stage_policy.h"
#include "text/counted.h"
#include "text/percent.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
constexpr std::ptrdiff_t kMostLines = 40;
constexpr std::size_t kStagesInWords = 3, kFirstRows = 8, kLastRows = 2, kColumns = 100,
                      kLongestName = 24;
constexpr const char* kMore =
    "\n--details prints costs in four ways of counting, memory, learning rate and all "
    "assumptions.\n";

std::string count(std::int64_t n) { return short_count(static_cast<double>(n)); }
std::ptrdiff_t lines_of(const std::string& text) { return std::ranges::count(text, '\n'); }

// Returns layers x width, or the stage's name if another stage has the same layers and width.
std::string size_of(const RunPlan& plan, const StagePlan& stage) {
  const auto same = [&](const StagePlan& other) {
    return other.model.layers == stage.model.layers && other.model.width == stage.model.width;
  };
  if (std::ranges::count_if(plan.stages, same) > 1) return stage.name;
  return arch::layers_by_width(stage.model);
}

// Returns the stage's training policy, by its key in the schedule.
std::string policy_of(const StagePlan& stage) {
  if (const std::string key = policy_key(stage); !key.empty()) return " with " + key;
  return stage.train_only_new ? " with train_only: new" : "";
}

std::string action(const RunPlan& plan) {
  const StagePlan &first = plan.stages.front(), &last = plan.stages.back();
  if (plan.stages.size() == 1)
    return fmt::format("train {} for {}{}, without growing", size_of(plan, first),
                       counted(first.steps, "step"), policy_of(first));
  if (plan.stages.size() > kStagesInWords)
    return fmt::format("train {} sizes, {} grown step by step into {}, for {} in all",
                       plan.stages.size(), size_of(plan, first), size_of(plan, last),
                       counted(plan.total_steps, "step"));
  std::string text = fmt::format("train {} for {}{}", size_of(plan, first),
                                 counted(first.steps, "step"), policy_of(first));
  for (std::size_t i = 1; i < plan.stages.size(); ++i)
    text += fmt::format(", grow it into {} for {}{}", size_of(plan, plan.stages[i]),
                        grouped(plan.stages[i].steps), policy_of(plan.stages[i]));
  return text;
}

// Says when the run ends, if a time budget may end it before the steps are done.
std::string budget_of(const RunPlan& plan) {
  const double seconds = plan.stages.back().until_seconds;
  if (seconds == 0) return "";
  return fmt::format("; ends sooner, decayed, when it has trained for {}", short_seconds(seconds));
}

const Forecast* under(const Outlook& outlook, Assumption assumption) {
  const auto found = std::ranges::find(outlook.forecasts, assumption, &Forecast::assumption);
  return found == outlook.forecasts.end() ? nullptr : &*found;
}

std::string saving_of(const Forecast* forecast) {
  if (!forecast) return "?";
  std::string text = percent(forecast->savings.flops);
  if (const auto& range = forecast->flops_range)
    text += fmt::format(" (80%: {:.1f} to {:.1f}%)", 100 * (*range)[0], 100 * (*range)[1]);
  return text;
}

std::string saving(const FullPlan& full) {
  const Outlook& outlook = full.outlook;
  if (!outlook.nothing.empty())
    return (full.plan.stages.size() > 1 ? "not known, because " : "no forecast, because ") +
           outlook.nothing.substr(0, outlook.nothing.find(kFitOwnRuns));
  const Forecast& asked = outlook.forecasts[0];
  if (full.plan.stages.size() == 1)
    return fmt::format("nothing: it is the run from scratch, to a loss of {:.4f}",
                       asked.stages.back().end.loss);
  const Forecast* measured = under(outlook, Assumption::measured);
  const Forecast* floor = under(outlook, Assumption::loss_state);
  const Forecast* ceiling = under(outlook, Assumption::mixing);
  const bool crossed = floor && ceiling && floor->savings.flops > ceiling->savings.flops;
  return fmt::format(
      "floor {}, ceiling {} of the FLOPs of a scratch run to the same loss{}; {}", saving_of(floor),
      saving_of(ceiling),
      crossed
          ? " (the floor is the higher one here, as the larger model learns more slowly at first)"
          : "",
      measured ? "by the measured rho " + saving_of(measured) : "not measured yet");
}

// Under loss-state a staged run reads more text than the run from scratch that it is compared with.
std::string scratch_tokens(const FullPlan& full) {
  if (!full.outlook.nothing.empty() || full.plan.stages.size() == 1) return "";
  return fmt::format(" (scratch {})", short_count(full.outlook.forecasts[0].scratch_tokens));
}

std::string cost(const FullPlan& full) {
  const RunPlan& plan = full.plan;
  const RunCost& run = full.cost;
  double memory = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    memory = std::max({memory, run.stages[i].measured_bytes.value_or(run.stages[i].memory.total()),
                       run.stages[i].growth_bytes});
  std::string text = fmt::format("{} FLOPs, {} tokens{}, {} memory", total_flops_text(plan),
                                 count(plan.tokens), scratch_tokens(full), short_bytes(memory));
  if (run.processes.count > 1) text += fmt::format(" in each of {} processes", run.processes.count);
  if (!run.timed) return text + "; time not known (plan --measure)";
  text += ", " + short_seconds(run.total.seconds());
  if (run.total.money > 0) text += fmt::format(", {:.2f} in money", run.total.money);
  return text;
}

// Returns the warning that applies to every forecast.
std::string standing_warning(const FullPlan& full) {
  if (!full.outlook.nothing.empty() || full.plan.stages.size() == 1) return "";
  return fmt::format(
      "{}the floor is an assumption: {}",
      full.outlook.published ? "the law was fitted to other people's runs, and " : "",
      kFloorRecord);
}

// Returns all warnings without duplicates, the most important first, that of every forecast last.
std::vector<std::string> all_warnings(const FullPlan& full, const std::vector<std::string>& more) {
  std::vector<std::string> all = full.plan.warnings;
  for (const std::vector<std::string>& list : {more, full.outlook.warnings})
    for (const std::string& line : list)
      if (std::ranges::find(all, line) == all.end()) all.push_back(line);
  if (const std::string standing = standing_warning(full); !standing.empty())
    all.push_back(standing);
  return all;
}

std::string labelled(const std::string& label, const std::string& words) {
  return stagedtrain::wrapped(fmt::format("{:<9}{}", label, words), kColumns, "         ");
}

// Returns the text in at most `lines` lines, cut after a whole word. Only names can be so long.
std::string cut(const std::string& label, std::string words, std::ptrdiff_t lines) {
  while (lines_of(labelled(label, words)) > lines)
    words = words.substr(0, words.find_last_of(' ', words.size() - 5)) + " ...";
  return labelled(label, words);
}

std::string short_name(const std::string& name) {
  return name.size() <= kLongestName ? name : name.substr(0, kLongestName - 3) + "...";
}

std::string stages_text(const FullPlan& full) {
  const RunPlan& plan = full.plan;
  const bool losses = full.outlook.nothing.empty();
  std::vector<std::vector<std::string>> rows = {
      {"stage", "model", "params", "steps", "tokens", "FLOPs", "memory", "loss at its end"}};
  const std::size_t all = plan.stages.size();
  for (std::size_t i = 0; i < all; ++i) {
    if (all > kFirstRows + kLastRows && i == kFirstRows) {
      rows.push_back(
          {fmt::format("({} more)", all - kFirstRows - kLastRows), "", "", "", "", "", "", ""});
      i = all - kLastRows;
    }
    const StagePlan& s = plan.stages[i];
    if (s.fit.steps > 0)  // its steps are none of the run's
      rows.push_back({"fit of " + short_name(s.name), "", "", fmt::format("({})", s.fit.steps),
                      count(s.fit.tokens), short_count(s.fit.flops), "", ""});
    if (s.selection.passes > 0)
      rows.push_back({"data selection", "", "", "", "", selection_flops_text(s), "", ""});
    if (const std::string start = start_flops_text(s); !start.empty())
      rows.push_back({"sensitivity pass", "", "", "", "", start, "", ""});
    rows.push_back(
        {short_name(s.name), arch::layers_by_width(s.model), count(s.params.total),
         grouped(s.steps), count(s.tokens), short_count(s.flops),
         short_bytes(
             full.cost.stages[i].measured_bytes.value_or(full.cost.stages[i].memory.total())),
         losses ? fmt::format("{:.4f}", full.outlook.forecasts[0].stages[i].end.loss) : "?"});
  }
  rows.push_back({"total", "", "", grouped(plan.total_steps), count(plan.tokens),
                  total_flops_text(plan), "", ""});
  if (losses && all > 1) {
    const Forecast& f = full.outlook.forecasts[0];
    const double flops =
        f.scratch_tokens * flops_per_token(plan.schedule, plan.stages.back().model);
    rows.push_back({"scratch", "", "", "", short_count(f.scratch_tokens), short_count(flops), "",
                    fmt::format("{:.4f}", f.stages.back().end.loss)});
  }
  return "\n" + text_table(rows, 1, "");
}

std::string basis_text(const FullPlan& full) {
  const Outlook& o = full.outlook;
  if (!o.nothing.empty()) return "";
  std::string text = "\n";
  text += labelled("law", fmt::format("{}: {}; it predicts losses {}", o.law, o.source, o.end));
  if (full.plan.stages.size() == 1) return text;
  text += labelled("floor",
                   "assumes that a grown model continues where its own curve has the same loss");
  if (!full.others.empty()) {
    std::vector<std::string> each;
    for (const FullPlan::Other& other : full.others)
      each.push_back(fmt::format("{} {}", other.law, percent(other.floor)));
    text += labelled("others", "the floor of this plan by other laws: " + join(each, ", "));
  }
  text += labelled("ceiling", "assumes that it soon catches up with a run from scratch");
  text +=
      labelled("measured",
               under(o, Assumption::measured)
                   ? "by the rho that was given, or that earlier runs showed"
                   : "only by `stagedtrain report`, once this schedule and a run from scratch have "
                     "been trained");
  text += labelled("losses", fmt::format("in the table assume {}",
                                         scaling::assumption_name(o.forecasts[0].assumption)));
  return text;
}

std::string windows_text(const FullPlan& full) {
  std::string text;
  for (const GrowthWindow& window : full.outlook.windows) text += to_text(window);
  return text.empty() ? text : "\n" + text;
}

std::string chosen_text(const RunPlan& plan) {
  std::string text = plan.chosen.empty() ? "" : "\nchosen by the planner\n";
  for (const std::string& choice : plan.chosen)
    text += "  " + stagedtrain::wrapped(choice, kColumns - 4, "  ");
  return text;
}

// Compares the cost with that of the longest scratch run, if there is no forecast of equal losses.
std::string equal_tokens_text(const FullPlan& full) {
  if (full.outlook.nothing.empty() || full.scratch.empty()) return "";
  const RunPlan& scratch = full.scratch.back();
  return "\n" +
         wrapped(fmt::format(
             "It costs {:.1f}% of {} tokens of the final model from scratch. Equal lengths are "
             "not equal losses: stagedtrain report measures what staging saves.",
             100 * full.plan.flops / scratch.flops, count(scratch.tokens)));
}

}  // namespace

std::string answer_text(const FullPlan& full, const std::vector<std::string>& more) {
  std::string text = cut("do", action(full.plan) + budget_of(full.plan), 2);
  text += labelled("saves", saving(full));
  text += labelled("costs", cost(full));
  if (full.outlook.nothing.ends_with(kFitOwnRuns)) text += labelled("next", kFitOwnRuns);
  const std::vector<std::string> warnings = all_warnings(full, more);
  if (!warnings.empty()) text += labelled("beware", warnings.front());
  return text;
}

std::string short_text(const FullPlan& full, const std::vector<std::string>& more,
                       const std::string& middle) {
  std::string text = answer_text(full, more);
  std::vector<std::string> sections = {stages_text(full),      processes_text(full.plan, full.cost),
                                       chosen_text(full.plan), middle,
                                       windows_text(full),     equal_tokens_text(full),
                                       basis_text(full)};
  const std::vector<std::string> warnings = all_warnings(full, more);
  for (std::size_t i = 1; i < warnings.size(); ++i) sections.push_back(warning_text(warnings[i]));
  for (const std::string& section : sections)
    if (lines_of(text) + lines_of(section) + lines_of(kMore) <= kMostLines) text += section;
  return text + kMore;
}

}  // namespace stagedtrain::plan
