// `stagedtrain plan --fit`: reads, fits, writes the law file, prints.
#include "cmd/plan_fit.h"

#include "plan/fit_laws.h"
#include "report/law_tables.h"

namespace stagedtrain::cmd {

std::string fit_result(const FitArguments& arguments) {
  if (!arguments.out.empty()) refuse_overwrite(arguments.out, arguments.force);
  const plan::LoggedRuns logged = plan::read_curves(arguments.inputs);
  const plan::FittedLaws laws =
      plan::fit_laws(logged, {.huber = arguments.huber, .drop_highest = arguments.drop_highest});
  if (!arguments.out.empty()) plan::write_law_file(laws, arguments.out, arguments.force);
  return arguments.json ? plan::to_json(laws).dump(2) + "\n" : report::to_text(laws);
}

}  // namespace stagedtrain::cmd
