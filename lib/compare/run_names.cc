// Shortens the names of runs by what they have in common, folder by folder.
#include "compare/run_names.h"

#include <fmt/format.h>

#include <algorithm>

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
  for (const runlog::Run& run : runs)
    if (run.samples.empty()) names.push_back(run.name);
  const std::vector<std::string> rest = without_common_folders(names);
  std::size_t next = 0;
  for (runlog::Run& run : runs) {
    if (run.samples.empty()) run.label = rest[next++];
    if (run.label.empty() || run.label == ".") run.label = "run";
    run.label = printable(run.label);
  }
}

void name_mean(runlog::Run& run) {
  std::vector<Parts> reversed;
  for (const runlog::Sample& sample : run.samples) {
    reversed.push_back(parts_of(sample.name));
    std::ranges::reverse(reversed.back());
  }
  Parts shared(reversed.front().begin(),
               reversed.front().begin() + static_cast<std::ptrdiff_t>(common_parts(reversed)));
  std::ranges::reverse(shared);
  const std::string what = shared.empty() ? run.role : joined_from(shared, 0);
  run.label = fmt::format("{}, mean of {} seeds", what, run.samples.size());
  run.name = run.label;
}

}  // namespace stagedtrain::report
