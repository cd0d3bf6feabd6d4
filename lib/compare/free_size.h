// How much does growing save against the best model of any size, not only against the same model?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/savings.h"
#include "runlog/run_log.h"

namespace stagedtrain::report {

// A final model may be larger or smaller than optimal for its FLOPs. Growing then saves much
// against the same model from scratch, but nothing against another size. So scratch runs of other
// sizes (train --frontier) are a baseline of their own: the size that reaches the staged loss with
// the fewest FLOPs.
struct FreeSize {
  std::string size;                // the best size (arch::size_text)
  std::vector<std::string> sizes;  // the best size and those that are known to be no better
  // Sizes that could still be better: all their budgets end above the staged loss and cost less
  // than the best size needs for it, or only one of their runs has ended.
  std::vector<std::string> undecided;
  Saving saving;                // in FLOPs; low and high are indices of runs
  bool is_final_model = false;  // the best size is the final model's own
  bool paired = false;          // the error comes from differences within a seed (compare/paired.h)
};

// Returns whether `run` is a scratch run that differs from the staged one in nothing that matters
// except its model's size; architecture, vocabulary and context are the same.
bool is_other_size(const runlog::Run& run, const runlog::Run& staged);

// Compares run `staged` with `own`, the scratch runs of its own model, and with decayed scratch
// runs of other sizes; of each size with those of its own seeds, if there are two or more. Returns
// nothing if no other size was trained or if no size reaches the staged loss.
std::optional<FreeSize> compare_with_sizes(const std::vector<runlog::Run>& runs, std::size_t staged,
                                           const std::vector<std::size_t>& own);

}  // namespace stagedtrain::report
