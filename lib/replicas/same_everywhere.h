// Refuses ranks that would train different things, before the first step.
#pragma once

#include "dist/ranks.h"
#include "plan/processes.h"
#include "plan/run_plan.h"
#include "record/run_data.h"

namespace stagedtrain::train {

// Compares program, schedule, sharding and tokens of all ranks. Throws Error(usage), the same on
// every rank, that names both sides. Does nothing on a single rank.
void refuse_other_ranks(dist::Ranks& ranks, const plan::RunPlan& plan, const RunData& data,
                        plan::Sharding sharding);

// Throws as RunData::check_unchanged does, on every rank, according to what the first rank finds.
void check_unchanged(dist::Ranks& ranks, const RunData& data);

// Returns checksums of the executable and of this module.
std::string program_checksum();

// "launched by torchrun: 2 ranks on 1 host (node7), cpu with 4 threads each, by gloo".
std::string launch_text(dist::Ranks& ranks, const at::Device& device, int threads);

}  // namespace stagedtrain::train
