// Reads and updates the cache files. Damaged ones are reported, set aside and created again.
#include "outcomes/caches.h"

#include <set>

#include "io/terminal.h"

namespace stagedtrain::plan {
namespace {

// Warns at most once for each file.
void warn_once(const Path& path, const std::string& what) {
  static std::set<Path> warned;
  if (warned.insert(path).second) print_to_stderr("warning: " + what + "\n");
}

template <class Read>
auto read_cache(const Path& path, Read read) {
  try {
    return read(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    warn_once(path, fmt::format("{}; this cache is ignored", error.what()));
    return decltype(read(path)){};
  }
}

// Renames a damaged file to NAME.damaged, with its contents, and warns.
template <class Read>
void set_aside_if_damaged(const Path& path, Read read) {
  try {
    read(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    const Path aside = path.string() + ".damaged";
    rename_file(path, aside);
    warn_once(aside, fmt::format("{}; it was set aside as {}", error.what(), aside.string()));
  }
}

}  // namespace

Measurements known_measurements(const std::string& given) {
  const Path path = measurements_file(given);
  return given.empty() ? read_cache(path, read_measurements) : read_measurements(path);
}

GrowthOutcomes known_growths() { return read_cache(outcomes_file(""), read_outcomes); }

Scores known_scores() { return read_cache(scores_file(""), read_scores); }

PlanningLaw scored_law(const std::string& name) {
  PlanningLaw law = find_planning_law(name);
  const Scores scores = known_scores();
  law.loss_widening = scores.loss_widening();
  law.saving_widening = scores.saving_widening();
  return law;
}

void keep_measurements(const std::string& given, const std::vector<Measurement>& measured) {
  const Path path = measurements_file(given);
  if (given.empty() && !measured.empty()) set_aside_if_damaged(path, read_measurements);
  add_measurements(path, measured);
}

void keep_growths(const std::vector<GrowthOutcome>& growths) {
  const Path path = outcomes_file("");
  if (!growths.empty()) set_aside_if_damaged(path, read_outcomes);
  add_outcomes(path, growths);
}

void keep_scores(const std::vector<ScoredRun>& runs) {
  const Path path = scores_file("");
  if (!runs.empty()) set_aside_if_damaged(path, read_scores);
  add_scores(path, runs);
}

}  // namespace stagedtrain::plan
