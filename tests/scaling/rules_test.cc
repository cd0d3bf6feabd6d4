// The literature's rules: their figures, and where they must be refused.
#include "scaling/rules.h"

#include "scaling/family.h"
#include "support/catch.h"
#include "support/digits.h"
#include "support/errors.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using test::operator""_digits;

namespace {

RuleQuestion question(std::size_t stages, double parameters, double tokens, double decay = 0) {
  RuleQuestion q;
  q.stages = stages;
  q.parameters = parameters;
  q.run = {.tokens = tokens, .decay = decay};
  return q;
}

}  // namespace

TEST_CASE("stacking's timing law gives its authors' figures", "[T10]") {
  CHECK(g_stack_tokens(7e9, 6 * 7e9 * 2e12) == "1.1113e10"_digits);
  CHECK(g_stack_tokens(8e9, 6 * 8e9 * 15e12) == "6.58139e9"_digits);
  const auto share = [](double n, double d) { return g_stack_tokens(n, 6 * n * d) / d; };
  CHECK(share(124e6, 2.5e9) == "8.3"_digits);
  CHECK(share(410e6, 8.2e9) == "2.4"_digits);
  CHECK(share(1.1e9, 22e9) == ".937"_digits);
  CHECK(share(1.1e9, 110e9) == ".10"_digits);
  CHECK(share(8e9, 15e12) == ".0004"_digits);
}

TEST_CASE("stacking's timing law is refused where it asks for half of the run, and warns outside",
          "[T10]") {
  const std::string refused = test::refusal(
      ErrorKind::usage, [] { find_rule("g-stack").answer(question(2, 124e6, 2.5e9)); });
  CHECK(refused.find("its law asks for 20.8G tokens before the growth, expected less than half of "
                     "the run's 2.5G") != std::string::npos);
  CHECK_THROWS_AS(find_rule("g-stack").answer(question(2, 410e6, 8.2e9)), Error);
  const RuleAnswer good = find_rule("g-stack").answer(question(2, 1.1e9, 110e9));
  CHECK(good.warnings.empty());
  CHECK(good.shares[0] == Approx(.10).epsilon(0.03));
  CHECK(find_rule("g-stack").answer(question(2, 8e9, 15e12)).warnings.size() == 1);
  CHECK_THROWS_AS(find_rule("g-stack").answer(question(3, 1.1e9, 110e9)), Error);
}

TEST_CASE("proportional and equal stages divide the run as in their papers") {
  const auto shares = [](const char* name) {
    return find_rule(name).answer(question(4, 1e8, 1e9)).shares;
  };
  const double first[] = {.1, .2, .3, .4}, second[] = {.033333, .133333, .3, .533333};
  double cost_1 = 0, cost_2 = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(shares("prop-1")[i] == Approx(first[i]).epsilon(1e-12));
    CHECK(shares("prop-2")[i] == Approx(second[i]).margin(5e-7));
    CHECK(shares("equal")[i] == 0.25);
    cost_1 += shares("prop-1")[i] * static_cast<double>(i + 1) / 4;
    cost_2 += shares("prop-2")[i] * static_cast<double>(i + 1) / 4;
  }
  CHECK(cost_1 == Approx(.75).epsilon(1e-12));
  CHECK(cost_2 == Approx(.833333).margin(5e-7));
  const RuleAnswer late = find_rule("equal").answer(question(4, 1e8, 1e9, 3e8));
  CHECK(late.warnings == std::vector<std::string>{"the rate decays before the last growth"});
}

TEST_CASE("one jump comes as late as decay and mixing allow") {
  RuleQuestion q = question(2, 124e6, 528e3, 40e3);
  q.run.mixing = 8e3;
  const RuleAnswer answer = find_rule("one-jump").answer(q);
  CHECK(answer.shares[0] == Approx(480.0 / 528).epsilon(1e-12));
  CHECK(answer.warnings.empty());
  q.run.mixing = 0;
  CHECK(find_rule("one-jump").answer(q).warnings.size() == 1);
  q.run.mixing = 6e5;
  CHECK_THROWS_AS(find_rule("one-jump").answer(q), Error);
}

TEST_CASE("the paper's thresholds are near the optimum of its law") {
  const double parameters = 3e8, floor = Kaplan().floor(parameters), end = 1.1 * floor;
  struct {
    double factor, slope, rho, saving, part;
  } rows[] = {{2, kDepthSlope, 1.6175568576, 0.0656010686, 0.992},
              {4, kWidthSlope, 2.7179423677, 0.0776911204, 0.972}};
  for (const auto& row : rows) {
    const Size small = test::kaplan_size(parameters / row.factor);
    const Size large = test::kaplan_size(parameters);
    const double tokens = tokens_at_slope(*small.curve, row.slope);
    CHECK(small.curve->log_slope(small.curve->loss(tokens)) == Approx(row.slope).epsilon(1e-9));
    const GrowthPoint growth = growth_after(small, large, tokens);
    const double saving = growth.tokens_saved / large.curve->tokens(end);
    CHECK(growth.rho() == Approx(row.rho).epsilon(1e-9));
    CHECK(saving == Approx(row.saving).epsilon(1e-9));
    CHECK(growth.tokens_saved / best_growth(small, large, end).tokens_saved ==
          Approx(row.part).margin(5e-4));
  }
  // The notebook's rho for depth belongs to the threshold for width.
  const Size half = test::kaplan_size(parameters / 2), whole = test::kaplan_size(parameters);
  const GrowthPoint mixed_up = growth_after(half, whole, tokens_at_slope(*half.curve, kWidthSlope));
  CHECK(mixed_up.rho() == Approx(1.8316541).epsilon(5e-8));
}

TEST_CASE("the paper's rule divides a run that is long enough and refuses a short one") {
  RuleQuestion q = question(2, 3e8, 0);
  q.small = test::kaplan_size(1.5e8);
  const double tokens = tokens_at_slope(*q.small->curve, kDepthSlope);
  q.run = {.tokens = 2 * tokens, .decay = 0.4 * tokens};
  CHECK(find_rule("paper-depth").answer(q).shares[0] == Approx(0.5).epsilon(1e-12));
  q.run = {.tokens = 1.2 * tokens, .decay = 0.3 * tokens};
  CHECK_THROWS_AS(find_rule("paper-depth").answer(q), Error);
  q.small.reset();
  CHECK_THROWS_AS(find_rule("paper-depth").answer(q), Error);
}

// notebooks/remove_oracle.ipynb of allenai/staged-training: steps before the growth, where the grown
// model went on, and where training from scratch came to the slope -0.052, at 512 x 1,024 tokens a
// step. Base and large have 85M and 680M parameters without embeddings.
TEST_CASE("the paper's rules come to the growth points of its own four runs") {
  struct PaperRun {
    const char* rule;
    double small, before, resumed, scratch;
  };
  const PaperRun runs[] = {{"paper-depth", 42.5e6, 2949, 2149, 5099},
                           {"paper-depth", 339.7e6, 6799, 4549, 7749},
                           {"paper-width", 21.2e6, 3799, 2049, 5099},
                           {"paper-width", 169.9e6, 6299, 3549, 7749}};
  double measured = 0, ruled = 0;
  for (const PaperRun& run : runs) {
    const double steps = run.before + run.scratch - run.resumed;
    const bool depth = std::string(run.rule) == "paper-depth";
    const double large = depth ? 2 * run.small : 4 * run.small;
    RuleQuestion q = question(2, large, steps * 512 * 1024);
    q.small_inner = run.small;
    q.final_inner = large;
    q.small = test::kaplan_size(run.small);
    const RuleAnswer answer = find_rule(run.rule).answer(q);
    CHECK(answer.shares[0] == Approx(depth ? 0.5922 : 0.6248).margin(5e-4));
    CHECK(answer.shares[0] * steps == Approx(run.before).epsilon(0.19));
    measured += run.before / steps / 4;
    ruled += answer.shares[0] / 4;
    REQUIRE(answer.warnings.size() == 2);
    CHECK(answer.warnings[0].find("like those of the paper, at the slope -0.052") !=
          std::string::npos);
  }
  CHECK(ruled == Approx(measured).epsilon(0.05));
}

TEST_CASE("a paper's rule speaks of the decay only where the rate decays") {
  RuleQuestion q = question(2, 3e8, 1e9);
  q.small = test::kaplan_size(1.5e8);
  const auto refused = [&] {
    return test::refusal(ErrorKind::usage, [&] { find_rule("paper-depth").answer(q); });
  };
  CHECK(refused().find("but the run ends after 1G") != std::string::npos);
  q.run.decay = 2e8;
  CHECK(refused().find("but the learning rate decays from 800M") != std::string::npos);
}

TEST_CASE("a slope that a curve never has is refused") {
  const PowerCurve no_floor(0, 5, 0.1);  // its slope is -0.1 everywhere
  CHECK(test::refusal(ErrorKind::usage, [&] { tokens_at_slope(no_floor, -0.05); }) ==
        "the slope of the loss never reaches -0.05 | ");
  CHECK_THROWS_AS(tokens_at_slope(PowerCurve(2, 1, 0.04), -0.05), Error);
  CHECK_THROWS_AS(tokens_at_slope(no_floor, 0.1), Error);
}

TEST_CASE("every rule is found by its name, and a wrong name gets the nearest") {
  for (const Rule& rule : rules()) CHECK(find_rule(rule.name).source == rule.source);
  CHECK(test::refusal(ErrorKind::usage, [] { find_rule("g_stack"); }) ==
        "unknown rule 'g_stack'; did you mean 'g-stack'? | ");
}
