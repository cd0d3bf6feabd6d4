// The files of a probe: written once, read again when its runs have ended.
#include "cmd/plan_probe.h"

#include <algorithm>

#include "base/text.h"
#include "plan/probe.h"
#include "plan/resolve_files.h"

namespace stagedtrain::cmd {
namespace {

// This program, as a script finds it.
std::string program() {
  std::error_code none;
  const Path self = std::filesystem::read_symlink("/proc/self/exe", none);
  return none ? "stagedtrain" : self.string();
}

// Files that are there must be these; the others are written.
std::size_t write_files(const std::vector<plan::ProbeFile>& files, const Path& folder) {
  std::error_code none;
  for (const plan::ProbeFile& file : files) {
    const Path path = folder / file.name;
    if (file.name == "run.sh" || !std::filesystem::exists(path, none)) continue;
    if (read_text_file(path, 1 << 20) != file.text)
      throw usage_error("{}: is of another probe than this one", path.string())
          .with_hint("choose another --out, or remove the folder");
  }
  make_folders(folder / "runs");
  std::size_t written = 0;
  for (const plan::ProbeFile& file : files) {
    if (std::filesystem::exists(folder / file.name, none)) continue;
    write_file_atomically(folder / file.name, file.text);
    ++written;
  }
  return written;
}

std::string waiting_text(const std::vector<plan::ProbeResult>& ranking, const Path& folder,
                         std::int64_t steps) {
  const auto ended = std::ranges::count_if(
      ranking, [](const plan::ProbeResult& result) { return result.loss.has_value(); });
  return plan::to_text(ranking, steps) +
         fmt::format("\n{} of {} have ended; train them, then give this command again:\n  sh {}\n",
                     ended, ranking.size(), (folder / "run.sh").string());
}

}  // namespace

std::string probe_result(const ProbeArguments& arguments, const schedule::Schedule& schedule) {
  const plan::RunPlan plan = plan::resolve_files(schedule);
  const std::vector<plan::ProbeCandidate> candidates =
      plan::probe_candidates(plan, arguments.steps);
  const Path folder = arguments.folder;
  write_files(plan::probe_files(candidates, folder, program()), folder);
  const std::vector<plan::ProbeResult> ranking =
      plan::ranked(plan::probe_results(candidates, folder));
  const bool all = std::ranges::all_of(
      ranking, [](const plan::ProbeResult& result) { return result.loss.has_value(); });
  if (!all && arguments.print_schedule)
    throw usage_error("plan --probe: not all of its runs have ended")
        .with_hint("sh " + (folder / "run.sh").string());
  if (arguments.json && !all) return plan::to_json(ranking).dump(2) + "\n";
  if (!all) return waiting_text(ranking, folder, arguments.steps);
  const auto best =
      std::ranges::find(candidates, ranking.front().name, &plan::ProbeCandidate::name);
  const plan::RunPlan again =
      plan::resolve_files(plan::with_growth(schedule, best->schedule.stages[1].grow));
  if (arguments.print_schedule) return plan::resolved_yaml(again);
  if (arguments.json)
    return Json{{"ranking", plan::to_json(ranking)}, {"plan", plan::to_json(again)}}.dump(2) + "\n";
  return plan::to_text(ranking, arguments.steps) +
         fmt::format("\nbest: {}; planned with it:\n\n", best->growth) + plan::to_text(again);
}

}  // namespace stagedtrain::cmd
