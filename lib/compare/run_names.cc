// Shortens the names of runs by what they have in common, folder by folder.
#include "compare/run_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "compare/seeds.h"
#include "figures/table.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

using Parts = std::vector<std::string>;

Parts parts_of(const std::string& name) {
  Parts parts = split(name, '/');
  while (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  return parts;
}

// Returns how many leading parts all names share, without using up a whole name.
std::size_t common_parts(const std::vector<Parts>& all) {
  std::size_t count = 0;
  const auto shared = [&] {
    return std::ranges::all_of(all, [&](const Parts& parts) {
      return count + 1 < parts.size() && parts[count] == all.front()[count];
    });
  };
  while (shared()) ++count;
  return count;
}

std::string joined_from(const Parts& parts, std::size_t first) {
  return join(Parts(parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end()), "/");
}

}  // namespace

std::vector<std::string> without_common_folders(const std::vector<std::string>& names) {
  std::vector<Parts> all;
  for (const std::string& name : names) all.push_back(parts_of(name));
  const std::size_t skipped = all.empty() ? 0 : common_parts(all);
  std::vector<std::string> rest;
  for (const Parts& parts : all) rest.push_back(joined_from(parts, skipped));
  return rest;
}

void set_labels(std::vector<runlog::Run>& runs) {
  std::vector<std::string> names;
  for (const runlog::Run& run : runs) names.push_back(run.name);
  const std::vector<std::string> rest = without_common_folders(names);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runlog::Run& run = runs[i];
    run.label = rest[i].empty() || rest[i] == "." ? "run" : printable(rest[i]);
    if (!run.samples.empty()) run.label += ", mean of " + seeds_text(run);
  }
}

void name_mean(runlog::Run& run) {
  std::vector<Parts> forward, backward;
  for (const runlog::Sample& sample : run.samples) {
    forward.push_back(parts_of(sample.name));
    backward.emplace_back(forward.back().rbegin(), forward.back().rend());
  }
  const Parts& first = forward.front();
  const std::size_t before = common_parts(forward), after = common_parts(backward);
  Parts shared(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(before));
  // `train --seeds` has a folder seed-N for each seed. Other folders may hold several groups.
  if (after == 0 && (shared.empty() || !first[before].starts_with("seed-")))
    shared.push_back(run.role);
  shared.insert(shared.end(), first.end() - static_cast<std::ptrdiff_t>(after), first.end());
  run.name = join(shared, "/");
}

}  // namespace stagedtrain::report
