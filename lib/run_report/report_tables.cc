// Fills the report's tables from its runs.
#include "run_report/report_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "compare/run_names.h"
#include "run_report/phrases.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

std::string cost_text(double value, CostKind kind) {
  return kind == CostKind::seconds ? seconds_text(value)
         : kind == CostKind::flops ? flops_text(value)
                                   : count_text(value);
}

std::string saving_cell(const CostResult& result) {
  if (!result.saving) return "n/a";
  const Saving& saving = *result.saving;
  if (saving.reach == Reach::beyond) {
    if (saving.at_least) return "at least " + percent_text(*saving.at_least, kUnknown);
    return "at most " + percent_text(saving.at_most.value_or(kUnknown), kUnknown);
  }
  const std::string text = percent_text(saving.value, saving.se);
  return saving.reach == Reach::inside ? text : text + ", extrapolated";
}

std::string gap_cell(const CostResult& result) {
  if (!result.gap || result.gap->reach == Reach::beyond) return "n/a";
  const std::string text = loss_text(result.gap->value, result.gap->se);
  return result.gap->reach == Reach::inside ? text : text + ", extrapolated";
}

// Returns, for instance, "decayed", "not decayed" or "not ended: step 1,860 of 3,000".
std::string state_of(const Run& run) {
  if (run.end && !std::isfinite(run.end->loss)) return "ended without a loss";
  if (run.end) return run.comparable() ? "decayed" : "not decayed";
  std::string text = "not ended: step " + whole_text(run.last().step);
  if (run.total_steps) text += " of " + whole_text(*run.total_steps);
  return text;
}

// Returns the loss at the run's end, or the last one that was logged.
Evaluation last_loss(const Run& run) {
  if (run.end) return {.at = run.end->at, .loss = run.end->loss, .se = run.end->se};
  return run.evaluations.empty() ? Evaluation{} : run.evaluations.back();
}

std::string model_text(const arch::ModelConfig& model) {
  return fmt::format("{} layers × {}", model.layers, model.width);
}

StageTotals between(const Place& from, const Place& to) {
  return {.steps = to.step - from.step,
          .tokens = to.tokens - from.tokens,
          .flops = to.flops - from.flops,
          .seconds = to.seconds - from.seconds};
}

// Returns where the stage stopped and its loss there; nothing if no line of the log is from the
// stage.
std::optional<Evaluation> stage_end(const Run& run, const std::string& stage, bool last) {
  const auto of_stage = [&](const auto& point) { return point.stage == stage; };
  if (auto found = std::ranges::find_if(run.stage_ends, of_stage); found != run.stage_ends.end())
    return *found;
  if (last && run.end) return last_loss(run);
  Evaluation here;
  for (const Evaluation& point : run.evaluations)
    if (of_stage(point)) here = point;
  for (const StepPoint& point : run.steps)
    if (of_stage(point) && !(point.at.step <= here.at.step)) here.at = point.at;
  if (std::isnan(here.at.step)) return {};
  return here;
}

std::string run_prefix(const Report& report, const Run& run) {
  const auto staged = std::ranges::count_if(report.runs, &Run::staged);
  return staged == 1 && run.staged() ? "" : run.label + ": ";
}

}  // namespace

std::vector<StageTotals> stage_totals(const Run& run) {
  std::vector<StageTotals> costs;
  Place begin{0, 0, 0, 0};
  for (const LoggedStage& stage : run.stages) {
    const auto end = stage_end(run, stage.name, &stage == &run.stages.back());
    costs.push_back(end ? between(begin, end->at) : StageTotals{});
    if (!end) continue;
    costs.back().loss = end->loss;
    costs.back().se = end->se;
    costs.back().ended = std::ranges::any_of(
        run.stage_ends, [&](const Evaluation& other) { return other.stage == stage.name; });
    begin = end->at;
  }
  return costs;
}

Table savings_table(const Report& report, const Comparison& comparison) {
  Table table{.title = "What staging saved",
              .columns = {{"measured in"},
                          {"staged run", true},
                          {"scratch, same loss", true},
                          {"saved at the same loss", true},
                          {"loss lower at the same cost", true}}};
  if (report.comparisons.size() > 1) table.title += ": " + report.runs[comparison.staged].label;
  const Run& staged = report.runs[comparison.staged];
  if (!staged.end || comparison.ends.empty()) return table;
  for (const CostResult& result : comparison.results) {
    const double scratch = result.saving ? result.saving->scratch_cost : kUnknown;
    table.rows.push_back({cost_name(result.kind),
                          cost_text(cost(staged.end->at, result.kind), result.kind),
                          cost_text(scratch, result.kind), saving_cell(result), gap_cell(result)});
  }
  return table;
}

Table runs_table(const Report& report) {
  Table table{.title = "Runs",
              .columns = {{"run"},
                          {"kind"},
                          {"steps", true},
                          {"tokens", true},
                          {"tokens per parameter", true},
                          {"compute", true},
                          {"training time", true},
                          {"validation loss", true},
                          {"end"}}};
  for (const Run& run : report.runs) {
    const Place at = run.last();
    const Evaluation loss = last_loss(run);
    table.rows.push_back({run.label, run.role, whole_text(at.step), count_text(at.tokens),
                          tokens_per_parameter(run), flops_text(at.flops), seconds_text(at.seconds),
                          loss_text(loss.loss, loss.se), state_of(run)});
  }
  return table;
}

Table stages_table(const Report& report) {
  Table table{.title = "Stages",
              .columns = {{"stage"},
                          {"model"},
                          {"parameters", true},
                          {"compute per token", true},
                          {"executed per token", true},
                          {"steps", true},
                          {"tokens", true},
                          {"compute", true},
                          {"training time", true},
                          {"validation loss at its end", true}}};
  const bool all = report.comparisons.empty();
  for (const Run& run : report.runs) {
    if (!all && !run.staged()) continue;
    const std::vector<StageTotals> costs = stage_totals(run);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const LoggedStage& stage = run.stages[i];
      const StageTotals& cost = costs[i];
      table.rows.push_back({run_prefix(report, run) + stage.name, model_text(stage.model),
                            whole_text(stage.params), flops_text(stage.flops_per_token),
                            flops_text(cost.flops / cost.tokens), whole_text(cost.steps),
                            count_text(cost.tokens), flops_text(cost.flops),
                            seconds_text(cost.seconds), loss_text(cost.loss, cost.se)});
    }
  }
  return table;
}

Table seeds_table(const Report& report) {
  Table table{.title = "Seeds",
              .columns = {{"mean"}, {"run"}, {"seed", true}, {"validation loss", true}}};
  std::vector<std::string> names;
  for (const Run& run : report.runs)
    for (const runlog::Sample& sample : run.samples) {
      names.push_back(sample.name);
      table.rows.push_back({run.label, "", whole_text(sample.seed), decimal_text(sample.loss, 4)});
    }
  names = without_common_folders(names);
  for (std::size_t i = 0; i < names.size(); ++i) table.rows[i][1] = names[i];
  return table;
}

Table predictions_table(const Report& report) {
  Table table{.title = "Predicted and measured",
              .columns = {{"stage"},
                          {"predicted loss", true},
                          {"measured", true},
                          {"measured - predicted", true},
                          {"predicted by", false, true},
                          {"ended early because", false, true}}};
  for (const Run& run : report.runs) {
    const std::vector<StageTotals> costs = stage_totals(run);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const LoggedStage& stage = run.stages[i];
      const auto early = std::ranges::find(run.endings, stage.name, &runlog::Ending::stage);
      const bool predicted = std::isfinite(stage.predicted_loss);
      if (!predicted && early == run.endings.end()) continue;
      const double measured = costs[i].ended ? costs[i].loss : kUnknown;
      table.rows.push_back(
          {run_prefix(report, run) + stage.name, decimal_text(stage.predicted_loss, 4),
           decimal_text(measured, 4), decimal_text(measured - stage.predicted_loss, 4),
           predicted ? run.predicted_by : "", early == run.endings.end() ? "" : early->why});
    }
  }
  return table;
}

// Describes the fit of the maps before a growth; "" if it had none.
static std::string fit_cell(const Run& run, const LoggedGrowth& growth) {
  const auto fit = std::ranges::find(run.fits, growth.stage, &runlog::Fit::stage);
  if (fit == run.fits.end()) return "";
  return fmt::format("{} steps, {} tokens, {}, {}: loss {} to {}", whole_text(fit->steps),
                     count_text(fit->tokens), flops_text(fit->flops), seconds_text(fit->seconds),
                     decimal_text(fit->loss_before, 4), decimal_text(fit->loss_after, 4));
}

Table generated_table(const Report& report) {
  Table table{.title = "The last text sampled in each stage",
              .columns = {{"stage"},
                          {"at step", true},
                          {"prompt", false, true},
                          {"what the model wrote after it", false, true}}};
  for (const Run& run : report.runs) {
    std::map<std::string, double> newest;  // the last step that has text, by stage
    for (const runlog::GeneratedText& text : run.generated)
      newest[text.stage] = std::max(newest[text.stage], text.at.step);
    for (const runlog::GeneratedText& text : run.generated)
      if (text.at.step == newest[text.stage])
        table.rows.push_back({run_prefix(report, run) + text.stage, whole_text(text.at.step),
                              text.prompt, text.text});
  }
  return table;
}

Table selections_table(const Report& report) {
  Table table{.title = "Data selection, counted in all costs",
              .columns = {{"run"},
                          {"windows", true},
                          {"in a subset", true},
                          {"subsets", true},
                          {"passes over all windows", true},
                          {"compute", true},
                          {"of the run's", true},
                          {"time", true}}};
  for (const Run& run : report.runs) {
    if (run.selections.empty()) continue;
    double passes = 0, flops = 0, seconds = 0;
    for (const runlog::Selection& selection : run.selections) {
      passes += selection.passes;
      flops += selection.flops;
      seconds += selection.seconds;
    }
    const runlog::Selection& last = run.selections.back();
    table.rows.push_back({run.label, whole_text(last.windows), whole_text(last.selected),
                          whole_text(static_cast<double>(run.selections.size())),
                          whole_text(passes), flops_text(flops),
                          decimal_text(100 * flops / run.last().flops, 1) + "%",
                          seconds_text(seconds)});
  }
  return table;
}

Table transplants_table(const Report& report) {
  Table table{.title = "Adapters that begin from a larger model, counted in all costs",
              .columns = {{"stage"},
                          {"from", false, true},
                          {"sequences", true},
                          {"compute", true},
                          {"of the run's", true},
                          {"time", true}}};
  for (const Run& run : report.runs)
    for (const runlog::LoggedTransplant& one : run.transplants)
      table.rows.push_back({run_prefix(report, run) + one.stage, one.from, whole_text(one.samples),
                            flops_text(one.flops),
                            decimal_text(100 * one.flops / run.last().flops, 1) + "%",
                            seconds_text(one.seconds)});
  return table;
}

Table growths_table(const Report& report) {
  Table table{.title = "Growth",
              .columns = {{"into stage"},
                          {"change"},
                          {"operators", false, true},
                          {"at step", true},
                          {"parameters before", true},
                          {"after", true},
                          {"loss before", true},
                          {"loss after, same batch", true},
                          {"time to grow", true}}};
  const bool fits =
      std::ranges::any_of(report.runs, [](const Run& run) { return !run.fits.empty(); });
  if (fits) table.columns.push_back({"fit of its maps, counted in all costs", false, true});
  for (const Run& run : report.runs)
    for (const LoggedGrowth& growth : run.growths) {
      table.rows.push_back({run_prefix(report, run) + growth.stage, growth_change(run, growth),
                            growth.operators, whole_text(growth.at.step),
                            whole_text(growth.params_before), whole_text(growth.params_after),
                            decimal_text(growth.loss_before, 4), decimal_text(growth.loss_after, 4),
                            seconds_text(growth.seconds)});
      if (fits) table.rows.back().push_back(fit_cell(run, growth));
    }
  return table;
}

}  // namespace stagedtrain::report
