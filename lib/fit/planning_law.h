// Which scaling laws can a plan use? Published ones by name, and the user's own fits from a law
// file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "arch/cost.h"
#include "fit/law_file.h"
#include "scaling/annealing.h"
#include "scaling/limit.h"
#include "scaling/loss_law.h"

namespace stagedtrain::plan {

inline constexpr const char* kConstantRate = "at a constant learning rate";
inline constexpr const char* kDecayedEnds = "at the ends of decayed runs";

// Returns the curve of a size, over tokens; null if the law has none for it.
using CurveOf = std::function<std::shared_ptr<const scaling::LossCurve>(double parameters)>;

// Returns the strength of the annealing law (scaling/annealing.h) for a size.
using AnnealingOf = std::function<double(double parameters)>;

// The curves of each context, where a law consists of several (law_of_contexts.h); else empty.
using CurvesByContext = std::map<std::int64_t, CurveOf>;

// A sample of the fitted law, as bootstraps give them. Intervals are computed over samples. If
// `annealing` is null, PlanningLaw::annealing is used.
struct LawSample {
  CurveOf curve;
  AnnealingOf annealing;
  scaling::RateResponse response;  // how the annealing law responds to the rate
  std::vector<double> misses;      // its errors at the ends of the law's runs (EndCorrection)
  CurvesByContext by_context;
};

// A scaling law as plans use it: the loss curve of a size, and what the curves are valid for.
struct PlanningLaw {
  std::string name, source;  // the name as the user gave it
  bool published = false;    // fitted to runs of others, not to the user's
  std::string end;           // where its losses hold: kDecayedEnds or kConstantRate
  double least_parameters = 0, most_parameters = 0;  // the range of sizes that it was fitted to
  std::optional<FittedRecipe> recipe;                // how these runs were trained
  std::function<double(const arch::ParamCount&)> parameters;  // the parameters that the law counts
  CurveOf curve;               // of the longest context, if there are several
  CurvesByContext by_context;  // curves of each context, the longest included, if there are several
  bool counts_rate = false;  // tokens count as learning rate / peak, so a warm-up counts half
  // The strength of the annealing law for a size, from the user's own decayed runs of any size.
  // Null if there were none, or if the law's losses are those of decayed ends.
  AnnealingOf annealing;
  scaling::RateResponse response;  // how the annealing law responds to the rate
  // The range of FittedJoint::least_decay and most_decay; 0: unknown.
  double least_decay = 0, most_decay = 0;
  std::vector<LawSample> samples;  // samples of the fit; empty means that there are no intervals
  // What the ends of the law's runs say about the end of another run, and how far the law misses
  // them. Empty for laws other than joint laws of the user's runs.
  scaling::EndCorrection end_correction;
  std::vector<double> misses;
  // How much one run differs from the law: the half-width of an 80% interval, relative to the loss.
  // 0 means not known; intervals then cover the error of the law alone.
  double run_scatter = 0;
  // The sizes (as parameters() counts them) from which the law extrapolates to others. Empty for
  // laws without such sizes.
  std::vector<double> trained_sizes;
  // Factors by which the intervals of losses and savings are widened, from the scores of earlier
  // runs.
  double loss_widening = 1, saving_widening = 1;
  // The tokens of the fit's data, for a size; 0 means not known. Beyond three times as many a
  // forecast is a guess.
  std::function<double(double parameters)> known_tokens = [](double) { return 0.0; };
  // The saving of endlessly many stages, if the law has a closed form for it; else null.
  std::function<scaling::Limit(double parameters)> endless;
  std::vector<std::string> notes;  // warnings for the reader
};

// Returns the curve of a model of this size and context by a PlanningLaw or LawSample; null if
// there is none. A law of a single context is used for all: recipe_warnings() says where that is
// wrong.
template <class Law>
std::shared_ptr<const scaling::LossCurve> curve_at(const Law& law, double parameters,
                                                   std::int64_t context) {
  if (law.by_context.empty()) return law.curve(parameters);
  const auto found = law.by_context.find(context);
  return found == law.by_context.end() ? nullptr : found->second(parameters);
}

// Whether the name of a law names a file: it contains '/' or ends in .json.
bool names_law_file(const std::string& name);

// Returns a law by its name: "besiroglu" (also "chinchilla"), "hoffmann", "kaplan", a law file (see
// names_law_file), or several law files of different contexts, separated by commas, unless there is
// a file of this whole name. Throws
// Error(usage), with the nearest name, for other names, and as read_law_file, planning_law and
// law_of_contexts do.
PlanningLaw find_planning_law(const std::string& name);

// Returns the joint law of several sizes if there is one; else Chinchilla's law of finished runs;
// else the curves, each for models of exactly its size. Throws Error(input) if these have no curve
// with a known size and known tokens per step.
PlanningLaw planning_law(const FittedLaws& laws, const std::string& name);

// Far from its data a law can predict a loss above guess_loss(), ln(vocab), which is the loss of
// guessing among all ids. not_covered() returns that message, and kFitOwnRuns says what to do.
double guess_loss(const arch::ModelConfig& model);
std::string not_covered(const PlanningLaw& law, const arch::ModelConfig& model, double loss);
inline constexpr const char* kFitOwnRuns =
    "Fit your own runs: stagedtrain plan --fit RUN... --out laws.json";
// Throws Error(usage) with both if the law predicts at least that loss after `tokens` tokens.
void refuse_nonsense(const PlanningLaw& law, const scaling::Size& size,
                     const arch::ModelConfig& model, double tokens);

}  // namespace stagedtrain::plan
