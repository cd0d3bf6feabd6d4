// Writes a report as text for a terminal.
#include <algorithm>

#include "run_report/phrases.h"
#include "run_report/report_tables.h"
#include "run_report/results.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

// Returns the table without the columns of these titles.
Table without(Table table, const std::vector<std::string>& titles) {
  for (std::size_t i = table.columns.size(); i-- > 0;) {
    if (std::ranges::find(titles, table.columns[i].title) == titles.end()) continue;
    const auto at = static_cast<std::ptrdiff_t>(i);
    table.columns.erase(table.columns.begin() + at);
    for (std::vector<std::string>& row : table.rows) row.erase(row.begin() + at);
  }
  return table;
}

// Says what predicted the losses of each staged run, and which saving it predicted.
std::string predictors_text(const Report& report) {
  std::string text;
  for (const runlog::Run& run : report.runs)
    if (!run.predicted_by.empty() && run.staged())
      text += wrapped(fmt::format("{} was predicted by {}", run.name, run.predicted_by));
  return text;
}

// Says which policies runs were trained under. FLOPs are those that were executed.
std::string policy_lines(const Report& report) {
  std::string text;
  for (const runlog::Run& run : report.runs)
    if (const std::string policies = policies_text(run); !policies.empty())
      text += wrapped(fmt::format("policies of {}: {}", run.name, policies));
  return text;
}

// Says which law predicted each run, or why there is no prediction.
std::string makers_text(const Table& predictions) {
  std::string text;
  for (const std::vector<std::string>& row : predictions.rows)
    if (!row.back().empty()) text += wrapped(fmt::format("{}: {}", row.front(), row.back()));
  return text;
}

// Makes each line safe for a terminal, because names come from logs.
std::string terminal_lines(const std::string& text) {
  std::string safe;
  for (const std::string& line : split(text, '\n')) safe += printable(line) + "\n";
  safe.pop_back();
  return safe;
}

}  // namespace

std::string to_text(const Report& report) {
  std::string text;
  for (const Comparison& comparison : report.comparisons)
    text += wrapped(verdict(report, comparison));
  if (report.comparisons.empty()) text += wrapped(empty_verdict(report));
  for (const std::string& problem : report.problems) text += wrapped(problem);
  text += "\n" + to_text(without(runs_table(report), {"kind", "tokens per parameter"}));
  text += policy_lines(report);
  for (const Table& spent : {selections_table(report), transplants_table(report)})
    if (!spent.rows.empty()) text += "\n" + spent.title + "\n" + to_text(spent);
  for (const Comparison& comparison : report.comparisons) {
    const Table savings = savings_table(report, comparison);
    if (!savings.rows.empty()) {
      if (report.comparisons.size() > 1) text += "\n" + savings.title;
      text += "\n" + to_text(savings);
    }
    if (comparison[CostKind::flops].saving)
      for (const CostResult& result : comparison.results)
        if (!result.reason.empty())
          text += wrapped(
              fmt::format("The {} is not compared: {}.", cost_name(result.kind), result.reason));
    for (const std::string& note : comparison.notes) text += wrapped(note);
  }
  if (const Table runs = run_predictions_table(report); !runs.rows.empty())
    text += "\n" + to_text(without(runs, {"by"})) + makers_text(runs);
  if (const Table predictions = predictions_table(report); !predictions.rows.empty())
    text += "\n" + to_text(without(predictions, {"predicted by", "ended early because"})) +
            predictors_text(report);
  if (const Table seeds = seeds_table(report); !seeds.rows.empty()) text += "\n" + to_text(seeds);
  return terminal_lines(text);
}

}  // namespace stagedtrain::report
