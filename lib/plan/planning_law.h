// The laws that a plan can be made with, by name or from a file of own fits.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arch/cost.h"
#include "law/limit.h"
#include "law/loss_law.h"
#include "plan/law_file.h"

namespace stagedtrain::plan {

inline constexpr const char* kConstantRate = "a constant rate";

// The curve of a size; null for one that the law has none of.
using CurveOf = std::function<std::shared_ptr<const law::LossCurve>(double parameters)>;

// Strength of the annealing law (law/annealing.h) for a size.
using AnnealingOf = std::function<double(double parameters)>;

// One of the laws that the data allow: what an interval is made of. annealing may be null: then the
// law's own.
struct LawSample {
  CurveOf curve;
  AnnealingOf annealing;
};

// How the loss of any size falls. Each law counts parameters in its own way.
struct PlanningLaw {
  std::string name, source;  // the name as the user gave it
  bool published = false;    // of others' runs; else fitted to own ones
  std::string end;  // what its losses are: "decayed ends", "a constant rate"
  double least_parameters = 0, most_parameters = 0;  // of the models that it was fitted to
  std::optional<FittedRecipe> recipe;                // of the runs that it was fitted to
  std::function<double(const arch::ParamCount&)> parameters;
  CurveOf curve;
  bool counts_rate = false;  // its tokens count as learning rate / peak, so a warm-up as half
  // Strength of the annealing law for a size, from own decayed runs of it or of others; null where no
  // decay was seen, or where the losses are of decayed ends anyway.
  AnnealingOf annealing;
  std::vector<LawSample> samples;  // of the fit's bootstrap; none: no intervals
  // By how much, relative to its loss, one run differs from the law: half of an 80% interval. 0: not
  // known, so that intervals are of the law alone.
  double run_scatter = 0;
  // Sizes (as parameters() counts them) of a law that forecasts others from them; else empty.
  std::vector<double> trained_sizes;
  // Factors by which earlier runs that missed their intervals widen those of losses and savings.
  double loss_widening = 1, saving_widening = 1;
  // Tokens of the fit's data, for a size; 0: not known. Beyond three times it a forecast is a
  // guess.
  std::function<double(double parameters)> known_tokens = [](double) { return 0.0; };
  // What endlessly many stages save, if the law has that in closed form.
  std::function<law::Limit(double parameters)> endless;
  std::vector<std::string> notes;  // what a reader must know, a sentence each
};

// Whether the name of a law is that of a file: it has a '/' or the ending .json.
bool names_law_file(const std::string& name);

// "besiroglu" (also "chinchilla"), "hoffmann" or "kaplan"; or a law file, known by a '/' or the
// ending .json. Throws Error(usage) with the nearest, and as read_law_file does.
PlanningLaw find_planning_law(const std::string& name);

// The joint law of several sizes if there is one, else Chinchilla's law of finished runs, else the
// curves, each for models of exactly its size. Throws Error(input) if no curve says of what size it
// is.
PlanningLaw planning_law(const FittedLaws& laws, const std::string& name);

// A law far outside of what it was fitted to can be plain nonsense: a loss above guess_loss(), which
// is that of a guess among all ids. not_covered() says so, kFitOwnRuns what to do.
double guess_loss(const arch::ModelConfig& model);
std::string not_covered(const PlanningLaw& law, const arch::ModelConfig& model, double loss);
inline constexpr const char* kFitOwnRuns =
    "Fit your own runs: stagedtrain plan --fit RUN... --out laws.json";
// Throws Error(usage) with both if the law has the size end above that loss.
void refuse_nonsense(const PlanningLaw& law, const law::Size& size, const arch::ModelConfig& model,
                     double tokens);

}  // namespace stagedtrain::plan
