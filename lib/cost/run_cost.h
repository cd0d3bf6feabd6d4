// What does a plan cost in FLOPs, parameters times tokens, seconds and money?
#pragma once

#include "cost/communication.h"
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
  double growth_bytes = 0;  // both states; of each process with full sharding, its part
  StepExchange exchange;    // what each of several processes exchanges in a step
  double seconds_per_token = 0;          // 0: not known
  double seconds_alone = 0;              // the same with one process
  bool measured = false;                 // whether seconds_alone was measured
  double threads = 0;                    // threads of that measurement; 0: not known, or on a GPU
  std::int64_t evaluations = 0, checkpoints = 0;
  // How many steps at the peak rate the warm-up or re-warm-up loses: half of its length.
  double lost_steps = 0;
};

struct RunCost {
  std::vector<StageCost> stages;
  Costs total;
  Processes processes;  // memory and exchange are those of each process
  bool timed = false;   // whether seconds are known for every stage
  double price_per_hour = 0;
  std::string time_source;  // where the seconds come from, or how to get them, in words
  // The costs on several processes with each sharding that the plan supports (refuse_sharding),
  // whether it fits in machine.memory or not, in the order none, optimizer, full.
  std::vector<RunCost> shardings;
};

// The seconds of a token in the training of a stage.
struct TokenTime {
  double seconds = 0;
  bool measured = false;
  double peak_bytes = 0;  // peak memory of the measurement; 0 or NaN: not known
  double threads = 0;     // threads of the measurement; 0: not known, or on a GPU
};
// Returns the newest measurement; else the FLOPs of a token divided by machine.flops and by the
// share of them that a model of this width reaches (reached_share); or nothing if machine.flops is
// not given either.
std::optional<TokenTime> token_time(const RunPlan& plan, const StagePlan& stage,
                                    const Measurements& known);

// Returns the share of the peak FLOPs that a model of this width reaches: utilisation x
// width / (width + half_width). Matrix products take FLOPs in proportion to the square of the
// width, all else (norms, activations, residuals) time in proportion to the width.
double reached_share(const schedule::MachineSpec& machine, std::int64_t width);

// Computes the costs of a plan. With several processes a step takes as long as the busiest one
// needs for its share, at the speed of one process, plus what it sends and does not hide
// (cost/communication.h). Throws Error(usage) if training needs more than machine.memory.
RunCost run_cost(const RunPlan& plan, const Measurements& known = {},
                 const Processes& processes = {});

// Returns the most that each process needs in any stage.
double largest_memory(const RunCost& cost);
// Whether every stage fits in machine.memory (0: no limit).
bool fits_memory(const RunPlan& plan, const RunCost& cost);
// Returns the sharding with which several processes train in the least time, of those that fit; if
// no time is known, the one that sends least. Of equals it is the first one of cost.shardings.
// Returns nothing if none fits.
std::optional<Sharding> cheapest_sharding(const RunPlan& plan, const RunCost& cost);
// Returns how fast processes train a plan, or one stage, relative to as many times the speed of one
// process alone: 1 if nothing is lost. 0: not known.
double efficiency(const RunPlan& plan, const RunCost& cost);
double efficiency(const StageCost& stage, const Processes& processes);

std::string to_text(const RunPlan& plan, const RunCost& cost);
Json to_json(const RunPlan& plan, const RunCost& cost);

// Describes what each of several processes does in a step, and compares the shardings; "" for one
// process.
std::string processes_text(const RunPlan& plan, const RunCost& cost);
// Returns the members of to_json() that are about processes.
Json processes_json(const RunPlan& plan, const RunCost& cost);
// The same of a stage.
Json exchange_json(const StageCost& stage, const Processes& processes);

}  // namespace stagedtrain::plan
