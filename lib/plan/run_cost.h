// What a plan costs in every way of counting: FLOPs, parameters times tokens, seconds, money.
#pragma once

#include "plan/measurements.h"
#include "plan/memory.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Amounts that add up over stages. Seconds and money are 0 where nothing tells them.
struct Costs {
  double flops = 0;          // all matrix products, head and full attention
  double causal_flops = 0;   // the same, attention only to earlier tokens
  double parameters = 0;     // 6 x parameters that a token goes through x tokens
  double non_embedding = 0;  // 6 x parameters without embeddings x tokens
  double training_seconds = 0, evaluation_seconds = 0, saving_seconds = 0;
  double money = 0;
  double seconds() const { return training_seconds + evaluation_seconds + saving_seconds; }
  Costs& operator+=(const Costs& other);
};

struct StageCost {
  Costs costs;
  MemoryParts memory;
  std::optional<double> measured_bytes;  // at the peak, where it was measured
  double sent_bytes = 0;                 // in a step, by each of several processes
  double seconds_per_token = 0;          // 0: not known
  double seconds_alone = 0;              // the same, of one process
  bool measured = false;                 // that number
  double threads = 0;                    // that it was measured with; 0: not known, or on a GPU
  std::int64_t evaluations = 0, checkpoints = 0;
  // Steps at the peak that would teach as much as warm-up or re-warm-up fails to: half its length.
  double lost_steps = 0;
};

struct RunCost {
  std::vector<StageCost> stages;
  Costs total;
  Processes processes;  // memory and bytes sent are of each
  bool timed = false;  // seconds are known for every stage
  double price_per_hour = 0;
  std::string time_source;  // in words: what seconds come from, or how to have them
};

// Seconds for a token of a stage's training: measured, else FLOPs over what the machine does, else
// nothing.
struct TokenTime {
  double seconds = 0;
  bool measured = false;
  double peak_bytes = 0;  // measured with it; 0 or NaN: not known
  double threads = 0;     // measured with so many; 0: not known, or on a GPU
};
std::optional<TokenTime> token_time(const RunPlan& plan, const StagePlan& stage,
                                    const Measurements& known);

// On several processes a step takes as long as the busiest one needs for its share, at the speed of
// one process, and for sending at machine.bandwidth; where that is 0, sending takes no time. Throws
// Error(usage) where training needs more memory than schedule.machine has.
RunCost run_cost(const RunPlan& plan, const Measurements& known = {},
                 const Processes& processes = {});

std::string to_text(const RunPlan& plan, const RunCost& cost);
// What each of several processes does in a step, or "".
std::string processes_text(const RunPlan& plan, const RunCost& cost);
Json to_json(const RunPlan& plan, const RunCost& cost);

}  // namespace stagedtrain::plan
