// `stagedtrain plan --score`: prints the stored scores, and scores the runs that are named.
#include "cmd/plan_score.h"

#include "cmd/output.h"
#include "outcomes/caches.h"

namespace stagedtrain::cmd {
namespace {

// Returns the measured saving of FLOPs, if the report has one that is not extrapolated.
std::optional<plan::MeasuredSaving> saving_of(const report::Report& report, std::size_t run) {
  for (const report::Comparison& comparison : report.comparisons) {
    const auto& saving = comparison[report::Measure::flops].saving;
    if (comparison.staged == run && saving && saving->reach != report::Reach::beyond)
      return plan::MeasuredSaving{saving->value, saving->se};
  }
  return {};
}

}  // namespace

CLI::Option* add_score_options(CLI::App& command, ScoreArguments& arguments) {
  CLI::Option* score =
      command
          .add_option("--score", arguments.runs,
                      "print how well earlier runs were predicted, and these runs too")
          ->type_name("[RUN...]")
          ->expected(0, CLI::detail::expected_max_vector_size);
  arguments.option = score;
  return score;
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
  std::vector<std::string> runs = arguments.runs;
  std::erase(runs, "");  // CLI11 passes one empty string if no run is given
  std::string without;   // the runs that cannot be scored, with the reason
  if (!runs.empty()) {
    const report::Report report =
        report::make_report(report::read_runs(runs), report::Seeds::apart);
    for (plan::ScoredRun& run : scores_of(report)) scores.put(std::move(run));
    for (const runlog::Run& run : report.runs)
      if (!run.end)
        without += fmt::format("{}: not scored, because it has not ended\n", run.name);
      else if (!run.prediction.made())
        without += fmt::format("{}: no prediction, because {}\n", run.name, run.prediction.why_not);
  }
  return json ? json_text(plan::to_json(scores)) + "\n" : plan::to_text(scores) + without;
}

}  // namespace stagedtrain::cmd
