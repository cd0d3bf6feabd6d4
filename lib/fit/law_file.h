// Which laws did `plan --fit` find, and from which data? The law file, which later plans read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/file.h"
#include "scaling/chinchilla.h"
#include "scaling/joint_law.h"
#include "scaling/stage_curve.h"
#include "statistics/end_correction.h"
#include "text/json_fwd.h"

namespace stagedtrain::plan {

// A curve refitted to the first part of its data.
struct PrefixRefit {
  double share = 1;  // the part of the data, as a share of the learning rate spent
  scaling::StageCurve law;
  double end_error = 0;  // predicted - measured at the end of all data, in nats
};

// The curve of one model over x, in steps at the peak learning rate. Numbers that are not known are
// NaN (null in the file). 80% of the bootstraps of each parameter are between low and high.
struct FittedCurve {
  std::string name;
  double model_parameters = 0, tokens_per_step = 0;
  scaling::StageCurve law, low, high;
  std::vector<scaling::StageCurve> samples;  // the bootstraps, for intervals of derived quantities
  double huber = 0, noise = 0, objective = 0, gradient = 0;
  double points = 0, spikes = 0, agreeing_starts = 0, starts = 0;
  double begin = 0, first_step = 0, last_step = 0, last_x = 0, warmup_steps = 0, peak_rate = 0;
  std::vector<PrefixRefit> prefixes;
  // The strength of the annealing law (scaling/annealing.h), if the log has a decay after these
  // points. Missing in files of older versions.
  std::optional<double> annealing;
  // The nats by which validation losses exceed the curve, which is fitted to training losses.
  // Forecasts add it. Empty if the log has fewer than three evaluations at these points.
  std::optional<double> validation_gap;
};

// Chinchilla's law, fitted to finished runs.
struct FittedChinchilla {
  std::string name;
  scaling::Chinchilla law, low, high;
  std::vector<scaling::Chinchilla> samples;
  double huber = 0, objective = 0, gradient = 0;
  double points = 0, dropped = 0, agreeing_starts = 0, starts = 0;
  double largest_parameters = 0, most_tokens = 0;
  // The relative standard deviation of one run. Missing in files of older versions.
  std::optional<double> noise;
  bool pulled = false;  // a parameter was held within its bounds; not in the file
  // How each sample deviates beyond the largest size (statistics/discrepancy.h). Missing in files
  // of older versions. held_out, the number of laws of smaller sizes behind them, is not in the
  // file.
  std::optional<std::vector<double>> tilts;
  std::size_t held_out = 0;
};

// The joint law of models of several sizes (scaling/joint_law.h).
struct FittedJoint {
  struct Size {
    double parameters = 0, runs = 0, most_tokens = 0;  // parameters without embeddings
  };
  scaling::JointLaw law, low, high;
  std::vector<scaling::JointLaw> samples;
  std::vector<Size> sizes;  // smallest first
  // The standard deviation of ln loss between seeds of a size, and its degrees of freedom.
  double scatter = 0, freedom = 0;
  // The noise of points around the law of their run. Training losses are exp(gap) times the
  // validation losses.
  double training_noise = 0, validation_noise = 0, gap = 0;
  double points = 0, objective = 0, gradient = 0;
  bool decayed = false;  // whether a run showed a decay; otherwise C is 0
  // The range over the runs of tokens times how far the rate had fallen (half of a straight decay's
  // length); 0 if no run decayed.
  double least_decay = 0, most_decay = 0;
  // How each sample deviates beyond the largest size (statistics/discrepancy.h). Missing in files
  // of older versions.
  std::optional<std::vector<double>> tilts;
  // The ends of the runs: ln(measured loss / predicted) by the law and by each sample
  // (statistics/end_correction.h). Missing in files of older versions.
  struct End {
    scaling::RunShape shape;
    double miss = 0;
    std::vector<double> misses;
  };
  std::optional<std::vector<End>> ends;          // at most kMostEnds
  static constexpr std::size_t kMostEnds = 500;  // a forecast solves a system of that size
};
// Returns a description such as "6 runs of 25K, 55K parameters without embeddings".
std::string runs_text(const FittedJoint& joint);

// How the runs of a law were trained, as far as all of them were trained in the same way.
struct FittedRecipe {
  std::string data;  // fingerprint of the training tokens; "": unknown or not the same
  double tokens_per_step = 0, peak_rate = 0;  // NaN: unknown or not the same
  // Empty: unknown or not the same. Missing in files of older versions.
  std::optional<std::string> architecture = {}, optimizer = {};
  std::optional<double> vocab = {}, context = {};
  std::optional<std::string> parameterization = {};
};

struct FittedLaws {
  std::vector<FittedCurve> curves;
  std::optional<FittedChinchilla> chinchilla;
  std::vector<std::string> notes;      // warnings for the reader, a sentence each
  std::optional<FittedJoint> joint;    // missing in files of older versions
  std::optional<FittedRecipe> recipe;  // missing in files of older versions
};

Json to_json(const FittedLaws& laws);
// Reads strictly. Throws Error(input) that names `where` and the key for a missing or unknown key,
// a wrong type or version, and a law whose numbers cannot be used.
FittedLaws laws_from_json(const Json& json, const std::string& where);

// Writes the file atomically. Throws Error(usage) rather than replace a file, unless `force`.
void write_law_file(const FittedLaws& laws, const Path& path, bool force);
// Reads a law file. Throws as read_text_file() and laws_from_json() do.
FittedLaws read_law_file(const Path& path);

}  // namespace stagedtrain::plan
