// The report's sentences and numbers as words, shared by the page and the terminal.
#pragma once

#include <string>
#include <vector>

#include "report/comparison.h"

namespace stagedtrain::report {

// "n/a" stands for what the log does not tell, in all of these.
std::string count_text(double value);                // 1234567 -> "1.23M", 2.6e7 -> "26.0M"
std::string flops_text(double value);                // 1.234e12 -> "1.23 TFLOPs"
std::string whole_text(double value);                // 1234567 -> "1,234,567"
std::string seconds_text(double seconds);            // "1m15s"
std::string decimal_text(double value, int digits);  // "1.702"
std::string loss_text(double loss, double se);       // "1.702 ± 0.004"
std::string percent_text(double share, double se);   // "31.2% ± 1.4"
// Where the run's place is known, tokens seen for each parameter of the final model: "5.0".
std::string tokens_per_parameter(const Run& run);
// "31% fewer FLOPs", "at least 28% fewer FLOPs", "about 4% more tokens (extrapolated)".
std::string saving_words(const MeasureResult& result);
// "0.041 lower", or "" where it is not known.
std::string gap_words(const LossGap& gap);
// What growth changed: "2 → 6 layers, width 64 → 128".
std::string growth_words(const arch::ModelConfig& from, const arch::ModelConfig& to);
// The same for a growth of the run, between the stages' models.
std::string growth_change(const Run& run, const Growth& growth);
// "seed 1", "seeds 1, 2"
std::string seeds_text(const Run& run);
// "cpu (Intel(R) Xeon(R)), 2 threads"
std::string machine_words(const Run& run);

// One or two sentences: what the comparison found, or why it found nothing and what to run.
std::string verdict(const Report& report, const Comparison& comparison);
// Without a staged run there is no comparison: what to run then.
std::string empty_verdict(const Report& report);
// Which runs have not ended, in a sentence; "" if all have.
std::string unfinished_notice(const Report& report);
// How the numbers were made and what they leave out, a sentence or two each.
std::vector<std::string> fine_print(const Report& report, const Comparison& comparison);

}  // namespace stagedtrain::report
