// Which sentences and numbers does a report print? The page and the terminal share them.
#pragma once

#include <string>
#include <vector>

#include "compare/comparison.h"

namespace stagedtrain::report {

// All of these return "n/a" for values that the log does not contain.
std::string count_text(double value);                // 1234567 -> "1.23M", 2.6e7 -> "26.0M"
std::string flops_text(double value);                // 1.234e12 -> "1.23 TFLOPs"
std::string whole_text(double value);                // 1234567 -> "1,234,567"
std::string seconds_text(double seconds);            // "1m15s"
std::string decimal_text(double value, int digits);  // "1.702"
std::string loss_text(double loss, double se);       // "1.702 ± 0.004"
std::string percent_text(double share, double se);   // "31.2% ± 1.4"
// Returns the tokens seen per parameter of the final model, such as "5.0", if the run's position is
// known.
std::string tokens_per_parameter(const Run& run);
// Returns, for instance, "31% fewer FLOPs", "at least 28% fewer FLOPs" or "about 4% more tokens
// (extrapolated)".
std::string saving_text(const CostResult& result);
// Returns, for instance, "0.041 lower", or "" if the gap is unknown.
std::string gap_text(const LossGap& gap);
// Returns what growth changed, such as "2 → 6 layers, width 64 → 128".
std::string growth_text(const arch::ModelConfig& from, const arch::ModelConfig& to);
// Returns the same for a growth of the run, from the previous stage's model.
std::string growth_change(const Run& run, const LoggedGrowth& growth);
// Returns, for instance, "cpu (Intel(R) Xeon(R)), 2 threads".
std::string machine_text(const Run& run);

// Returns one or two sentences: what the comparison found, or why it found nothing and what to run.
std::string verdict(const Report& report, const Comparison& comparison);
// Returns what to run if there is no staged run and so no comparison.
std::string empty_verdict(const Report& report);
// Returns a sentence that lists the runs that have not ended; "" if all have.
std::string unfinished_notice(const Report& report);
// Returns how the numbers were made and what they leave out, one or two sentences each.
std::vector<std::string> fine_print(const Report& report, const Comparison& comparison);

// Says which stages had a training policy, and what a token was to cost under it; "" if none had.
std::string policies_text(const Run& run);

}  // namespace stagedtrain::report
