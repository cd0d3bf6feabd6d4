// Implements `stagedtrain plan --score`: prints the stored scores, and scores the runs that are
// named.
#include "cmd/plan_score.h"

#include "cmd/output.h"
#include "outcomes/caches.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::cmd {
namespace {

// Returns the measured saving of FLOPs, if the report has one that is not extrapolated.
std::optional<plan::MeasuredSaving> saving_of(const report::Report& report, std::size_t run) {
  const report::Saving* saving = report::measured_saving(report, run);
  if (!saving || saving->reach == report::Reach::beyond) return {};
  return plan::MeasuredSaving{saving->value, saving->se};
}

}  // namespace

CLI::Option* add_score_options(CLI::App& command, ScoreArguments& arguments) {
  return command.add_flag(
      "--score", arguments.asked,
      "print how well earlier runs were predicted; runs that are named are scored too");
}

std::vector<plan::ScoredRun> scores_of(const report::Report& report) {
  std::vector<plan::ScoredRun> scores;
  for (std::size_t i = 0; i < report.runs.size(); ++i)
    if (auto score = plan::score_of(report.runs[i], saving_of(report, i)))
      scores.push_back(std::move(*score));
  return scores;
}

std::string score_result(const ScoreArguments& arguments, bool json) {
  plan::Scores scores = plan::known_scores();
  std::string without;  // the runs that cannot be scored, with the reason
  if (!arguments.runs.empty()) {
    const report::Report report =
        report::make_report(report::read_runs(arguments.runs), report::Seeds::apart);
    for (plan::ScoredRun& run : scores_of(report)) scores.put(std::move(run));
    for (const runlog::Run& run : report.runs)
      if (!run.end)
        without += wrapped(plan::one_line(run.name) + ": not scored, because it has not ended");
      else if (!run.prediction.made())
        without += wrapped(plan::one_line(
            fmt::format("{}: no prediction, because {}", run.name, run.prediction.why_not)));
  }
  return json ? json_text(plan::to_json(scores)) + "\n" : plan::to_text(scores) + without;
}

}  // namespace stagedtrain::cmd
