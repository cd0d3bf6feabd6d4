// Implements `stagedtrain plan --from`: reads a run folder and plans the rest of the run.
#include "cmd/plan_from.h"

#include "lengths/replan.h"
#include "lengths/resolve_files.h"
#include "outcomes/caches.h"
#include "text/json.h"

namespace stagedtrain::cmd {

std::string from_result(const FromArguments& arguments) {
  const Path folder = arguments.run, record = folder / "schedule.yaml";
  std::error_code none;
  if (!std::filesystem::exists(record, none))
    throw usage_error("--from {}: found no schedule.yaml in it", folder.string())
        .with_hint("give the folder that train wrote (its --out)");
  const schedule::Schedule schedule =
      with_plan_options(arguments.choice, schedule::load(record, arguments.edits));
  const plan::DataFacts facts = plan::resolve_files(schedule).facts;
  const plan::Replan replan =
      plan::replan(runlog::read_log(folder / "run.jsonl", folder.string()), schedule, facts,
                   plan::known_measurements(), plan::known_growths());
  if (arguments.print_schedule) return plan::resolved_yaml(plan::resolve(replan.schedule, facts));
  return arguments.json ? json_text(plan::to_json(replan)) + "\n" : plan::to_text(replan);
}

}  // namespace stagedtrain::cmd
