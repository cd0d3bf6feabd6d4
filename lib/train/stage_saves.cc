// Saves checkpoints on the way and at the end, in an order that leaves a good one at any moment.
#include "train/stage_saves.h"

#include "replicas/replicas.h"
#include "replicas/same_everywhere.h"
#include "replicas/shared_save.h"
#include "text/json.h"
#include "train/decisions.h"

namespace stagedtrain::train {

StageSaves::StageSaves(RunContext& run, const plan::StagePlan& stage, DeviceState& live,
                       OptimizerShards& shards)
    : run_(run),
      stage_(stage),
      live_(live),
      progress_(live.header.progress),
      shards_(shards),
      kept_every_(static_cast<std::int64_t>(run.plan.schedule.checkpoint.keep.every.amount)),
      saved_seconds_(progress_.seconds),
      saved_step_(progress_.step) {}

void StageSaves::prepare() {
  const bool saves = !run_.plan.checkpoint_every.only_at_ends() ||
                     run_.plan.checkpoint_seconds > 0 || kept_every_ > 0;
  const bool copies = !live_.model->shards() && !stage_.policies.adapters;
  if (saves && run_.ranks.first() && copies) saver_.prepare(live_.header);
}

void StageSaves::start_what_is_due(bool stage_is_over, bool at_once) {
  if (run_.plan.branch_step == progress_.step) start(run_.folder.branch_file());
  const double unsaved = progress_.seconds - saved_seconds_;
  const bool due =
      at_once || is_due(run_.plan.checkpoint_every, run_.plan.schedule, stage_, progress_) ||
      is_due(progress_.step, kept_every_) ||
      (run_.plan.checkpoint_seconds > 0 && unsaved >= run_.plan.checkpoint_seconds);
  if (stage_is_over || !due) return;
  check_unchanged(run_.ranks, run_.data);
  start(run_.folder.step_file(progress_.step));
  saved_step_ = progress_.step;
  written_step_ = progress_.step;
}

void StageSaves::save(const Path& file) {
  run_.ranks.set_phase(fmt::format("saving {} after step {} of stage {}", file.filename().string(),
                                   progress_.stage_step, progress_.stage));
  shards_.gather(*live_.model);
  check_replicas(run_.ranks, live_);
  if (run_.ranks.first()) {
    save_here(file);
  } else if (live_.model->shards()) {
    save_shared(file, live_, run_.ranks);
  }
  run_.ranks.barrier();
}

Path StageSaves::save_step() {
  const Path file = run_.folder.step_file(progress_.step);
  if (written_step_ != progress_.step) {
    save(file);
    return file;
  }
  log_saved(saver_.wait());
  run_.ranks.barrier();
  return file;
}

void StageSaves::save_here(const Path& file) {
  std::function<void()> write;
  if (live_.model->shards()) write = [&] { save_shared(file, live_, run_.ranks); };
  save_with([&] {
    saver_.save(
        file, live_, [this] { run_.log.sync(); }, write);
  });
  log_completed();
}

// A state with shards is not copied, since no rank has memory for it, and neither is one with
// adapters, which are no tensors of it.
void StageSaves::start(const Path& file) {
  saved_seconds_ = progress_.seconds;
  if (live_.model->shards() || live_.adapters) return save(file);
  check_replicas(run_.ranks, live_, shards_.shared());
  shards_.gather_at_first(*live_.model);
  if (!run_.ranks.first()) return;
  save_with([&] { saver_.start(file, live_, [this] { run_.log.sync(); }); });
  shards_.begin(*live_.model);
}

// The saver syncs the log first, so a checkpoint is never ahead of the log that describes it.
template <class Save>
void StageSaves::save_with(Save save) {
  run_.folder.check_lock();
  try {
    save();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged) throw;
    throw divergence(error.what());
  }
}

void StageSaves::log_saved(const std::vector<SavedCheckpoint>& saved) {
  for (const SavedCheckpoint& checkpoint : saved) {
    run_.kept.saved(checkpoint);
    Json event = place_event("checkpoint", checkpoint.progress);
    event.update({{"file", checkpoint.file.lexically_relative(run_.folder.path()).string()},
                  {"bytes", checkpoint.bytes},
                  {"stood_still_seconds", checkpoint.stood_still},
                  {"write_seconds", checkpoint.writing}});
    run_.log.write(event);
  }
}

void StageSaves::refuse_divergence(const std::string& what) {
  if (!run_.ranks.first()) throw run_.ranks.agreed(make_error(ErrorKind::diverged, "{}", what));
  throw run_.ranks.agreed(divergence(what));
}

Error StageSaves::divergence(const std::string& what) {
  log_saved(saver_.wait());
  run_.kept.came_to(
      progress_.step);  // a save that took long may be of a step before the last good one
  std::string hint;
  for (const Path& file : run_.kept.set_aside_diverged())
    hint += fmt::format("the state saved just before is kept as {}; ", file.string());
  const Path& good = run_.kept.last_good();
  return Error(ErrorKind::diverged, what,
               hint + fmt::format("nothing was saved over the last good checkpoint ({}); try a "
                                  "lower lr.peak or a longer lr.warmup in a new folder",
                                  good.empty() ? "there is none yet" : good.string()));
}

}  // namespace stagedtrain::train
