// Which runs and points of logged curves is the joint law fitted to?
#pragma once

#include <vector>

#include "fit/curves.h"
#include "statistics/end_correction.h"
#include "statistics/fit_joint.h"

namespace stagedtrain::plan {

// The end of one log: its last validation loss, and what the law is evaluated at.
struct JointEnd {
  scaling::RunShape shape;
  double x = 0, area = 0, loss = 0;
};

struct JointRuns {
  std::vector<scaling::JointRun> runs;
  std::vector<std::string> names;     // names of the logs that each run came from
  std::vector<double> most_tokens;    // tokens of each run at its end
  std::vector<std::string> left_out;  // why a log is not used, a sentence each
  std::vector<JointEnd> ends;         // one for every log that ends with a validation loss
  std::vector<double> decays;         // for each decayed log: tokens times the fall of the rate
  double warmup_tokens = 0;           // tokens of the longest warm-up
};

// Uses the logs of models that began with fresh weights and whose size and batch are known. Steps
// in the warm-up and soon after it are left out; the rest, decay included, becomes at most 60
// means, evenly spaced in ln step. A log that repeats steps of an earlier one (a branch, or the
// same seed with another length) belongs to the same run, and repeated steps count once.
//
// x and areas follow from the learning rates by `response`.
JointRuns joint_runs(const std::vector<LoggedCurve>& curves,
                     const scaling::RateResponse& response = {});

}  // namespace stagedtrain::plan
