// Opens a run's folder, finds its checkpoints, and removes old ones.
#include "runfolder/run_folder.h"

#include <algorithm>
#include <tuple>

#include "runfolder/schedule_change.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

// Returns the step of a file that step_file() names, or nothing for any other file.
std::optional<std::int64_t> step_of(const RunFolder& folder, const Path& file) {
  const std::string name = file.filename().string();
  if (!name.starts_with("step-") || !name.ends_with(".h5")) return {};
  const std::string digits = name.substr(5, name.size() - 8);
  if (digits.empty() || digits.size() > 18 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return {};
  const std::int64_t step = std::stoll(digits);
  if (folder.step_file(step).filename() != file.filename()) return {};
  return step;
}

struct StepFile {
  std::int64_t step = 0;
  Path file;
};

// Returns the step files in increasing order of steps.
std::vector<StepFile> step_files(const RunFolder& folder) {
  std::vector<StepFile> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "checkpoints", none))
    if (const auto step = step_of(folder, entry.path()); step && entry.is_regular_file(none))
      files.push_back({*step, entry.path()});
  std::ranges::sort(files, {}, &StepFile::step);
  return files;
}

bool is_schedule(const std::string& yaml) {
  try {
    schedule::parse(yaml, "schedule.yaml");
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    return false;
  }
}

bool further(const Candidate& a, const Candidate& b) {
  const auto place = [](const Candidate& c) {
    const state::Progress& p = c.header.progress;
    return std::tuple(p.stage_index, p.step, p.stage_done);
  };
  return place(a) > place(b);
}

}  // namespace

RunFolder::RunFolder(const Path& folder, const plan::RunPlan& plan, Mode mode) : folder_(folder) {
  for (const plan::StagePlan& stage : plan.stages) stages_.push_back(stage.name);
  if (mode == Mode::attend) return;
  std::error_code none;
  if (std::filesystem::exists(folder, none) && !std::filesystem::is_directory(folder, none))
    throw usage_error("--out {}: is a file, expected a folder", folder.string());
  for (const char* part : {"checkpoints", "stages"}) make_folders(folder / part);
  lock_.emplace(folder);
  for (const char* part : {"checkpoints", "stages", "."}) remove_leftovers(folder / part);
  const Path file = folder / "schedule.yaml";
  const std::string yaml = plan::resolved_yaml(plan);
  if (std::filesystem::exists(file, none)) {
    if (mode == Mode::fresh)
      throw usage_error("--fresh: {} holds a run already", folder.string())
          .with_hint("choose another --out, or remove the folder to start again");
    const std::string before = read_text_file(file, 1 << 20);
    if (is_schedule(before)) {
      compare_schedule(plan, mode, yaml, before);
    } else {
      notes_.push_back(
          fmt::format("warning: {} cannot be read and is set aside as {}; every checkpoint records "
                      "its own schedule",
                      file.string(), set_aside(file, "damaged").filename().string()));
      write_file_atomically(file, yaml);
    }
  } else if (mode == Mode::extend) {
    throw usage_error("--extend: {} holds no run", folder.string());
  } else {
    write_file_atomically(file, yaml);
  }
}

void RunFolder::compare_schedule(const plan::RunPlan& plan, Mode mode, const std::string& yaml,
                                 const std::string& before) {
  if (mode == Mode::go_on) {
    notes_ = refuse_other_schedule(folder_, plan, yaml, before);
    return;
  }
  std::vector<Unusable> damaged;
  const Standing standing = standing_of(before, plan, candidates(damaged));
  if (mode == Mode::replan) {
    notes_ = refuse_replan(folder_, plan, yaml, before, standing);
  } else {
    notes_ = refuse_extension(folder_, yaml, before, standing, plan);
  }
  record(plan);
}

void RunFolder::record(const plan::RunPlan& plan) const {
  const Path file = folder_ / "schedule.yaml";
  const std::string yaml = plan::resolved_yaml(plan);
  if (read_text_file(file, 1 << 20) != yaml) write_file_atomically(file, yaml);
}

Path RunFolder::stage_file(const std::string& stage) const {
  return folder_ / "stages" / (stage + ".h5");
}
Path RunFolder::step_file(std::int64_t step) const {
  return folder_ / "checkpoints" / fmt::format("step-{:08}.h5", step);
}

std::vector<Candidate> RunFolder::candidates(std::vector<Unusable>& damaged) const {
  std::vector<Path> files;
  for (const StepFile& one : step_files(*this)) files.push_back(one.file);
  std::error_code none;
  for (const std::string& stage : stages_)
    if (std::filesystem::exists(stage_file(stage), none)) files.push_back(stage_file(stage));
  std::vector<Candidate> good;
  for (const Path& file : files) {
    try {
      good.push_back({file, state::CheckpointReader(file).header()});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      damaged.push_back({file, error.what()});
    }
  }
  std::ranges::stable_sort(good, further);
  return good;
}

void RunFolder::prune(std::int64_t last, const std::set<Path>& good,
                      const std::function<bool(std::int64_t)>& is_kept) const {
  const std::vector<StepFile> files = step_files(*this);
  std::int64_t kept = 0;
  std::error_code none;
  for (auto one = files.rbegin(); one != files.rend(); ++one) {
    if (kept >= last) {
      if (!is_kept(one->step)) std::filesystem::remove(one->file, none);
    } else if (good.contains(one->file)) {
      ++kept;
    }
  }
}

Path RunFolder::set_aside(const Path& file, const std::string& why) const {
  std::error_code none;
  Path name = file;
  name += "." + why;
  for (int i = 2; std::filesystem::exists(name, none); ++i) {
    name = file;
    name += fmt::format(".{}-{}", why, i);
  }
  rename_file(file, name);
  sync_folder(file.parent_path());
  return name;
}

}  // namespace stagedtrain::train
