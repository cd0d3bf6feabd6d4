// Which tables does a report have? The page and the terminal show the same ones, except that
// generated text is on the page alone.
#pragma once

#include <vector>

#include "compare/comparison.h"
#include "figures/table.h"

namespace stagedtrain::report {

// What one stage of a run cost and how it ended.
struct StageTotals {
  double steps = kUnknown, tokens = kUnknown, flops = kUnknown, seconds = kUnknown;
  double loss = kUnknown, se = kUnknown;
  bool ended = false;
};
// Returns one entry per element of run.stages; all NaN for stages that have not begun.
std::vector<StageTotals> stage_totals(const Run& run);

// For each kind of cost: the cost of the staged run and of scratch at the same loss, the saving,
// and the loss gap at equal cost.
Table savings_table(const Report& report, const Comparison& comparison);
// For each run: how far it got and its final loss.
Table runs_table(const Report& report);
// Every stage of every staged run, or of every run if none is staged.
Table stages_table(const Report& report);
// The runs behind each mean over seeds; no rows if nothing was averaged.
Table seeds_table(const Report& report);
// For each stage: its final loss as the planner predicted it and as measured, and why it ended
// early. No rows if nothing was predicted and no stage ended early.
Table predictions_table(const Report& report);
// For every staged run, and for every other run that has a prediction: validation loss, saving and
// time as predicted and as measured, or why there is no prediction.
Table run_predictions_table(const Report& report);
// For each stage that sampled text: the text that its model wrote last, one row per prompt.
Table generated_table(const Report& report);
// What choosing their training data cost the runs that did; no rows if none did.
Table selections_table(const Report& report);
// What measuring a larger model, from which adapters of a stage begin, cost; no rows if none do.
Table transplants_table(const Report& report);
// For each growth: the losses on the same batch before and after it.
Table growths_table(const Report& report);

}  // namespace stagedtrain::report
