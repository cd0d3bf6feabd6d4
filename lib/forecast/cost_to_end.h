// How much may a run cost until it reaches the loss that a law predicts for its end?
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "cost/run_cost.h"

namespace stagedtrain::plan {

// 80% intervals of the cost of the whole run if its last stage is made as long as it takes to reach
// the planned end loss. A high end may be infinite: then the run may never reach this loss.
struct CostToEnd {
  std::array<double, 2> flops{};
  std::optional<std::array<double, 2>> seconds, money;  // what training takes, if it is known
};

// `last_tokens` are the tokens that the last stage needs to reach the loss, by each sample of the
// law. Returns nothing if there are none.
std::optional<CostToEnd> cost_to_end(const RunPlan& plan, const RunCost& cost,
                                     std::vector<double> last_tokens);

// Returns, for instance, "80%: 1.2E to 1.5E FLOPs, 3h to 4h".
std::string to_text(const CostToEnd& cost);

}  // namespace stagedtrain::plan
