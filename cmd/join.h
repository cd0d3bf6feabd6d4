// How a command takes part in a run of several processes that a launcher has started.
#pragma once

#include <functional>

#include "base/error.h"
#include "engine/ranks_interface.h"

namespace stagedtrain::cmd {

// Joins the other ranks of this process's run, if it has any, and prints how they were launched.
// Call it before anything that can fail on all ranks, because then one of them can speak for all.
// Returns whether this process is the first rank or the only one, which prints the results.
bool join_ranks(const train::DeviceRequest& device);

// Calls f on the first rank, before it returns on any of them. f prepares files that all ranks then
// read. If it throws, all ranks throw.
void on_first_rank(const std::function<void()>& f);

// To be called when the command ends by an error. Tells the other ranks, and returns the error to
// print: without a message if another rank or its launcher has printed the same.
Error ending_of(const Error& error);

// Returns the number of ranks that join_ranks() found, or 1.
int ranks_of_run();

// Returns whether a launcher has started this process as another rank than the first.
bool is_later_rank();

}  // namespace stagedtrain::cmd
