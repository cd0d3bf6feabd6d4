// Taking up a folder, finding the newest good checkpoint, removing old ones.
#include "train/run_folder.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "schedule/schedule.h"

namespace stagedtrain::train {
namespace {

constexpr const char* kOtherFolder =
    "choose another --out, or remove the folder to start again; if only the lengths of stages "
    "differ, --replan goes on with the new ones";

void refuse_other_schedule(const Path& folder, const std::string& here, const std::string& there) {
  std::vector<std::string> different = schedule::differences(here, there);
  if (different.empty()) return;
  const std::size_t count = different.size();
  if (count > 5) different.resize(5);
  throw usage_error("{}: holds a run of another schedule (this | that): {}{}", folder.string(),
                    join(different, "; "), count > 5 ? fmt::format("; {} more", count - 5) : "")
      .with_hint(kOtherFolder);
}

// The schedule with every stage as long as any other, for comparing all else.
std::string without_lengths(const std::string& yaml) {
  schedule::Schedule schedule = schedule::parse(yaml, "schedule.yaml");
  for (schedule::StageSpec& stage : schedule.stages) {
    stage.length = {1, DurationUnit::steps};
    stage.until.reset();
  }
  return schedule::dump(schedule);
}

// The files of a folder that end in .h5, none if there is no such folder.
std::vector<Path> sorted_h5_files(const Path& folder) {
  std::vector<Path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none))
    if (entry.path().extension() == ".h5") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// What a crash left of files that were being written.
void remove_leftovers(const Path& folder) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none))
    if (entry.path().filename().string().find(".h5.tmp-") != std::string::npos)
      std::filesystem::remove(entry.path(), none);
}

struct Candidate {
  Path file;
  state::Progress progress;
};
bool further(const Candidate& a, const Candidate& b) {
  const auto place = [](const Candidate& c) {
    return std::tuple(c.progress.stage_index, c.progress.step, c.progress.stage_done);
  };
  return place(a) > place(b);
}

}  // namespace

RunFolder::RunFolder(const Path& folder, const plan::RunPlan& plan, Mode mode) : folder_(folder) {
  std::error_code none;
  if (std::filesystem::exists(folder, none) && !std::filesystem::is_directory(folder, none))
    throw usage_error("--out {}: is a file, expected a folder", folder.string());
  for (const char* part : {"checkpoints", "stages"}) make_folders(folder / part);
  lock_.emplace(folder);
  const Path record = folder / "schedule.yaml";
  const std::string yaml = plan::resolved_yaml(plan);
  if (!std::filesystem::exists(record, none)) {
    write_file_atomically(record, yaml);
    return;
  }
  if (mode == Mode::fresh)
    throw usage_error("--fresh: {} holds a run already", folder.string()).with_hint(kOtherFolder);
  const std::string before = read_text_file(record, 1 << 20);
  if (mode == Mode::replan) {
    refuse_other_schedule(folder, without_lengths(yaml), without_lengths(before));
    write_file_atomically(record, yaml);
  } else {
    refuse_other_schedule(folder, yaml, before);
  }
  for (const char* part : {"checkpoints", "stages", "."}) remove_leftovers(folder / part);
}

Path RunFolder::stage_file(const std::string& stage) const {
  return folder_ / "stages" / (stage + ".h5");
}
Path RunFolder::step_file(std::int64_t step) const {
  return folder_ / "checkpoints" / fmt::format("step-{:08}.h5", step);
}

std::vector<Path> RunFolder::candidates(std::vector<std::string>& bad) const {
  std::vector<Candidate> good;
  for (const char* part : {"checkpoints", "stages"})
    for (const Path& file : sorted_h5_files(folder_ / part)) {
      try {
        good.push_back({file, state::CheckpointReader(file).header().progress});
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::input) throw;
        bad.push_back(error.what());
      }
    }
  std::stable_sort(good.begin(), good.end(), further);
  std::vector<Path> files;
  for (const Candidate& candidate : good) files.push_back(candidate.file);
  return files;
}

void RunFolder::prune(std::int64_t keep) const {
  const std::vector<Path> files = sorted_h5_files(folder_ / "checkpoints");
  std::error_code none;
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < files.size(); ++i)
    std::filesystem::remove(files[i], none);
}

}  // namespace stagedtrain::train
