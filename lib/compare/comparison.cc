// Pairs each staged run with the scratch runs that it may be compared with, and computes the
// savings.
#include "compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/fairness.h"
#include "compare/paired.h"
#include "compare/run_names.h"
#include "compare/seeds.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

std::string named(const Run& run) { return "the scratch run " + run.label; }

// Returns why this scratch run may not be compared with the staged one, or "".
std::string mismatch(const Run& staged, const Run& scratch) {
  if (const auto found = differences(scratch, staged); !found.empty())
    return fmt::format("{} differs from the staged run: {}.", named(scratch), join(found, "; "));
  if (!scratch.from.empty())
    return fmt::format("{} did not start from fresh weights but from {}.", named(scratch),
                       scratch.from);
  if (const std::string why = scratch.why_not_comparable(); !why.empty())
    return fmt::format("{} {}. It is drawn, not compared.", named(scratch), why);
  return "";
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// Returns the scratch runs to compare with, and notes which ones were left out.
std::vector<std::size_t> partners(const std::vector<Run>& runs, const Run& staged,
                                  std::vector<std::string>& notes) {
  std::vector<std::size_t> found;
  std::string unknown;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].staged()) continue;
    if (is_other_size(runs[i], staged)) {
      if (const std::string why = runs[i].why_not_comparable(); !why.empty())
        notes.push_back(
            capital(fmt::format("{} {}. Its size is compared without it.", named(runs[i]), why)));
    } else if (std::string why = mismatch(staged, runs[i]); !why.empty()) {
      notes.push_back("Not compared: " + why);
    } else {
      found.push_back(i);
      if (const std::string what = unchecked(runs[i], staged); !what.empty()) unknown = what;
    }
  }
  if (!unknown.empty())
    notes.push_back(fmt::format(
        "Not every log records {}: whether the runs agree in this was not checked.", unknown));
  const std::vector<std::size_t> ends = prefer_seeds_of(staged, runs, found);
  if (ends.size() < found.size())
    notes.push_back("Paired by seed: scratch runs of other seeds are drawn, not compared.");
  return ends;
}

// Returns why the wall-clock times of these runs are not comparable, or "".
std::string other_machine(const std::vector<Run>& runs, const Run& staged,
                          const std::vector<std::size_t>& ends) {
  if (staged.moved)
    return "the staged run was trained on more than one device or number of threads";
  for (std::size_t i : ends) {
    if (runs[i].moved)
      return fmt::format("{} was trained on more than one device or number of threads",
                         named(runs[i]));
    if (runs[i].device != staged.device || runs[i].threads != staged.threads ||
        runs[i].hardware != staged.hardware)
      return fmt::format("{} ran on another device or number of threads", named(runs[i]));
  }
  return "";
}

std::string why_nothing(const Run& staged, std::size_t num_ends, std::size_t num_left) {
  if (const std::string why = staged.why_not_comparable(); !why.empty())
    return "the staged run " + why;
  if (num_left >= 2) return "the log tells no cost";
  if (num_ends < 2)
    return fmt::format("{} scratch run to compare with ended fully decayed, two are needed",
                       num_ends == 0 ? "no" : "only one");
  return "the loss of the scratch runs does not fall with their budget";
}

CostResult compare_in(CostKind kind, const std::vector<Run>& runs, const Comparison& comparison) {
  CostResult result{.kind = kind};
  const Run& staged = runs[comparison.staged];
  const std::vector<DecayedEnd> ends = decayed_ends(runs, comparison.ends, kind);
  if (kind == CostKind::seconds) result.reason = other_machine(runs, staged, comparison.ends);
  if (staged.comparable() && result.reason.empty()) {
    result.saving = saving(decayed_end(staged, kind), ends);
    result.gap = loss_gap(decayed_end(staged, kind), ends);
  }
  if (!result.saving && result.reason.empty())
    result.reason = why_nothing(staged, ends.size(), frontier(ends).size());
  const auto to_run = [&](auto& part) {
    if (!part) return;
    part->low = comparison.ends[part->low];
    part->high = comparison.ends[part->high];
  };
  to_run(result.saving);
  to_run(result.gap);
  return result;
}

// Returns the ends that are not on the frontier in FLOPs, because another end is better.
std::vector<std::size_t> dominated_ends(const std::vector<Run>& runs,
                                        const std::vector<std::size_t>& all) {
  const std::vector<std::size_t> line = frontier(decayed_ends(runs, all, CostKind::flops));
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (std::ranges::find(line, i) == line.end()) rest.push_back(all[i]);
  return rest;
}

Comparison compare(const std::vector<Run>& runs, std::size_t staged) {
  Comparison comparison{.staged = staged};
  comparison.ends = partners(runs, runs[staged], comparison.notes);
  std::ranges::stable_sort(comparison.ends, {},
                           [&](std::size_t i) { return runs[i].end->at.flops; });
  comparison.dominated = dominated_ends(runs, comparison.ends);
  for (std::size_t i : comparison.dominated)
    comparison.notes.push_back(capital(fmt::format(
        "{} is set aside: another scratch run that cost no more reached a loss as low or lower.",
        named(runs[i]))));
  for (CostKind kind : kCostKinds)
    comparison.results[static_cast<std::size_t>(kind)] = compare_in(kind, runs, comparison);
  comparison.free_size = compare_with_sizes(runs, staged, comparison.ends);
  return comparison;
}

}  // namespace

double cost(const Place& at, CostKind kind) {
  return kind == CostKind::flops ? at.flops : kind == CostKind::tokens ? at.tokens : at.seconds;
}

const char* cost_name(CostKind kind) {
  return kind == CostKind::flops    ? "FLOPs"
         : kind == CostKind::tokens ? "tokens"
                                    : "wall-clock time";
}

const char* cost_key(CostKind kind) {
  return kind == CostKind::flops ? "flops" : kind == CostKind::tokens ? "tokens" : "seconds";
}

DecayedEnd decayed_end(const Run& run, CostKind kind) {
  return {cost(run.end->at, kind), run.end->loss, run.end->se};
}

std::vector<DecayedEnd> decayed_ends(const std::vector<Run>& runs,
                                     const std::vector<std::size_t>& indices, CostKind kind) {
  std::vector<DecayedEnd> ends;
  for (const std::size_t i : indices) ends.push_back(decayed_end(runs[i], kind));
  return ends;
}

Report make_report(std::vector<Run> runs, Seeds seeds) {
  Report report;
  report.runs = seeds == Seeds::averaged ? mean_over_seeds(runs) : runs;
  const bool has_means = report.runs.size() < runs.size();
  set_labels(report.runs);
  for (std::size_t i = 0; i < report.runs.size(); ++i)
    if (report.runs[i].staged()) report.comparisons.push_back(compare(report.runs, i));
  if (has_means) pair_by_seed(report, make_report(std::move(runs), Seeds::apart));
  for (Comparison& one : report.comparisons)
    if (!one[CostKind::flops].paired &&
        !have_seeds_of(report.runs[one.staged], report.runs, one.ends))
      one.notes.push_back("The scratch runs have other seeds than the staged run.");
  return report;
}

const Saving* measured_saving(const Report& report, std::size_t run) {
  const auto found = std::ranges::find(report.comparisons, run, &Comparison::staged);
  if (found == report.comparisons.end()) return nullptr;
  const std::optional<Saving>& saving = (*found)[CostKind::flops].saving;
  return saving ? &*saving : nullptr;
}

}  // namespace stagedtrain::report
