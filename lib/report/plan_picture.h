// A plan as the numbers that its page draws.
#pragma once

#include <string>
#include <vector>

#include "law/ladder.h"
#include "plan/optimize.h"

namespace stagedtrain::report {

// One stage of the plan, on its own curve. Tokens are those of the stage's own curve.
struct PathStage {
  std::string name;
  law::Size size;
  double begin = 0, end = 0;  // tokens; begin is where it goes on, 0 for fresh weights
  double cost_before = 0;     // FLOPs of the run when it begins
  double cost = 0;            // its own FLOPs
};

// A job of the time line.
struct PictureJob {
  std::string name;
  double begin = 0, length = 0;          // seconds, or FLOPs where times are not known
  double memory = 0, growth_memory = 0;  // bytes; growth_memory 0: nothing grows
  bool measured = false;                 // the memory was
};

struct PlanPicture {
  std::string title, law, assumption;
  law::Family sizes;       // every size that could be a stage
  law::FamilyPairs pairs;  // of these that the operators connect
  std::vector<PathStage> path;
  double lost_tokens = 0;  // of the larger size, by the re-warm-up of a growth
  law::RunLength run;      // of the final size from scratch
  double end_loss = 0;
  double endless = 0;  // share that endlessly many stages save; 0: not known
  std::vector<PictureJob> jobs;
  bool in_seconds = false;
  std::string time_source;         // of the seconds, in words
  double most_memory = 0;          // of the machine, bytes; 0: not known
  std::vector<std::string> words;  // what a reader must know
};

// The plan's stages under loss-state by this law. A plan that --optimize made goes on where that
// says; any other where the next size has the loss that its stage before ends with.
// Throws Error(usage) if the law sees only nonsense (plan::refuse_nonsense).
PlanPicture picture_of(const plan::FullPlan& full, const plan::PlanningLaw& law,
                       const plan::Optimum* optimum = nullptr);

}  // namespace stagedtrain::report
