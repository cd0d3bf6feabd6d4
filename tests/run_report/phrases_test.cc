// The report's sentences and numbers.
#include "run_report/phrases.h"

#include <fmt/format.h>

#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

Run run_of(std::string role, double flops, double loss, double se = 0.001) {
  Run run;
  run.name = role + fmt::format("-{}", flops);
  run.role = role;
  run.device = "cpu";
  run.threads = 2;
  run.seed = 1;
  run.settings = {{"lr.peak", "0.003"}, {"dropout", "0"}, {"evaluate.tokens", "65536"}};
  run.train_fingerprint = "1234abcd";
  run.validation_fingerprint = "5678abcd";
  run.stages = {{.name = "full", .params = 100}};
  run.end = RunEnd{{.step = flops, .tokens = 2 * flops, .flops = flops, .seconds = 3 * flops},
                   loss,
                   se,
                   kUnknown,
                   true};
  return run;
}

std::string verdict_of(double flops, double loss, double se = 0.001) {
  const Report report =
      make_report({run_of("staged", flops, loss, se), run_of("scratch", 100, 2.0, se),
                   run_of("scratch", 400, 1.6, se)});
  return verdict(report, report.comparisons.at(0));
}

CostResult with(Saving saving) { return {.kind = CostKind::flops, .saving = saving}; }

}  // namespace

TEST_CASE("numbers as words, and n/a for what is not known") {
  CHECK(count_text(1234567) == "1.23M");
  CHECK(whole_text(1234567) == "1,234,567");
  CHECK(seconds_text(75) == "1m15s");
  CHECK(decimal_text(1.7021, 3) == "1.702");
  CHECK(loss_text(1.7021, 0.0042) == "1.7021 ± 0.0042");
  CHECK(loss_text(1.7021, kUnknown) == "1.7021");
  CHECK(percent_text(0.312, 0.014) == "31.2% ± 1.4");
  CHECK(percent_text(-0.05, kUnknown) == "-5.0%");
  for (const std::string& text :
       {count_text(kUnknown), whole_text(kUnknown), seconds_text(kUnknown),
        decimal_text(kUnknown, 1), loss_text(kUnknown, 1), percent_text(kUnknown, 1)})
    CHECK(text == "n/a");
}

TEST_CASE("a saving in words, with the bound where there is no number") {
  CHECK(saving_text(with({.reach = Reach::inside, .value = 0.314, .se = 0.01})) ==
        "31% fewer FLOPs");
  CHECK(saving_text(with({.reach = Reach::inside, .value = -0.05, .se = 0.001})) ==
        "5.0% more FLOPs");
  CHECK(saving_text(with({.reach = Reach::extrapolated, .value = 0.314, .se = 0.01})) ==
        "about 31% fewer FLOPs (extrapolated)");
  CHECK(saving_text(
            with({.reach = Reach::beyond, .value = kUnknown, .se = kUnknown, .at_least = 0.28})) ==
        "at least 28% fewer FLOPs");
  CHECK(saving_text(
            with({.reach = Reach::beyond, .value = kUnknown, .se = kUnknown, .at_most = -0.5})) ==
        "at least 50% more FLOPs");
}

TEST_CASE("growth in words says what changed") {
  const arch::ModelConfig small{.layers = 2, .width = 64, .heads = 2, .ffn = 256};
  arch::ModelConfig large = small;
  large.layers = 6;
  CHECK(growth_text(small, large) == "2 → 6 layers");
  large.width = 128, large.heads = 4, large.ffn = 512;
  CHECK(growth_text(small, large) == "2 → 6 layers, width 64 → 128");
  CHECK(growth_text(small, small) == "same size");
}

TEST_CASE("the verdict names the loss, both savings and the gap") {
  CHECK(verdict_of(150, 1.8) ==
        "The staged run reached 1.800 nats per token with 25% fewer FLOPs and 25% less wall-clock "
        "time than the "
        "same model trained from scratch; at equal FLOPs its loss is 0.083 lower. Other sizes were "
        "not trained (train --frontier): against the best of them it may save less.");
}

TEST_CASE("the verdict tells of a staged run that was worse, or not surely better") {
  CHECK(contains(verdict_of(300, 1.8), "with 50% more FLOPs and 50% more wall-clock time"));
  CHECK(contains(verdict_of(300, 1.8), "at equal FLOPs its loss is 0.117 higher"));
  CHECK(contains(verdict_of(195, 1.8, 0.05), "within twice its standard error: it may be chance"));
  CHECK_FALSE(contains(verdict_of(150, 1.8), "may be chance"));
}

TEST_CASE("the verdict says what to run where nothing can be told") {
  const Report report = make_report({run_of("staged", 150, 1.8)});
  const std::string text = verdict(report, report.comparisons.at(0));
  CHECK(contains(text,
                 "no saving can be stated: no scratch run to compare with ended fully decayed"));
  CHECK(contains(text, "--scratch"));
  CHECK(contains(empty_verdict(make_report({run_of("scratch", 1, 2)})),
                 "1 scratch run, no staged run"));
}

TEST_CASE("runs that have not ended are named") {
  Report report = make_report({run_of("staged", 150, 1.8), run_of("scratch", 100, 2.0)});
  CHECK(unfinished_notice(report).empty());
  report.runs[1].end.reset();
  CHECK(contains(unfinished_notice(report), "Not ended yet: scratch-100."));
}

TEST_CASE("the fine print says how the numbers were made and what they leave out") {
  const Report report = make_report(
      {run_of("staged", 150, 1.8), run_of("scratch", 100, 2.0), run_of("scratch", 400, 1.6)});
  std::string text;
  for (const std::string& sentence : fine_print(report, report.comparisons.at(0)))
    text += sentence + "\n";
  INFO(text);
  for (const char* part :
       {"decayed fully are compared",
        "interpolated linearly in log FLOPs between scratch-100 and scratch-400", "upper bound",
        "One seed (1)", "staged 3.0, scratch 2.0 to 8.0", "cpu, 2 threads"})
    CHECK(contains(text, part));
}
