// Implements `stagedtrain plan --fit`: reads logs, fits scaling laws, writes the law file, prints.
#include "cmd/plan_fit.h"

#include "cmd/count_option.h"
#include "fit/fit_laws.h"
#include "plan_report/law_tables.h"
#include "plan_report/plan_page.h"
#include "text/json.h"

namespace stagedtrain::cmd {

CLI::Option* add_fit_options(CLI::App& command, FitArguments& arguments) {
  CLI::Option* fit =
      command
          .add_option("--fit", arguments.inputs, "fit laws to run folders, run.jsonl and CSV files")
          ->type_name("RUN|FILE.csv");
  command
      .add_option(
          "--out", arguments.out,
          "with --fit: the file to write the laws to, for --law; with --trial-steps: the folder "
          "for its files")
      ->type_name("FILE.json|DIR");
  command
      .add_option("--huber", arguments.huber,
                  "relative error beyond which a point counts less, 1e-6 to 1 (default: 1e-3; for "
                  "curves, at least twice their noise)")
      ->check(number_within(1e-6, 1))
      ->type_name("X")
      ->needs(fit);
  command
      .add_option("--drop-highest", arguments.drop_highest,
                  "leave out the N finished runs with the highest losses (default: 0)")
      ->type_name("N")
      ->needs(fit);
  return fit;
}

std::string fit_result(const FitArguments& arguments) {
  for (const std::string& file : {arguments.out, arguments.page})
    if (!file.empty()) refuse_overwrite(file, arguments.force);
  const plan::LoggedRuns logged = plan::read_curves(arguments.inputs);
  const plan::FittedLaws laws =
      plan::fit_laws(logged, {.huber = arguments.huber, .drop_highest = arguments.drop_highest});
  if (!arguments.out.empty()) plan::write_law_file(laws, arguments.out, arguments.force);
  if (!arguments.page.empty())
    write_file_atomically(arguments.page, report::fit_page(laws, logged, report::to_text(laws)),
                          arguments.force ? Replace::yes : Replace::no);
  return arguments.json ? json_text(plan::to_json(laws)) + "\n" : report::to_text(laws);
}

}  // namespace stagedtrain::cmd
