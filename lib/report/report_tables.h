// The report's tables, the same on the page and on the terminal.
#pragma once

#include <vector>

#include "report/comparison.h"
#include "report/table.h"

namespace stagedtrain::report {

// What one stage of a run cost by itself, and how it ended.
struct StageCost {
  double steps = kUnknown, tokens = kUnknown, flops = kUnknown, seconds = kUnknown;
  double loss = kUnknown, se = kUnknown;
  bool ended = false;
};
// One for each of run.stages; NaN throughout for those that have not begun.
std::vector<StageCost> stage_costs(const Run& run);

// Each measure: what staged and scratch cost at the same loss, the saving, the gap at equal cost.
Table savings_table(const Report& report, const Comparison& comparison);
// Every run: how far it came and the loss it ended with.
Table runs_table(const Report& report);
// Every stage of every staged run, or of every run where none is staged.
Table stages_table(const Report& report);
// The runs behind each mean over seeds; no rows where nothing was averaged.
Table seeds_table(const Report& report);
// The loss at the end of each stage as the planner predicted it and as it was measured, and why a
// stage ended early; no rows where nothing was predicted and none ended early.
Table predictions_table(const Report& report);
// Of every staged run, and of every other one that was foretold: validation loss, saving and time as
// predicted and as measured, or why there is no prediction.
Table foretold_table(const Report& report);
// Every growth, with the losses on the same batch before and after it.
Table growths_table(const Report& report);

}  // namespace stagedtrain::report
