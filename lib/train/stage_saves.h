// When are the checkpoints of a stage saved, and which one is left if the training diverges?
#pragma once

#include <optional>
#include <string>

#include "optim/optimizer_shards.h"
#include "replicas/run_context.h"
#include "runfolder/checkpoint_saver.h"

namespace stagedtrain::train {

// Returns whether something that happens every so often, in steps or in tokens, is due after the
// last step of `at`.
inline bool is_due(const plan::Every& every, const schedule::Schedule& schedule,
                   const plan::StagePlan& stage, const state::Progress& at) {
  return plan::is_due(every, at.step, at.tokens,
                      plan::tokens_at(schedule, stage.model, at.step - 1));
}

// Saves the state of one stage, and logs each file once it is complete. Calls are collective.
class StageSaves {
 public:
  // The arguments must outlive this object.
  StageSaves(RunContext& run, const plan::StagePlan& stage, DeviceState& live,
             OptimizerShards& shards);

  // Allocates memory for copies of the state, if a save is due before the stage's end.
  void prepare();
  void log_completed() { log_saved(saver_.completed()); }
  // Starts the saves that are due after this step. Training goes on once the state is copied.
  // at_once: a checkpoint is due whatever the schedule says.
  void start_what_is_due(bool stage_is_over, bool at_once);
  // Whether the state of this very step was saved, or is the one that the run resumed from.
  bool has_saved_this_step() const { return saved_step_ == progress_.step; }
  // Saves before it returns. The stage's loop is over: every rank has the whole state again.
  void save(const Path& file);
  // The same for the step's own file, which may already be there or on its way: it is not written
  // twice. Returns the file.
  Path save_step();
  // Says which checkpoint is left. Every rank must have found that the training diverged.
  [[noreturn]] void refuse_divergence(const std::string& what);

 private:
  void start(const Path& file);
  void save_here(const Path& file);
  template <class Save>
  void save_with(Save save);
  void log_saved(const std::vector<SavedCheckpoint>& saved);
  Error divergence(const std::string& what);

  RunContext& run_;
  const plan::StagePlan& stage_;
  DeviceState& live_;
  const state::Progress& progress_;
  OptimizerShards& shards_;
  const std::int64_t kept_every_;
  double saved_seconds_;     // training time at the last save
  std::int64_t saved_step_;  // the step of the last save, or of the state that was resumed
  std::optional<std::int64_t> written_step_;  // the step of the last file of save or start_...
  CheckpointSaver saver_;  // ends first: what it writes and prunes is the run's
};

}  // namespace stagedtrain::train
