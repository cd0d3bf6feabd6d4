// Implements `stagedtrain plan --measure`: loads LibTorch, times steps, stores the measurements.
#include "cmd/plan_measure.h"

#include "cmd/engine.h"
#include "cmd/output.h"
#include "outcomes/caches.h"
#include "text/json.h"

namespace stagedtrain::cmd {

CLI::Option* add_measure_options(CLI::App& command, MeasureArguments& arguments) {
  CLI::Option* measure = command.add_flag(
      "--measure", arguments.measure,
      "time about 20 steps of every stage on this machine, and keep the numbers for later plans");
  command
      .add_option("--measurements", arguments.file,
                  "file of measured costs (default: ~/.cache/stagedtrain/measurements.json)")
      ->type_name("FILE.json");
  for (CLI::Option* option : add_device_options(command, arguments.request.device))
    option->needs(measure);
  return measure;
}

std::string measure_result(const MeasureArguments& arguments, const plan::RunPlan& plan,
                           bool json) {
  const Path file = plan::measurements_file(arguments.file);
  plan::known_measurements(arguments.file);  // reports a bad file before the work
  const std::vector<plan::Measurement> measured = engine().measure(
      plan, arguments.request,
      [](const std::string& stage) { print_to_stderr("measuring " + stage + "\n"); });
  plan::keep_measurements(arguments.file, measured);
  if (json) return json_text(plan::to_json(measured)) + "\n";
  return plan::to_text(measured) +
         fmt::format(
             "\nMedians of whole optimizer steps; memory is the highest of the process, or "
             "of the GPU.\nKept in {}; later plans use them.\n",
             file.string());
}

}  // namespace stagedtrain::cmd
