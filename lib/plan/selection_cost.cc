// Computes the cost from the number of windows in the token file.
#include "plan/selection_cost.h"

#include "data/batch_stream.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// Their gains take 8 bytes each in the metadata of a checkpoint, which have at most 64 MiB.
constexpr std::int64_t kMostWindows = 4'000'000;

void refuse_too_many(const schedule::Schedule& s, std::int64_t windows) {
  if (windows <= kMostWindows) return;
  const Tree* data = s.source.find("data");
  const Tree* select = data ? data->find("select") : nullptr;
  throw(select ? *select : s.source)
      .error("data.select: found {} windows in data.train, expected at most {}", grouped(windows),
             grouped(kMostWindows))
      .with_hint("use a longer context or less text; checkpoints hold a number for each window");
}

}  // namespace

std::int64_t windows_of(const DataFacts& facts, std::int64_t context) {
  return facts.train_tokens ? data::windows_per_epoch(*facts.train_tokens, context) : 0;
}

void add_selection_cost(const RunPlan& plan, SelectionPlace& newest, StagePlan& stage) {
  const schedule::SelectSpec* select = selection_of(plan.schedule);
  if (!select) return;
  const std::int64_t windows = windows_of(plan.facts, stage.model.context);
  refuse_too_many(plan.schedule, windows);
  stage.selection =
      selection_cost(*select, stage.model, windows, stage.first_step, stage.steps, newest);
}

std::string selection_flops_text(const StagePlan& stage) {
  return stage.selection.windows > 0 ? short_count(stage.selection.flops) : "?";
}

}  // namespace stagedtrain::plan
