// Implements `stagedtrain report`: what runs have shown, as a page, text or JSON.
#include <memory>

#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/plan_score.h"
#include "cmd/store_outcomes.h"
#include "compare/fairness.h"
#include "run_report/page.h"
#include "run_report/results.h"
#include "runlog/branches.h"
#include "text/json.h"

namespace stagedtrain::cmd {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out;
  bool force = false, json = false, store_outcomes = false;
};

constexpr const char* kReportFooter = R"(
RUN is the folder that `stagedtrain train --out` wrote, its run.jsonl, or a folder of such folders.
Runs that are still going may be named too; the report says so.

What is compared. A staged run is compared with runs of the same final model from scratch that
decayed at two or more budgets. Only ends at which the learning rate has decayed fully are compared.
The runs must agree in data (by fingerprint), learning rate, optimizer, batch, precision, dropout
and validation tokens; a run that differs is named with what differs, drawn, and not compared. They
may differ in lengths, stages, growth, micro-batch, logging, checkpoints and machine. Runs that
differ in their seed alone are averaged.
Saving = 1 - C_staged / C_scratch(same loss), in FLOPs, tokens and seconds of training steps;
C_scratch is interpolated in log C. Losses are in nats per token on the fixed validation text, with
their standard error.

A log that is damaged is read as far as it can be; the report says what is missing.

The report also prints what each growth kept of the smaller model (rho), how long it took to mix,
and what the decay gained, from differences between the staged run and one from scratch at equal
steps; for a number that the logs do not show, it prints the reason. --store-outcomes adds these
numbers to ~/.cache/stagedtrain/growths.json for later plans; without it, report writes nothing but
the page.
rho of the growth into the last stage needs a run from scratch of the final model, and with more
than two stages one of each size between (train the size alone at the same peak rate, and name its
folder too). Where the schedule named a law (key plan), the predicted loss of each stage is printed
beside the measured one.

The page is one file that needs nothing else. Its plots are drawn with gnuplot (Debian's package
gnuplot-nox). Without --out only the table (or the JSON) is printed, and gnuplot is not needed.

Examples:
  stagedtrain report runs/demo --out report.html
  stagedtrain report runs/staged runs/scratch --out report.html --force
  stagedtrain report runs/demo --json | jq '.comparisons[0].savings.flops.saving.value')";

// Returns the scratch runs that the staged run is compared with, and runs of other sizes. `runs`
// are the report's runs with branches joined.
std::vector<const runlog::Run*> scratch_of(const report::Report& report,
                                           const report::Comparison& comparison,
                                           const std::vector<runlog::Run>& runs) {
  const runlog::Run& staged = report.runs[comparison.staged];
  std::vector<const runlog::Run*> scratch;
  for (auto end = comparison.ends.rbegin(); end != comparison.ends.rend(); ++end)
    scratch.push_back(&runs[*end]);
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (!runs[i].stages.empty() && !(runs[i].stages[0].model == staged.final_model) &&
        i != comparison.staged && report::differences(report.runs[i], staged).size() <= 1)
      scratch.push_back(&runs[i]);
  return scratch;
}

std::vector<plan::GrowthOutcome> outcomes_of(const report::Report& report) {
  std::vector<plan::GrowthOutcome> outcomes;
  const std::vector<runlog::Run> runs = runlog::joined(report.runs);
  for (const report::Comparison& comparison : report.comparisons)
    for (plan::GrowthOutcome& growth :
         plan::growths_of(runs[comparison.staged], scratch_of(report, comparison, runs)))
      outcomes.push_back(std::move(growth));
  return outcomes;
}

// Describes what the growths did, and whether later plans will use it.
std::string outcomes_text(const std::vector<plan::GrowthOutcome>& outcomes, const Path& kept_in) {
  std::string text;
  for (const std::string& line : plan::messages_of(outcomes)) text += "  " + line + "\n";
  if (text.empty())
    return kept_in.empty() ? ""
                           : "\nthese runs show no outcome of a growth, so nothing was stored\n";
  return kept_in.empty()
             ? fmt::format("\nmeasured (--store-outcomes stores this for later plans)\n{}", text)
             : fmt::format("\nmeasured, and added to {}\n{}", kept_in.string(), text);
}

// Quotes a word for a shell if needed.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+=.,:/@%") == std::string::npos;
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string command_of(const ReportArguments& arguments) {
  std::string command = "stagedtrain report";
  for (const std::string& run : arguments.runs) command += " " + shell_word(run);
  return command + " --out " + shell_word(arguments.out);
}

void run(const ReportArguments& arguments) {
  if (!arguments.out.empty()) refuse_overwrite(arguments.out, arguments.force);
  runlog::RunLogs logs = runlog::read_what_is_there(arguments.runs);
  const report::Report apart = report::make_report(logs.runs, report::Seeds::apart);
  const std::vector<plan::GrowthOutcome> outcomes = outcomes_of(apart);
  report::Report report = report::make_report(std::move(logs.runs));
  report.problems = std::move(logs.problems);
  if (!arguments.out.empty())
    report::write_page(report, arguments.out, arguments.force,
                       {command_of(arguments), plan::time_now()});
  Path kept_in;
  if (arguments.store_outcomes && store_outcomes({}, outcomes, scores_of(apart)))
    kept_in = plan::outcomes_file("");
  std::string text;
  if (arguments.json) {
    Json json = report::to_json(report);
    json["outcomes"] = plan::to_json(outcomes);
    json["outcomes_stored_in"] = kept_in.empty() ? Json(nullptr) : Json(kept_in.string());
    json["page"] = arguments.out.empty() ? Json(nullptr) : Json(arguments.out);
    text = json_text(json) + "\n";
  } else {
    text = report::to_text(report) + outcomes_text(outcomes, kept_in);
    if (!arguments.out.empty()) text += "\npage  " + arguments.out + "\n";
  }
  print(text);
}

}  // namespace

void add_report(CLI::App& app) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      app.add_subcommand("report", "Says what staged training saved, as text and as an HTML page");
  command->add_option("run", arguments->runs, "run folders, or folders of them")
      ->required()
      ->type_name("RUN");
  command->add_option("--out", arguments->out, "the HTML page to write")->type_name("FILE.html");
  command->add_flag("--force", arguments->force, "replace an existing page");
  command->add_flag("--store-outcomes", arguments->store_outcomes,
                    "add what the growths did to ~/.cache/stagedtrain for later plans");
  command->add_flag("--json", arguments->json, "print the runs and comparisons as JSON");
  command->footer(kReportFooter);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace stagedtrain::cmd
