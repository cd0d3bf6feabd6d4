// Fills the table of whole runs: what was predicted before the first step, beside what was
// measured.
#include <algorithm>
#include <cmath>

#include "run_report/phrases.h"
#include "run_report/report_tables.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

using runlog::PredictedNumber, runlog::Prediction;
constexpr const char* kNone = "";

std::string nats(double value) { return decimal_text(value, 4); }
std::string share(double value) {
  return std::isfinite(value) ? fmt::format("{:.1f}%", 100 * value) : "n/a";
}

struct Line {
  const char* what;
  std::string (*text)(double);
  PredictedNumber predicted;
  double measured;
};

std::vector<std::string> row_of(const std::string& run, const Line& line, const std::string& note) {
  const bool ranged = line.predicted.high > line.predicted.low;
  return {run,
          line.what,
          line.text(line.predicted.value),
          ranged ? line.text(line.predicted.low) + " to " + line.text(line.predicted.high) : kNone,
          line.text(line.measured),
          note};
}

std::string maker(const Prediction& p) {
  if (!p.made()) return "no prediction, because " + p.why_not;
  return p.assumption.empty() ? "the law " + p.law
                              : fmt::format("the law {}, {}", p.law, p.assumption);
}

void add_run(const Report& report, std::size_t index, Table& table) {
  const Run& run = report.runs[index];
  const Prediction& p = run.prediction;
  const std::string name = run.label.empty() ? run.name : run.label;
  const double loss = run.end ? run.end->loss : kUnknown;
  const double seconds = run.end ? run.end->at.seconds : kUnknown;
  table.rows.push_back(row_of(name, {"validation loss", nats, p.loss, loss}, maker(p)));
  if (run.staged()) {
    const Saving* saving = measured_saving(report, index);
    table.rows.push_back(
        row_of("", {"saving of FLOPs", share, p.saving, saving ? saving->value : kUnknown}, kNone));
  }
  if (std::isfinite(p.seconds.value))
    table.rows.push_back(row_of("", {"training time", seconds_text, p.seconds, seconds}, kNone));
}

}  // namespace

Table run_predictions_table(const Report& report) {
  Table table{.title = "Predicted and measured, whole runs",
              .columns = {{"run"},
                          {"what"},
                          {"predicted", true},
                          {"80%", true},
                          {"measured", true},
                          {"by", false, true}}};
  for (std::size_t i = 0; i < report.runs.size(); ++i)
    if (report.runs[i].staged() || report.runs[i].prediction.made()) add_run(report, i, table);
  return table;
}

}  // namespace stagedtrain::report
