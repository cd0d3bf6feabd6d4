// `stagedtrain report`: what runs have shown, as a page, a table or JSON.
#include <memory>

#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/teach.h"
#include "report/page.h"
#include "report/results.h"

namespace stagedtrain::cmd {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out;
  bool force = false, json = false;
};

constexpr const char* kFooter = R"(
RUN is the folder that `stagedtrain train --out` wrote, its run.jsonl, or a folder of such folders.
Runs that are still going may be named too; the report says so.

What is compared. Only ends at which the learning rate has decayed fully: a staged run against runs
of the same final model from scratch, on the same data with the same learning-rate curve, decayed at
two or more budgets. Saving = 1 - C_staged / C_scratch(same loss), in FLOPs, tokens and seconds of
training steps; C_scratch is interpolated in log C. Losses are in nats per token on the fixed
validation text, with their standard error.

What a growth kept of the smaller model (rho), how long it took to mix and what the decay gained
are printed, and kept in ~/.cache/stagedtrain for later plans. rho of the growth into the last stage
needs a run from scratch of the final model; with more than two stages also one of each size between
(train the size alone at the same peak rate, and name its folder too). Where the schedule named a law (key
plan), the loss that was predicted for each stage stands beside the measured one.

The page is one file that needs nothing else. Its plots are drawn with gnuplot (Debian's package
gnuplot-nox). Without --out only the table (or the JSON) is printed, and gnuplot is not needed.

Examples:
  stagedtrain report runs/demo --out report.html
  stagedtrain report runs/staged runs/scratch --out report.html --force
  stagedtrain report runs/demo --json | jq '.comparisons[0].savings.flops.saving.value')";

// The longest run from scratch that the staged one is compared with, and runs of other sizes.
std::vector<const runlog::Run*> scratch_of(const report::Report& report,
                                           const report::Comparison& comparison) {
  const runlog::Run& staged = report.runs[comparison.staged];
  std::vector<const runlog::Run*> scratch;
  if (!comparison.ends.empty()) scratch.push_back(&report.runs[comparison.ends.back()]);
  for (const runlog::Run& run : report.runs)
    if (!run.stages.empty() && !(run.stages[0].model == staged.final_model) && &run != &staged &&
        run.train_data == staged.train_data)
      scratch.push_back(&run);
  return scratch;
}

std::vector<plan::LearnedGrowth> learned_from(const report::Report& report) {
  std::vector<plan::LearnedGrowth> learned;
  for (const report::Comparison& comparison : report.comparisons)
    for (plan::LearnedGrowth& growth :
         plan::growths_of(report.runs[comparison.staged], scratch_of(report, comparison)))
      learned.push_back(std::move(growth));
  return learned;
}

std::string learned_text(const std::vector<plan::LearnedGrowth>& learned) {
  std::string text;
  for (const std::string& line : plan::words_of(learned)) text += "  " + line + "\n";
  return text.empty() ? "" : "\nlearnt, and kept for later plans\n" + text;
}

void run(const ReportArguments& arguments) {
  if (!arguments.out.empty()) refuse_overwrite(arguments.out, arguments.force);
  const report::Report report = report::make_report(report::read_runs(arguments.runs));
  if (!arguments.out.empty()) report::write_page(report, arguments.out, arguments.force);
  const std::vector<plan::LearnedGrowth> learned = learned_from(report);
  teach({}, learned);
  std::string text;
  if (arguments.json) {
    Json json = report::to_json(report);
    json["learned"] = plan::to_json(learned);
    json["page"] = arguments.out.empty() ? Json(nullptr) : Json(arguments.out);
    text = json_text(json) + "\n";
  } else {
    text = report::to_text(report) + learned_text(learned);
    if (!arguments.out.empty()) text += "\npage  " + arguments.out + "\n";
  }
  print(text);
}

}  // namespace

void add_report(CLI::App& app) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      app.add_subcommand("report", "Says what staged training saved, in words and as an HTML page");
  command->add_option("run", arguments->runs, "run folders, or folders of them")
      ->required()
      ->type_name("RUN");
  command->add_option("--out", arguments->out, "the HTML page to write")->type_name("FILE.html");
  command->add_flag("--force", arguments->force, "replace an existing page");
  command->add_flag("--json", arguments->json, "print the runs and comparisons as JSON");
  command->footer(kFooter);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace stagedtrain::cmd
