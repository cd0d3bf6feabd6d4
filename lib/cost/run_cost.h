// What does a plan cost in FLOPs, parameters times tokens, seconds and money?
#pragma once

#include "cost/measurements.h"
#include "plan/memory.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Amounts that add up over stages. Seconds and money are 0 if they are not known.
struct Costs {
  double flops = 0;          // all matrix products, including the head and full attention
  double causal_flops = 0;   // the same with attention to earlier tokens only
  double parameters = 0;     // 6 x the parameters that a token uses x tokens
  double non_embedding = 0;  // 6 x parameters without embeddings x tokens
  double training_seconds = 0, evaluation_seconds = 0, saving_seconds = 0;
  double money = 0;
  double seconds() const { return training_seconds + evaluation_seconds + saving_seconds; }
  Costs& operator+=(const Costs& other);
};

struct StageCost {
  Costs costs;
  MemoryParts memory;
  std::optional<double> measured_bytes;  // peak memory, if it was measured
  double sent_bytes = 0;                 // what each of several processes sends in a step
  double seconds_per_token = 0;          // 0: not known
  double seconds_alone = 0;              // the same with one process
  bool measured = false;                 // whether seconds_alone was measured
  double threads = 0;                    // of that measurement; 0: not known, or on a GPU
  std::int64_t evaluations = 0, checkpoints = 0;
  // How many steps at the peak rate the warm-up or re-warm-up loses: half of its length.
  double lost_steps = 0;
};

struct RunCost {
  std::vector<StageCost> stages;
  Costs total;
  Processes processes;  // memory and sent_bytes are those of each process
  bool timed = false;   // whether seconds are known for every stage
  double price_per_hour = 0;
  std::string time_source;  // where the seconds come from, or how to get them, in words
};

// The seconds of a token in the training of a stage.
struct TokenTime {
  double seconds = 0;
  bool measured = false;
  double peak_bytes = 0;  // peak memory of the measurement; 0 or NaN: not known
  double threads = 0;     // threads of the measurement; 0: not known, or on a GPU
};
// Returns the newest measurement; else the FLOPs of a token divided by machine.flops x utilisation;
// or nothing if machine.flops is not given either.
std::optional<TokenTime> token_time(const RunPlan& plan, const StagePlan& stage,
                                    const Measurements& known);

// Computes the costs of a plan. With several processes a step takes as long as the busiest one
// needs for its share, at the speed of one process, plus sending at machine.bandwidth (no time if
// that is 0). Throws Error(usage) if training needs more than machine.memory.
RunCost run_cost(const RunPlan& plan, const Measurements& known = {},
                 const Processes& processes = {});

std::string to_text(const RunPlan& plan, const RunCost& cost);
// Describes what each of several processes does in a step; "" for one process.
std::string processes_text(const RunPlan& plan, const RunCost& cost);
Json to_json(const RunPlan& plan, const RunCost& cost);

}  // namespace stagedtrain::plan
