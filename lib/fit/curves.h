// Which data are scaling laws fitted to? The stages of run folders, and CSV files of curves or of
// finished runs.
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"
#include "scaling/curve_points.h"
#include "statistics/fit_chinchilla.h"

namespace stagedtrain::plan {

// The logged steps of one model. Numbers that are not known are NaN.
struct LoggedCurve {
  std::string name;  // the file, or folder:stage
  double parameters = runlog::kUnknown, tokens_per_step = runlog::kUnknown;
  double non_embedding = runlog::kUnknown;  // parameters without embeddings
  std::string data;                         // fingerprint of the training tokens; "": unknown
  std::string architecture, optimizer;      // "": unknown
  std::string parameterization;             // "none" or "base_width 64, base_layers 2"; "": unknown
  double vocab = runlog::kUnknown, context = runlog::kUnknown;
  double begin = 0;  // the step at which this model began to train
  std::vector<scaling::LoggedStep> steps;
  std::vector<scaling::LoggedStep> validations;  // losses of the validation set; their rate is 0
};

// The finished runs of one file.
struct LoggedEnds {
  std::string name;
  std::vector<scaling::RunPoint> points;
  bool of_runs = false;  // from a run folder, so it is no error if there are too few for a fit
};

struct LoggedRuns {
  std::vector<LoggedCurve> curves;
  std::vector<LoggedEnds> ends;
};

// Adds the contents of CSV text with a header. A curve has the columns step, lr and loss, and
// optionally tokens (of the run so far) and parameters (of the model without embeddings, the same
// in every row). Finished runs have the columns parameters, loss, and tokens or training_flop (then
// tokens = FLOP / 6 parameters). Throws Error(input) with file:line.
void read_csv(const std::string& text, const std::string& name, LoggedRuns& into);

// Adds each stage of a run as a curve. A run of one stage from fresh weights whose learning rate
// has decayed is also added as a finished run. `log` is the file named in errors. Throws
// Error(input) with the line of a loss that is not a positive number.
void read_run(const runlog::Run& run, const Path& log, LoggedRuns& into);

// Reads all paths. One ending in .csv is a CSV file; any other is a run folder or its run.jsonl.
// Branches are joined to the runs that they began in (runlog/branches.h). Throws Error(input) as
// above.
LoggedRuns read_curves(const std::vector<std::string>& paths);

}  // namespace stagedtrain::plan
