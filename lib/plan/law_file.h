// Fitted laws with what they came from: what `plan --fit` finds, writes, and later plans read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "law/chinchilla.h"
#include "law/joint_law.h"
#include "law/stage_curve.h"

namespace stagedtrain::plan {

// A law refitted to the first part of its data.
struct PrefixRefit {
  double share = 1;  // of the learning rate spent
  law::StageCurve law;
  double end_error = 0;  // predicted - measured at the end of all data, nats
};

// One model's curve over x, the steps at peak learning rate. Numbers that are not known are NaN
// (null in the file). low and high: 80% of the bootstraps of each parameter lie between.
struct FittedCurve {
  std::string name;
  double model_parameters = 0, tokens_per_step = 0;
  law::StageCurve law, low, high;
  std::vector<law::StageCurve> samples;  // of the bootstrap, for intervals of anything else
  double huber = 0, noise = 0, objective = 0, gradient = 0;
  double points = 0, spikes = 0, agreeing_starts = 0, starts = 0;
  double begin = 0, first_step = 0, last_step = 0, last_x = 0, warmup_steps = 0, peak_rate = 0;
  std::vector<PrefixRefit> prefixes;
  // Strength of the annealing law (law/annealing.h), if the log shows a decay after these points;
  // nothing in files of older versions.
  std::optional<double> annealing;
};

// Chinchilla's law of finished runs.
struct FittedChinchilla {
  std::string name;
  law::Chinchilla law, low, high;
  std::vector<law::Chinchilla> samples;
  double huber = 0, objective = 0, gradient = 0;
  double points = 0, dropped = 0, agreeing_starts = 0, starts = 0;
  double largest_parameters = 0, most_tokens = 0;
  // Of one run, relative; nothing in files of older versions.
  std::optional<double> noise;
  bool pulled = false;  // a parameter was held from running away; not in the file
  // How each sample bends off beyond the largest size (law/discrepancy.h); nothing in files of older
  // versions. How many laws of smaller sizes they were learnt from is not in the file.
  std::optional<std::vector<double>> tilts;
  std::size_t held_out = 0;
};

// The joint law of models of several sizes (law/joint_law.h).
struct FittedJoint {
  struct Size {
    double parameters = 0, runs = 0, most_tokens = 0;  // parameters without embeddings
  };
  law::JointLaw law, low, high;
  std::vector<law::JointLaw> samples;
  std::vector<Size> sizes;  // smallest first
  // Standard deviation of ln loss between seeds of a size, and the degrees of freedom behind it.
  double scatter = 0, freedom = 0;
  // Of points around their run's law; training losses lie exp(gap) times the validation losses.
  double training_noise = 0, validation_noise = 0, gap = 0;
  double points = 0, objective = 0, gradient = 0;
  bool decayed = false;  // some run showed a decay; else C is 0
  // How each sample bends off beyond the largest size (law/discrepancy.h); nothing in files of older
  // versions.
  std::optional<std::vector<double>> tilts;
};
// What it is of, as "6 runs of 25K, 55K parameters without embeddings".
std::string runs_text(const FittedJoint& joint);

struct FittedLaws {
  std::vector<FittedCurve> curves;
  std::optional<FittedChinchilla> chinchilla;
  std::vector<std::string> notes;  // what a reader must know, a sentence each
  std::optional<FittedJoint> joint;  // nothing in files of older versions
};

Json to_json(const FittedLaws& laws);
// Strict: every key of its type, none unknown. Throws Error(input) naming where and the key.
FittedLaws laws_from_json(const Json& json, const std::string& where);

// Atomically; refuses to replace a file unless force.
void write_law_file(const FittedLaws& laws, const Path& path, bool force);
FittedLaws read_law_file(const Path& path);

}  // namespace stagedtrain::plan
