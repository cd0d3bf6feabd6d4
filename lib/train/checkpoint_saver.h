// Checkpoints on the way: training goes on as soon as the state is copied; the copy is written
// meanwhile.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "train/live_state.h"

namespace stagedtrain::train {

// One checkpoint that is in its place.
struct SavedCheckpoint {
  Path file;
  state::Progress progress;  // of the state that it holds
  std::uint64_t bytes = 0;
  // Seconds that training stood still for it (waiting for the one before, copying), and that
  // writing took, from the copy to the file in its place.
  double stood_still = 0, writing = 0;
};

// Keeps room for a copy of the state, 12 bytes a parameter (24 in fp64), from the first save to its
// own end. Where that is more than half of the memory that is free, there is no copy, and training
// stands still until the file is there. Used from one thread.
class CheckpointSaver {
 public:
  CheckpointSaver() = default;
  // Waits for a file being written.
  ~CheckpointSaver() = default;
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  // Makes the room ahead, on a thread, for states like this one.
  void prepare(const state::StateHeader& header);
  // Begins to save; the state may change when this returns. Waits for the save before. `first` runs
  // before anything is written, on the writing thread. Throws Error(diverged), and writes nothing,
  // if a number of the state is not finite: looked for while the state is copied.
  void start(const Path& file, LiveState& live, std::function<void()> first = {});
  // Saves before it returns, without a copy. Throws as start does.
  void save(const Path& file, LiveState& live, const std::function<void()>& first = {});
  // The checkpoints that were completed since the last call, oldest first. Throws the Error of one
  // that failed, as save() and start() do for the one before.
  std::vector<SavedCheckpoint> completed();
  // The same after all are completed.
  std::vector<SavedCheckpoint> wait();

 private:
  void join();
  void copy(LiveState& live);
  void write(const std::function<void()>& first);

  state::TrainingState copy_;
  SavedCheckpoint current_;
  std::vector<SavedCheckpoint> completed_;
  std::exception_ptr failure_;
  bool under_way_ = false;
  std::atomic<bool> done_ = false;  // the writing thread came to its end
  std::jthread thread_;             // writes, or makes room
};

}  // namespace stagedtrain::train
