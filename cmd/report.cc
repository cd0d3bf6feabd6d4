// `stagedtrain report`: what runs have shown, as a page, a table or JSON.
#include <cstdio>
#include <memory>

#include "cmd/commands.h"
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

The page is one file that needs nothing else. Its plots are drawn with gnuplot (Debian's package
gnuplot-nox). Without --out only the table (or the JSON) is printed, and gnuplot is not needed.

Examples:
  stagedtrain report runs/demo --out report.html
  stagedtrain report runs/staged runs/scratch --out report.html --force
  stagedtrain report runs/demo --json | jq '.comparisons[0].savings.flops.saving.value')";

void run(const ReportArguments& arguments) {
  if (!arguments.out.empty()) refuse_overwrite(arguments.out, arguments.force);
  const report::Report report = report::make_report(report::read_runs(arguments.runs));
  if (!arguments.out.empty()) report::write_page(report, arguments.out, arguments.force);
  std::string text;
  if (arguments.json) {
    Json json = report::to_json(report);
    json["page"] = arguments.out.empty() ? Json(nullptr) : Json(arguments.out);
    text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  } else {
    text = report::to_text(report);
    if (!arguments.out.empty()) text += "\npage  " + arguments.out + "\n";
  }
  std::fputs(text.c_str(), stdout);
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
