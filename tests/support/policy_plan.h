// Plans of one stage with a training policy, and what these cost.
#pragma once

#include <string>
#include <vector>

#include "plan/stage_policy.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

namespace stagedtrain::test {

// One stage of 8 layers and 400 steps of 16 x 128 tokens, with a policy, as in "layer_dropout: {}".
inline plan::RunPlan planned(const std::string& policy, std::vector<std::string> more = {}) {
  std::vector<std::string> edits = {
      "model={architecture: gpt2, layers: 8, width: 128, heads: 4, context: 128, vocab: 256}",
      "stages=[{name: whole, for: 400 steps" + (policy.empty() ? "" : ", " + policy) + "}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return plan::resolve(two_stages(edits));
}

inline void check_refused(const std::string& policy, const std::string& says,
                          const std::vector<std::string>& more = {}) {
  const std::string said = refusal(ErrorKind::usage, [&] { planned(policy, more); });
  INFO(policy << ": " << said);
  CHECK(contains(said, says));
}

// What a pass of a step of the plan's only stage runs.
inline arch::StepWork work_at(const plan::RunPlan& p, std::int64_t step, std::int64_t pass = 0) {
  return plan::step_work(p, p.stages[0], step, step, pass);
}

// The sum of the executed FLOPs of all steps, in passes of so many sequences.
inline double executed_flops(const plan::RunPlan& p, std::int64_t rows) {
  double sum = 0;
  for (std::int64_t step = 0; step < 400; ++step)
    for (std::int64_t pass = 0; pass < 16 / rows; ++pass)
      sum += static_cast<double>(rows * 128) *
             arch::step_flops_per_token(p.stages[0].model, work_at(p, step, pass)).total;
  return sum;
}

// Training FLOPs of a token: in the matrices of a layer, in its attention, and in the head.
inline constexpr double kMatrices = 6 * 12 * 128 * 128, kAttention = 6 * 4 * 64 * 128,
                        kHead = 6 * 256 * 128, kPlannedTokens = 400.0 * 16 * 128;

}  // namespace stagedtrain::test
