// Reads what laws are fitted to: the stages of run folders, curves and finished runs in CSV files.
#pragma once

#include <string>
#include <vector>

#include "law/curve_points.h"
#include "law/fit_chinchilla.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// The logged steps of one model. NaN: not known.
struct LoggedCurve {
  std::string name;  // the file, or folder:stage
  double parameters = runlog::kUnknown, tokens_per_step = runlog::kUnknown;
  double non_embedding = runlog::kUnknown;  // parameters without embeddings
  std::string data;                         // fingerprint of the training tokens; "": unknown
  double begin = 0;  // the step at which this model began to train
  std::vector<law::LoggedStep> steps;
  std::vector<law::LoggedStep> validations;  // losses of the validation set; their rate is not set
};

// Finished runs as one file tells them.
struct LoggedEnds {
  std::string name;
  std::vector<law::RunPoint> points;
  bool of_runs = false;  // of a run folder: that they are few is no fault of the file
};

struct LoggedRuns {
  std::vector<LoggedCurve> curves;
  std::vector<LoggedEnds> ends;
};

// CSV text with a header, either a curve: step, lr, loss and perhaps tokens (of the run so far) and
// parameters (of the model, without embeddings, the same in every row); or finished runs: parameters, loss, and tokens or training_flop (then tokens = FLOP / 6 parameters).
// Throws Error(input) with file:line.
void read_csv(const std::string& text, const std::string& name, LoggedRuns& into);

// Each stage of a run is a curve, and the end of a run that had one stage, fresh weights and a rate
// that has decayed is an end. Throws Error(input) with the line of a loss that is no number.
void read_run(const runlog::Run& run, const Path& log, LoggedRuns& into);

// A path ending in .csv is a CSV file; any other is a run folder or its run.jsonl. Branches are joined
// to the runs that they began in (runlog/branches.h).
LoggedRuns read_curves(const std::vector<std::string>& paths);

}  // namespace stagedtrain::plan
