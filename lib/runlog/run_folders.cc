// Finds the logs of runs in folders, and checks run folders for missing files.
#include <algorithm>

#include "runlog/run_log.h"

namespace stagedtrain::runlog {
namespace {

constexpr int kDeepest = 4;  // depth to which subfolders are searched for runs

// Returns a path's text with its numbers zero-padded, so that budget-900 sorts before budget-1500.
std::string natural_key(const std::string& text) {
  std::string key, digits;
  const auto flush = [&] {
    if (!digits.empty())
      key += std::string(digits.size() < 20 ? 20 - digits.size() : 0, '0') + digits;
    digits.clear();
  };
  for (char c : text) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else {
      flush();
      key += c;
    }
  }
  flush();
  return key;
}

// What one argument stands for: logs, and run folders whose log is missing.
struct Found {
  std::vector<Path> logs, without_log;
};

bool is_file(const Path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

Found find_logs(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw input_error("{}: no such run folder", path.string())
        .with_hint("give the folder that train wrote (its --out)");
  if (is_file(path)) return {{path}, {}};
  Found found;
  using Folders = std::filesystem::recursive_directory_iterator;
  Folders entries(path, std::filesystem::directory_options::skip_permission_denied, error), none;
  if (error) throw input_error("{}: cannot list the folder: {}", path.string(), error.message());
  const auto look_at = [&](const Path& entry) {
    if (entry.filename() == "run.jsonl" && is_file(entry)) found.logs.push_back(entry);
    if (entry.filename() == "schedule.yaml" && !is_file(entry.parent_path() / "run.jsonl"))
      found.without_log.push_back(entry.parent_path());
  };
  for (; !error && entries != none; entries.increment(error)) {
    if (entries.depth() >= kDeepest) entries.disable_recursion_pending();
    look_at(entries->path());
  }
  std::ranges::sort(found.logs, {}, [](const Path& log) { return natural_key(log.string()); });
  const auto own = std::ranges::find(found.logs, path / "run.jsonl");
  if (own != found.logs.end()) std::rotate(found.logs.begin(), own, own + 1);
  return found;
}

Error no_log(const Path& path, const Found& found) {
  if (found.without_log.empty())
    return input_error("{}: found no run.jsonl in it or in folders in it", path.string())
        .with_hint("give the folder that train wrote (its --out)");
  return input_error("{}: run.jsonl is missing from this run folder",
                     found.without_log.front().string())
      .with_hint("report knows a run by its log alone; put run.jsonl back into the folder");
}

// Calls each(log, name) once for every log of the paths, and no_log_of(path, found) for every path.
template <class Each, class NoLog>
void for_each_log(const std::vector<std::string>& paths, Each each, NoLog no_log_of) {
  std::vector<Path> seen;
  for (const std::string& path : paths) {
    const Found found = find_logs(path);
    no_log_of(path, found);
    for (const Path& log : found.logs) {
      const Path whole = std::filesystem::weakly_canonical(log);
      if (std::ranges::find(seen, whole) != seen.end()) continue;
      seen.push_back(whole);
      each(log, log.parent_path().lexically_normal().string());
    }
  }
}

// Reports stages whose end is in the log but whose checkpoint is not in the folder, and the
// reverse. Skips logs that were copied out of their run folder.
void check_stage_files(const Run& run, std::vector<std::string>& problems) {
  if (!is_file(run.folder / "schedule.yaml")) return;
  for (const LoggedStage& stage : run.stages) {
    const auto of_stage = [&](const auto& point) { return point.stage == stage.name; };
    const bool logged = std::ranges::any_of(run.stage_ends, of_stage);
    const Path file = Path("stages") / (stage.name + ".h5");
    const bool there = is_file(run.folder / file);
    if (logged && !there)
      problems.push_back(
          fmt::format("{}: {} is missing, the checkpoint of a stage that ended; what run.jsonl "
                      "says of the stage is reported.",
                      run.name, file.string()));
    if (!logged && there)
      problems.push_back(
          fmt::format("{}: run.jsonl does not say how stage {} ended, though its checkpoint {} is "
                      "there; the log has lost lines.",
                      run.name, stage.name, file.string()));
  }
}

// Reads a log, skipping damaged lines, and reports what was skipped.
void read_past_damage(const Path& log, const std::string& name, RunLogs& logs) {
  BadLines bad;
  try {
    Run run = read_log(log, name, &bad);
    check_stage_files(run, logs.problems);
    logs.runs.push_back(std::move(run));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    logs.problems.push_back(fmt::format("{}. This run is left out.", error.what()));
    return;
  }
  if (bad.count)
    logs.problems.push_back(fmt::format("{}: {} line{} of the log {} skipped; the first: {}.", name,
                                        bad.count, bad.count == 1 ? "" : "s",
                                        bad.count == 1 ? "was" : "were", bad.first));
}

}  // namespace

std::vector<Run> read_runs(const std::vector<std::string>& paths) {
  std::vector<Run> runs;
  for_each_log(
      paths, [&](const Path& log, const std::string& name) { runs.push_back(read_log(log, name)); },
      [](const Path& path, const Found& found) {
        if (found.logs.empty()) throw no_log(path, found);
      });
  return runs;
}

RunLogs read_what_is_there(const std::vector<std::string>& paths) {
  RunLogs logs;
  for_each_log(
      paths, [&](const Path& log, const std::string& name) { read_past_damage(log, name, logs); },
      [&](const Path& path, const Found& found) {
        if (found.logs.empty() && found.without_log.empty()) throw no_log(path, found);
        for (const Path& folder : found.without_log)
          logs.problems.push_back(
              fmt::format("{}: run.jsonl is missing from this run folder. This run is left out.",
                          folder.string()));
      });
  if (logs.runs.empty() && !logs.problems.empty())
    throw input_error("{}", logs.problems.front())
        .with_hint("report knows a run by its log, run.jsonl in the folder that train wrote");
  return logs;
}

}  // namespace stagedtrain::runlog
