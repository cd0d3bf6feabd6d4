// Saves checkpoints during training. Training pauses only while the state is copied; a thread
// writes the copy.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "runfolder/device_state.h"

namespace stagedtrain::train {

// A checkpoint whose file is complete.
struct SavedCheckpoint {
  Path file;
  state::Progress progress;  // progress of the saved state
  std::uint64_t bytes = 0;
  // Seconds that training paused (waiting for the previous save, and copying), and seconds from the
  // copy to the complete file.
  double stood_still = 0, writing = 0;
};

// Keeps a copy of the state, 12 bytes for each parameter (24 in fp64; a third
// more with a moving average of the weights), from the first save on. If
// that is more than half of the available memory, it makes no copy, and training pauses until the
// file is written. For one thread.
class CheckpointSaver {
 public:
  CheckpointSaver() = default;
  // Waits for a file that is being written.
  ~CheckpointSaver() = default;
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  // Allocates the copy for states like this one ahead of the first save, on a thread.
  void prepare(const state::StateHeader& header);
  // Starts a save. The state may change as soon as this returns. Waits for the previous save.
  // `first` runs on the writing thread, before anything is written. Throws Error(diverged), and
  // writes nothing, if the state has a number that is not finite. Throws the Error of a previous
  // save that failed.
  void start(const Path& file, DeviceState& live, std::function<void()> first = {});
  // Saves without a copy, and returns when the file is complete. `write` writes it, by default as
  // save_live does. Throws as start() does.
  void save(const Path& file, DeviceState& live, const std::function<void()>& first = {},
            const std::function<void()>& write = {});
  // Returns the checkpoints that were completed since the last call, oldest first. Throws the Error
  // of a save that failed.
  std::vector<SavedCheckpoint> completed();
  // Waits for the current save, and then returns what completed() returns.
  std::vector<SavedCheckpoint> wait();

 private:
  void join();
  void copy(DeviceState& live);
  void write(const std::function<void()>& first);

  state::TrainingState copy_;
  SavedCheckpoint current_;
  std::vector<SavedCheckpoint> completed_;
  std::exception_ptr failure_;
  bool under_way_ = false;
  std::atomic<bool> done_ = false;  // the writing thread is done
  std::jthread thread_;             // writes a checkpoint, or allocates the copy
};

}  // namespace stagedtrain::train
