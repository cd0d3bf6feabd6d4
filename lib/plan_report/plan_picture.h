// Which numbers of a plan does its page draw?
#pragma once

#include <string>
#include <vector>

#include "optimize/optimize.h"
#include "scaling/growth_path.h"

namespace stagedtrain::report {

// One stage of the plan, as a section of the curve of its own model.
struct PathStage {
  std::string name;
  scaling::Size size;
  double begin = 0, end = 0;  // tokens on that curve; begin is 0 for fresh weights
  double cost_before = 0;     // FLOPs that the run has spent when the stage begins
  double cost = 0;            // FLOPs of the stage
};

// One job on the time axis.
struct PictureJob {
  std::string name;
  double begin = 0, length = 0;          // seconds, or FLOPs if times are unknown
  double memory = 0, growth_memory = 0;  // bytes; growth_memory 0: no growth
  bool measured = false;                 // whether memory was measured, not estimated
};

struct PlanPicture {
  std::string title, law, assumption;
  scaling::Family sizes;       // every size that could be a stage
  scaling::FamilyPairs pairs;  // pairs of sizes that growth operators connect
  std::vector<PathStage> path;
  double lost_tokens = 0;   // what re-warming costs after a growth, on the larger size's curve
  scaling::RunLength run;   // the run of the final size from scratch
  double end_loss = 0;      // at the peak rate, like all losses of the figures
  double decayed_loss = 0;  // after the decay; end_loss if the law says nothing of a decay
  double endless = 0;  // share that infinitely many stages save; 0: unknown
  std::vector<PictureJob> jobs;
  bool in_seconds = false;
  std::string time_source;         // where the seconds come from
  double most_memory = 0;          // memory of the machine in bytes; 0: unknown
  std::vector<std::string> warnings;
};

// Collects the plan's stages under this scaling law, assuming loss-state. In a plan made by
// --optimize, each stage continues at the optimizer's position on its curve; in any other plan,
// where its curve has the loss that the previous stage ends with. Throws Error(usage) if the law's
// predictions are unusable (plan::refuse_nonsense) or if it has no curve for a stage.
PlanPicture picture_of(const plan::FullPlan& full, const plan::PlanningLaw& law,
                       const plan::Optimum* optimum = nullptr);

}  // namespace stagedtrain::report
