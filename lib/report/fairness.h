// Which runs are alike enough for a comparison to say something about staging alone.
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// What must agree, because it changes the loss that a budget buys:
//   the final model; the tokens trained on and those scored (by fingerprint, so that a file may
//   have moved); every key of the schedule that the logs record but for the keys below. So curve,
//   peak, floor, warm-up and decay of the learning rate, optimizer, batch, precision, dropout,
//   z_loss and the validation tokens must agree, and so must any key that is added to schedules
//   later.
// What may differ, because it is what staging is about, or changes no loss:
//   lengths, stages, growth, the re-warm-up after a growth, the seed (a sample of the same thing);
//   when a run is evaluated, saved and logged; micro-batch and recomputation; the guard; the
//   machine (then wall-clock times are not compared).
//
// What differs, a phrase each: "lr.peak is 0.01, not 0.003". The first value is that of run.
std::vector<std::string> differences(const runlog::Run& run, const runlog::Run& reference);
// The same for runs whose models may differ in their size.
std::vector<std::string> differences_but_size(const runlog::Run& run, const runlog::Run& reference);
// What the logs do not record, so that differences() cannot see it; "" if they record everything.
std::string unchecked(const runlog::Run& run, const runlog::Run& reference);

}  // namespace stagedtrain::report
