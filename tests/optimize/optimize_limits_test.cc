// Properties of optimised plans over random problems: no growth in the decay, limits kept at the
// least cost, a last stage worth the name.
#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "optimize/optimize_problem.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using scaling::Assumption;
using test::contains;

namespace {

double uniform(const CounterRng& rng, std::uint64_t index, double low, double high) {
  return low + (high - low) * static_cast<double>(rng.below(index, 1000001)) / 1e6;
}

schedule::Schedule random_schedule(const CounterRng& rng) {
  const char* models[] = {"{layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
                          "{layers: 8, width: 512, heads: 8, context: 512, vocab: 32000}",
                          "{layers: 24, width: 1024, heads: 16, context: 1024, vocab: 50257}"};
  const char* decays[] = {"5%", "20%", "50%", "2000 steps", "300M tokens"};
  const char* curves[] = {"wsd", "wsd", "wsd", "constant", "cosine"};
  const char* rewarms[] = {"0", "200", "1%"};
  return test::gpt2_124m({std::string("model=") + models[rng.below(0, 3)],
                          std::string("lr.decay=") + decays[rng.below(1, 5)],
                          std::string("lr.curve=") + curves[rng.below(2, 5)],
                          std::string("lr.rewarm=") + rewarms[rng.below(3, 3)]});
}

OptimizeOptions random_options(const CounterRng& rng) {
  const char* laws[] = {"chinchilla", "hoffmann", "kaplan"};
  OptimizeOptions options;
  options.law = find_planning_law(laws[rng.below(10, 3)]);
  options.most_stages = 2 + static_cast<std::int64_t>(rng.below(11, 3));
  options.goal = {Goal::Kind::tokens, std::exp(uniform(rng, 12, std::log(5e8), std::log(2e10)))};
  if (rng.below(13, 3) == 0)
    options.goal = {Goal::Kind::cost, std::exp(uniform(rng, 14, std::log(5e17), std::log(1e20)))};
  if (rng.below(15, 3) == 0) options.goal = {Goal::Kind::loss, uniform(rng, 16, 3.0, 3.6)};
  const std::uint64_t assumption = rng.below(17, 3);
  if (assumption == 1) options.transfer = {Assumption::mixing, 1, uniform(rng, 18, 0, 2e8)};
  if (assumption == 2) options.transfer = {Assumption::measured, uniform(rng, 19, 1, 1.6), 0};
  return options;
}

// Of two stages, the cheapest that the tail and the limit of tokens allow, by trying them all.
double exhaustive_cost(const Problem& problem, double end, double most_tokens) {
  double best = end * problem.costs.back();
  const std::vector<double> ones(problem.family.size(), 1);
  for (const scaling::FamilyPairs::Pair& pair : problem.pairs.pairs) {
    if (pair.to + 1 != problem.family.size()) continue;
    const scaling::Size& small = problem.family[pair.from];
    for (int i = 0; i < 4000; ++i) {
      const double tokens = end * 6 * std::pow(i / 4000.0, 2);
      const scaling::GrowthPoint growth =
          scaling::growth_after(small, problem.final_size(), tokens);
      const scaling::GrowthPath growth_path{{pair.from, problem.family.size() - 1}, {growth}, 0, 0};
      const double all = sum_over(problem, growth_path, end, ones);
      const double last = end - growth.resume_tokens + problem.lost_tokens;
      if (!(tokens > 0) || !std::isfinite(growth.resume_tokens) || all > most_tokens ||
          last < tail_tokens(problem, all, 2))
        continue;
      best = std::min(best, sum_over(problem, growth_path, end, problem.costs));
    }
  }
  return best;
}

}  // namespace

TEST_CASE("no growth falls into the run's own decay, for any goal, law, assumption and curve") {
  int grown = 0, refused = 0;
  for (std::uint64_t number = 0; number < 120; ++number) {
    const CounterRng rng(number, 21);
    const schedule::Schedule schedule = random_schedule(rng);
    const OptimizeOptions options = random_options(rng);
    Optimum optimum;
    try {
      optimum = optimize(schedule, options);
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::usage);  // a loss below the floor, no time to mix
      ++refused;
      continue;
    }
    const RunPlan& plan = optimum.full.plan;
    INFO(number << ": " << plan.total_steps << " steps, decay " << plan.decay_steps
                << ", last growth after " << plan.stages.back().first_step);
    grown += plan.stages.size() > 1;
    REQUIRE(plan.stages.back().first_step <= plan.total_steps - plan.decay_steps);
    if (plan.stages.size() > 1) {
      const double share = static_cast<double>(plan.stages.back().steps) /
                           static_cast<double>(plan.total_steps);
      REQUIRE(share >= kLeastLastStage - 2.0 / static_cast<double>(plan.total_steps));
      // To the length of the goal's run from scratch, of which a re-warm-up in % is a part.
      REQUIRE(static_cast<double>(plan.stages.back().steps) >=
              1.5 * static_cast<double>(plan.stages.back().rewarm_steps) - 2);
    }
  }
  CHECK(grown > 60);
  CHECK(refused < 40);
}

TEST_CASE("with a limit of tokens a plan costs what the best two stages within it cost") {
  int limited = 0;
  for (std::uint64_t number = 0; number < 25; ++number) {
    const CounterRng rng(number, 22);
    const schedule::Schedule schedule = random_schedule(rng);
    const RunPlan base = resolve(schedule);
    OptimizeOptions options;
    const double end = std::exp(uniform(rng, 12, std::log(5e8), std::log(1e10)));
    options.goal = {Goal::Kind::tokens, end};
    options.most_tokens = end * uniform(rng, 30, 1.01, 1.3);
    const Problem problem = make_problem(base, options);
    const double best = exhaustive_cost(problem, end, options.most_tokens);
    const Solution solution = solve(problem);
    const double cost = sum_over(problem, solution.growth_path, end, problem.costs);
    const double saving = 1 - cost / (end * problem.costs.back());
    const double possible = 1 - best / (end * problem.costs.back());
    INFO(number << ": " << end << " tokens, limit " << options.most_tokens << ", saves " << saving
                << ", possible " << possible);
    limited += possible > 0.005;
    REQUIRE(saving >= possible - 0.01 * std::max(possible, 0.05));
    REQUIRE(sum_over(problem, solution.growth_path, end, std::vector(problem.family.size(), 1.0)) <=
            options.most_tokens * (1 + 2e-6));
  }
  CHECK(limited > 10);
}

TEST_CASE("stages of whole steps keep a limit of tokens and a cost to the last step") {
  int at_limit = 0;
  for (std::uint64_t number = 0; number < 40; ++number) {
    const CounterRng rng(number, 24);
    OptimizeOptions options;
    options.most_stages = 2 + static_cast<std::int64_t>(rng.below(0, 3));
    const double end = std::exp(uniform(rng, 1, std::log(5e8), std::log(1e10)));
    const bool costs = rng.below(2, 2) == 0;
    if (costs) {
      options.goal = {Goal::Kind::cost, 8e8 * end};
    } else {
      options.goal = {Goal::Kind::tokens, end};
      options.most_tokens = end * uniform(rng, 3, 1.01, 1.2);
    }
    const Optimum optimum = optimize(test::gpt2_124m(), options);
    const double taken = costs ? optimum.flops : optimum.tokens;
    const double most = costs ? options.goal.amount : options.most_tokens;
    INFO(number << ": " << taken << " of " << most);
    REQUIRE(taken <= most * (1 + 1e-9));
    REQUIRE(optimum.tokens == static_cast<double>(optimum.full.plan.tokens));
    at_limit += taken > 0.995 * most;
  }
  CHECK(at_limit > 25);
}

TEST_CASE("the issue's limits of tokens save what is possible within them") {
  const auto saved = [](double tokens, double most) {
    OptimizeOptions options;
    options.goal = {Goal::Kind::tokens, tokens};
    options.most_tokens = most;
    return 100 * optimize(test::gpt2_124m(), options).planned.flops;
  };
  CHECK(saved(500e6, 573.4e6) > 6.5);
  CHECK(saved(1e9, 1.097e9) > 4.6);
  CHECK(saved(2.5e9, 2.597e9) > 1.9);
}

TEST_CASE("amounts that no run can have are refused, never wrapped around") {
  for (const double tokens : {1e24, 4.7e24, 1e30, 1e60}) {
    OptimizeOptions options;
    options.goal = {Goal::Kind::tokens, tokens};
    const std::string said =
        test::refusal(ErrorKind::usage, [&] { optimize(test::gpt2_124m(), options); });
    INFO(tokens << ": " << said);
    CHECK(contains(said, "steps, expected at most 1e+09"));
  }
  for (const double cost : {1e40, 1e60, 1e300}) {
    OptimizeOptions options;
    options.goal = {Goal::Kind::cost, cost};
    const std::string said =
        test::refusal(ErrorKind::usage, [&] { optimize(test::gpt2_124m(), options); });
    INFO(cost << ": " << said);
    CHECK(contains(said, "expected at most"));
  }
}
