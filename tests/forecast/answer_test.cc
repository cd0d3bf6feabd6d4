// The first lines of a plan answer a reader who has one minute; the whole fits on a screen.
#include "forecast/answer.h"

#include <algorithm>

#include "optimize/optimize.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

FullPlan full_plan(const schedule::Schedule& schedule, const std::string& law = "chinchilla",
                   const Transfer& transfer = {}) {
  return make_full_plan(resolve(schedule), find_planning_law(law), transfer);
}

schedule::Schedule gpt2_file() {
  return schedule::load(test::source_folder() / "schedules/gpt2-124m.yaml");
}

// The text without its line breaks and indents.
std::string one_line_of(const std::string& text) {
  std::string line;
  for (const char c : text)
    if (const char next = c == '\n' ? ' ' : c; next != ' ' || !line.ends_with(' ')) line += next;
  return line;
}

// 40 lines of 100 columns, whose first five begin with the four parts of the answer.
void check_screen(const std::string& text) {
  INFO(text);
  std::vector<std::string> lines = split(text, '\n');
  CHECK(lines.size() <= 41);  // the last is what follows the last line end
  for (const std::string& line : lines) CHECK(line.size() <= 100);
  lines.resize(5);
  const std::string first = join(lines, "\n");
  for (const char* part : {"do       train", "saves    ", "costs    "}) CHECK(contains(first, part));
}

}  // namespace

TEST_CASE("every plan fits a screen and answers in five lines") {
  for (const auto& file : test::example_schedules())
    for (const char* law : {"chinchilla", "kaplan"}) {
      INFO(file.string());
      check_screen(short_text(full_plan(schedule::load(file), law)));
    }
  std::vector<std::string> many = {"model.layers=64", "stages.1.grow.0.layers=2"};
  std::string stages = "stages=[{name: s1, model: {layers: 1}, for: 50}";
  for (int i = 2; i <= 64; ++i)
    stages += fmt::format(", {{name: s{0}, grow: [{{operator: depth, layers: {0}}}], for: 50}}", i);
  check_screen(short_text(full_plan(test::two_stages({"model.layers=64", stages + "]"}))));
  check_screen(short_text(full_plan(test::two_stages({fmt::format(
      "stages.0.name={}", std::string(60, 'x'))}))));
}

TEST_CASE("the answer has floor, ceiling and measured saving, cost and the strongest warning") {
  const std::string text = answer_text(full_plan(gpt2_file()));
  INFO(text);
  for (const char* part :
       {"train 6 x 768 for 3,052 steps, grow it into 12 x 768 for 2,035",
        "floor 5.2%, ceiling 21.1% of the FLOPs of a scratch run to the same loss; not measured "
        "yet\n",
        "1.67E FLOPs, 2.5G tokens (scratch 2.06G), 13.6 GiB memory; time not known (plan "
        "--measure)\n",
        "beware   the law was fitted to other people's runs, and the floor is an assumption: of "
        "six"})
    CHECK(contains(text, part));
  const FullPlan measured =
      full_plan(gpt2_file(), "chinchilla", {scaling::Assumption::measured, 1.2, 0});
  const double saved = measured.outlook.forecasts[0].savings.flops;
  CHECK(saved > 0.052);
  CHECK(saved < 0.211);
  CHECK(contains(one_line_of(answer_text(measured)),
                 fmt::format("by the measured rho {:.1f}%", 100 * saved)));
  const std::string timed = answer_text(full_plan(schedule::load(
      test::source_folder() / "schedules/gpt2-124m.yaml",
      {"machine={flops: 312T, price_per_hour: 2}"})));
  CHECK(contains(timed, "3h58m"));
  CHECK(contains(timed, "in money"));
}

TEST_CASE("an optimised plan answers in the same way, with this plan's own ceiling") {
  for (const std::int64_t stages : {2, 3}) {
    OptimizeOptions options;
    options.most_stages = stages;
    const Optimum optimum = optimize(gpt2_file(), options);
    check_screen(short_text(optimum));
    const Forecast& ceiling = optimum.full.outlook.forecasts[1];
    REQUIRE(ceiling.assumption == scaling::Assumption::mixing);
    // The saving of the very stages that are printed, were rho 1.
    double spent = 0, tokens = 0;
    for (const OptimizedStage& stage : optimum.stages) {
      spent += stage.flops;
      tokens += stage.tokens - stage.lost_tokens;
    }
    const double own = 1 - spent / (tokens * optimum.stages.back().size.flops_per_token);
    CHECK(ceiling.savings.flops == Approx(own).margin(2e-3));
    CHECK(optimum.ceiling == Approx(own).margin(2e-3));
  }
}

TEST_CASE("a law keeps the name that it was asked for, and says where it does not hold") {
  for (const char* name : {"chinchilla", "besiroglu", "hoffmann", "kaplan"})
    CHECK(find_planning_law(name).name == name);
  CHECK(contains(short_text(full_plan(gpt2_file())), "chinchilla: Besiroglu"));
  const std::string small = answer_text(full_plan(test::two_stages()));
  INFO(small);
  CHECK(contains(
      small,
      "not known, because the published law chinchilla does not cover this model (it predicts"));
  CHECK(contains(small, "guessing among 256 ids is 5.55)."));
  CHECK(contains(small, "next     Fit your own runs: stagedtrain plan --fit"));
}

TEST_CASE("the strongest warning stands whole, however long it is") {
  int warned = 0;
  const auto check = [&](const FullPlan& full, const std::vector<std::string>& warnings) {
    const std::string text = answer_text(full, warnings);
    INFO(text);
    CHECK_FALSE(contains(text, " ..."));
    const std::vector<std::string>& own = full.plan.warnings;
    const std::vector<std::string>& lines = !own.empty()        ? own
                                            : !warnings.empty() ? warnings
                                                                : full.outlook.warnings;
    if (lines.empty()) return;
    ++warned;
    CHECK(contains(one_line_of(text), "beware " + lines.front()));
  };
  for (const auto& file : test::example_schedules())
    for (const char* law : {"chinchilla", "kaplan"})
      for (const Transfer& transfer : {Transfer{}, Transfer{scaling::Assumption::mixing, 1, 1e9},
                                       Transfer{scaling::Assumption::measured, 1.2, 0}})
        check(full_plan(schedule::load(file), law, transfer), {});
  check(full_plan(gpt2_file()), {std::string(40, 'x') + " " + std::string(300, 'y') + " end"});
  OptimizeOptions options;
  const Optimum optimum = optimize(gpt2_file(), options);
  check(optimum.full, optimum.warnings);
  CHECK(warned > 3);
}

TEST_CASE("the demo has a forecast by the law that it names, with intervals") {
  const schedule::Schedule demo = schedule::load(test::source_folder() / "schedules/demo.yaml");
  REQUIRE(names_law_file(demo.plan.law));
  const FullPlan full = full_plan(demo, (test::source_folder() / demo.plan.law).string());
  REQUIRE(full.outlook.nothing.empty());
  REQUIRE(full.outlook.forecasts.size() == 2);
  CHECK(full.outlook.forecasts[0].stages.back().end.range);
  CHECK(full.outlook.forecasts[0].flops_range);
  CHECK(contains(answer_text(full), "floor 4"));
}

TEST_CASE("one word has one meaning") {
  const FullPlan full = full_plan(gpt2_file());
  const std::string details = to_text(full);
  CHECK(contains(details, "slope is d ln loss / d ln tokens"));
  CHECK(contains(one_line_of(details), std::string("It is not a bound: ") + kFloorRecord));
  CHECK(contains(details, "evaluating  checkpoints"));
  CHECK_FALSE(contains(details, "evaluating  saving"));
}
