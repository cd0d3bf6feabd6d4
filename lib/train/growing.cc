// Grows the state of a run from one stage into the next.
#include "train/growing.h"

#include <chrono>

#include "arch/cost.h"
#include "lengths/resolve_files.h"
#include "scoring/shared_evaluation.h"
#include "text/json.h"
#include "text/text.h"
#include "train/map_fit.h"

namespace stagedtrain::train {
namespace {

void enter_stage(const plan::StagePlan& stage, std::size_t index, state::Progress& progress) {
  progress.stage = stage.name;
  progress.stage_index = static_cast<std::int64_t>(index);
  progress.stage_step = 0;
  progress.stage_done = false;
  progress.loss_mean = progress.loss_var = progress.norm_mean = progress.norm_var = 0;
  progress.loss_sum = 0;
  progress.loss_steps = 0;
}

void log_growth(RunContext& run, const plan::StagePlan& stage, const state::Progress& progress,
                double before, double after, double seconds) {
  const grow::GrowthRecipe& recipe = *stage.growth;
  const auto from = arch::count_params(recipe.from).total;
  Json event = place_event("grow", progress);
  event.update({{"operators", recipe.operators()},
                {"exact", recipe.exact()},
                {"from", describe(recipe.from)},
                {"to", describe(recipe.to)},
                {"params_before", from},
                {"params_after", stage.params.total},
                {"loss_before", before},
                {"loss_after", after},
                {"grow_seconds", seconds}});
  run.log.write(event);
  run.line.print(fmt::format(
      "grown into {}: {} -> {} ({} -> {} parameters) by {}; loss on the same batch {:.6f} -> "
      "{:.6f} ({:+.1e})",
      stage.name, describe(recipe.from), describe(recipe.to), grouped(from),
      grouped(stage.params.total), recipe.asked(), before, after, after - before));
}

// Returns the stage's recipe with full paths to the states that this run has saved.
grow::GrowthRecipe recipe_in(const RunContext& run, const plan::StagePlan& stage) {
  grow::GrowthRecipe recipe = *stage.growth;
  for (grow::GrowthStep& step : recipe.steps)
    for (std::string& path : step.others)
      if (plan::in_run_folder(path)) path = (run.folder.path() / path).string();
  return recipe;
}

}  // namespace

DeviceState grow_into(RunContext& run, DeviceState from, std::size_t index) {
  const plan::StagePlan& stage = run.plan.stages[index];
  run.ranks.set_phase("growing into stage " + stage.name);
  const Path source = run.folder.stage_file(run.plan.stages[index - 1].name);
  const double before = batch_loss(run, *from.model);
  grow::GrowthRecipe recipe = recipe_in(run, stage);
  if (const std::optional<Json> fit = fit_maps(run, stage, from, recipe)) run.log.write(*fit);
  const auto start = std::chrono::steady_clock::now();
  DeviceState grown = grow_live(
      recipe, std::move(from), "stages/" + source.filename().string(),
      run.ranks.from_first(run.ranks.first() ? state::CheckpointReader(source).identity() : ""));
  run.ranks.barrier();  // a stop request waits until all ranks have the larger state
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  enter_stage(stage, index, grown.header.progress);
  log_growth(run, stage, grown.header.progress, before, batch_loss(run, *grown.model),
             seconds.count());
  return grown;
}

}  // namespace stagedtrain::train
