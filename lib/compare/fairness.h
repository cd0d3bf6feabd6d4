// Which runs are similar enough that a difference in loss is due to staging?
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// What must agree, because it changes the loss that a budget buys:
//   the final model; the training and validation tokens (by fingerprint, so that a file may have
//   been moved); every key of the schedule that the logs record, except those below. So the
//   learning rate's curve, peak, floor, warm-up and decay, the optimizer, batch, precision,
//   dropout, z_loss and validation tokens must agree, as must any key that is added to schedules
//   later.
// What may differ, because staging is about it or because it does not change the loss:
//   run lengths, stages, growth, the re-warm-up after a growth, and the seed (another sample of the
//   same thing); when a run is evaluated, saved and logged; micro-batch and recomputation; the
//   divergence guard; the machine (wall-clock times are then not compared).
//
// Returns the differences, one phrase each, such as "lr.peak is 0.01, not 0.003". The first value
// is that of `run`.
std::vector<std::string> differences(const runlog::Run& run, const runlog::Run& reference);
// The same, but the models may differ in size.
std::vector<std::string> differences_but_size(const runlog::Run& run, const runlog::Run& reference);
// Returns what the logs do not record, so that differences() cannot check it; "" if nothing is
// missing.
std::string unchecked(const runlog::Run& run, const runlog::Run& reference);

}  // namespace stagedtrain::report
