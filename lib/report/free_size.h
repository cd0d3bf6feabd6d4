// The second meaning of a saving: against the best model of any size, not the same one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/savings.h"
#include "runlog/run_log.h"

namespace stagedtrain::report {

// A final model may be larger or smaller than its FLOPs are best spent on. Growing then saves much
// against the same model from scratch, and nothing against another size. So scratch runs of other
// sizes (train --frontier) are a baseline of their own: of all sizes, the one that comes to the
// staged loss with the fewest FLOPs.
struct FreeSize {
  std::string size;                // the best one (arch::size_text)
  std::vector<std::string> sizes;  // those that were tried, the final model's among them
  // Those of which it is not known, since all their budgets end above the staged loss and cost less
  // than what the best one needs for it, or only one ended.
  std::vector<std::string> undecided;
  Saving saving;                // of FLOPs; low and high are indices of runs
  bool is_final_model = false;  // the best size is the final model's own
};

// Whether this is a decayed scratch run that differs from the staged one in nothing that matters
// but the size of its final model: architecture, vocabulary and context are the same.
bool is_other_size(const runlog::Run& run, const runlog::Run& staged);

// Compares run `staged` with the scratch ends `own` of its own model and with decayed scratch ends
// of other sizes. Nothing where no other size was trained, or none comes to the staged loss.
std::optional<FreeSize> compare_with_sizes(const std::vector<runlog::Run>& runs, std::size_t staged,
                                           const std::vector<std::size_t>& own);

}  // namespace stagedtrain::report
