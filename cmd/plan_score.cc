// `stagedtrain plan --score`: the history of scores, and runs that are scored on the way.
#include "cmd/plan_score.h"

#include "cmd/output.h"
#include "plan/caches.h"

namespace stagedtrain::cmd {
namespace {

// The saving of FLOPs that was measured, where there is one.
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
                      "print how well earlier runs were foretold, and these runs too")
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
  std::erase(runs, "");  // what the parser gives for no run at all
  if (!runs.empty())
    for (plan::ScoredRun& run :
         scores_of(report::make_report(report::read_runs(runs), report::Seeds::apart)))
      scores.put(std::move(run));
  return json ? json_text(plan::to_json(scores)) + "\n" : plan::to_text(scores);
}

}  // namespace stagedtrain::cmd
