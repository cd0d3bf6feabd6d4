// Selects training windows as a function of the state alone, so a run that was stopped and resumed
// selects the same ones.
#include "train/selecting.h"

#include <chrono>
#include <cstring>

#include "base/rng.h"
#include "base/stopwatch.h"
#include "data/selected_windows.h"
#include "eval/window_gains.h"
#include "policies/window_selection.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

std::vector<float> gains_of(const state::WindowSelection& selection) {
  std::vector<float> gains(static_cast<std::size_t>(selection.windows()));
  std::memcpy(gains.data(), selection.gains.data(), selection.gains.size());
  return gains;
}

plan::SelectionPlace place_of(const state::DataPosition& data) {
  if (!data.selection) return {};
  return {data.selection->context, data.selection->features_step, data.selection->step};
}

// Computes the gains of all windows, and returns what that cost.
plan::SelectionCost find_gains(RunContext& run, DeviceState& live,
                               state::WindowSelection& selection) {
  const schedule::Schedule& s = run.plan.schedule;
  const schedule::SelectSpec& select = *s.data.select;
  const arch::ModelConfig& model = live.header.model;
  const data::CandidateWindows windows(run.data.train, model.context, model.vocab,
                                       live.header.data.seed);
  const CounterRng keys(live.header.data.seed, hash_name("window partitions"));
  const data::WindowPartitions partitions(
      windows.count(), select.partition,
      keys.bits(static_cast<std::uint64_t>(live.header.progress.step)));
  // The number of rows does not depend on the ranks, because bits may depend on it.
  const std::int64_t rows = s.batch.micro ? s.batch.micro : s.batch.sequences;
  const std::vector<float> gains = eval::window_gains(
      *live.model, {windows, partitions, plan::feature_layers(select, model.layers), rows},
      {run.ranks.rank(), run.ranks.size(),
       [&run](std::vector<double>& values) { run.ranks.sum(values); }});
  selection.context = model.context;
  selection.features_step = live.header.progress.step;
  selection.gains.assign(reinterpret_cast<const char*>(gains.data()), 4 * gains.size());
  return plan::selection_pass(select, model, windows.count());
}

void log_selection(RunContext& run, const state::StateHeader& header,
                   const plan::SelectionCost& cost, double seconds) {
  const state::WindowSelection& selection = *header.data.selection;
  const std::int64_t chosen =
      data::subset_size(selection.windows(), run.plan.schedule.data.select->share);
  Json event = place_event("select", header.progress);
  event.update({{"windows", selection.windows()},
                {"selected", chosen},
                {"select_passes", cost.passes},
                {"select_flops", cost.flops},
                {"select_seconds", seconds}});
  run.log.write(event);
  run.line.print(
      fmt::format("{} step {}: trains on {} of {} windows; choosing them took {} FLOPs, {}",
                  header.progress.stage, grouped(header.progress.stage_step), grouped(chosen),
                  grouped(selection.windows()), short_count(cost.flops), short_seconds(seconds)));
}

}  // namespace

data::BatchStream training_stream(const RunContext& run, const state::DataPosition& data,
                                  const arch::ModelConfig& model) {
  const data::Cursor cursor{data.seed, data.index};
  const schedule::SelectSpec* select = plan::selection_of(run.plan.schedule);
  data::BatchStream all(run.data.train, model.context, model.vocab, cursor);
  if (!select || !data.selection || data.selection->context != model.context) return all;
  const state::WindowSelection& selection = *data.selection;
  if (selection.windows() != all.windows_per_epoch())
    throw input_error("the state has chosen among {} windows, but {} has {}",
                      grouped(selection.windows()), run.data.train->path().string(),
                      grouped(all.windows_per_epoch()));
  const std::int64_t count = data::subset_size(selection.windows(), select->share);
  return {run.data.train,
          model.context,
          model.vocab,
          cursor,
          {data::draw_windows(gains_of(selection), count, data.seed, selection.generation),
           selection.first_index, selection.generation}};
}

bool select_windows(RunContext& run, DeviceState& live) {
  const schedule::SelectSpec* select = plan::selection_of(run.plan.schedule);
  state::DataPosition& data = live.header.data;
  state::Progress& progress = live.header.progress;
  const std::int64_t context = live.header.model.context;
  if (!select || !plan::subset_is_due(*select, place_of(data), progress.step, context))
    return false;
  run.ranks.set_phase(fmt::format("choosing data before step {} of stage {}", progress.stage_step + 1,
                               progress.stage));
  const auto start = std::chrono::steady_clock::now();
  state::WindowSelection selection = data.selection.value_or(state::WindowSelection{});
  plan::SelectionCost cost;
  if (plan::features_are_due(*select, place_of(data), progress.step, context))
    cost = find_gains(run, live, selection);
  if (data.selection) ++selection.generation;
  selection.step = progress.step;
  selection.first_index = data.index;
  data.selection = std::move(selection);
  const double seconds = run.ranks.from_first(seconds_since(start));
  progress.flops += cost.flops;
  progress.seconds += seconds;
  if (run.ranks.first()) log_selection(run, live.header, cost, seconds);
  return true;
}

}  // namespace stagedtrain::train
