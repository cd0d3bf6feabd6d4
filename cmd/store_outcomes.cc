// Adds to the user's files of measurements and growth outcomes.
#include "cmd/store_outcomes.h"

#include "cmd/output.h"
#include "outcomes/caches.h"

namespace stagedtrain::cmd {

bool store_outcomes(const std::vector<plan::Measurement>& speeds,
                    const std::vector<plan::GrowthOutcome>& growths,
                    const std::vector<plan::ScoredRun>& scores) {
  if (plan::measurements_file("").empty()) return false;  // HOME is not set
  try {
    plan::keep_measurements("", speeds);
    plan::keep_growths(growths);
    plan::keep_scores(scores);
    return true;
  } catch (const Error& error) {
    print_to_stderr(fmt::format("nothing was stored for later plans: {}\n", error.what()));
    return false;
  }
}

}  // namespace stagedtrain::cmd
