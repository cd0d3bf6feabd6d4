// Allowing more stages never makes an optimized plan worse, for any goal, law, assumption and
// limit.
#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "optimize/optimize_problem.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using scaling::Assumption;

namespace {

double uniform(const CounterRng& rng, std::uint64_t index, double low, double high) {
  return low + (high - low) * static_cast<double>(rng.below(index, 1000001)) / 1e6;
}

double log_uniform(const CounterRng& rng, std::uint64_t index, double low, double high) {
  return std::exp(uniform(rng, index, std::log(low), std::log(high)));
}

schedule::Schedule random_schedule(const CounterRng& rng) {
  const char* models[] = {"{layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
                          "{layers: 8, width: 512, heads: 8, context: 512, vocab: 32000}",
                          "{layers: 6, width: 256, heads: 8, context: 256, vocab: 256}"};
  const char* decays[] = {"5%", "20%", "40%", "60%", "500 steps"};
  const char* curves[] = {"wsd", "wsd", "wsd", "constant", "cosine"};
  const char* rewarms[] = {"0", "50", "1%"};
  return test::gpt2_124m({std::string("model=") + models[rng.below(0, 3)],
                          std::string("lr.decay=") + decays[rng.below(1, 5)],
                          std::string("lr.curve=") + curves[rng.below(2, 5)],
                          std::string("lr.rewarm=") + rewarms[rng.below(3, 3)],
                          "machine={flops: 100T, price_per_hour: 2}"});
}

// A law as a fit to own runs of about this size gives: small sizes are cheap for long, so stages
// become much longer than the run from scratch.
PlanningLaw random_law(const CounterRng& rng, double tokens) {
  const char* published[] = {"chinchilla", "hoffmann", "kaplan"};
  if (const std::uint64_t which = rng.below(10, 6); which < 3)
    return find_planning_law(published[which]);
  FittedJoint joint;
  joint.law = {.E = uniform(rng, 40, .2, 2),
               .A = uniform(rng, 41, .05, 1),
               .a = uniform(rng, 42, .1, .6),
               .B = uniform(rng, 43, .2, 2),
               .b = uniform(rng, 44, .15, .8),
               .beta = uniform(rng, 45, -.1, .1),
               .C = .1,
               .size = 1e6,
               .tokens = tokens / 10};
  joint.sizes = {{1e5, 2, tokens}, {1e6, 2, tokens}};
  joint.scatter = 2e-3;
  joint.freedom = 4;
  FittedLaws laws;
  laws.joint = joint;
  return planning_law(laws, "laws.json");
}

OptimizeOptions random_options(const CounterRng& rng) {
  OptimizeOptions options;
  const double tokens = log_uniform(rng, 12, 5e8, 2e10);
  options.law = random_law(rng, tokens);
  options.goal = {Goal::Kind::tokens, tokens};
  const std::uint64_t goal = rng.below(13, 4);
  if (goal == 0) options.goal = {Goal::Kind::cost, log_uniform(rng, 14, 1e17, 1e20)};
  if (goal == 1) options.goal = {Goal::Kind::loss, uniform(rng, 16, 3.0, 3.6)};
  if (goal == 2) options.unit = rng.below(26, 2) ? CostUnit::seconds : CostUnit::money;
  const std::uint64_t assumption = rng.below(17, 5);
  if (assumption == 0) options.transfer = {Assumption::mixing, 1, uniform(rng, 18, 0, 2e8)};
  if (assumption == 1) options.transfer = {Assumption::measured, uniform(rng, 19, 1, 1.6), 0};
  if (rng.below(20, 4) == 0) options.most_tokens = tokens * uniform(rng, 21, 1.01, 2);
  if (rng.below(22, 4) == 0) options.shortest_stage = tokens * uniform(rng, 23, 0, .3);
  return options;
}

}  // namespace

TEST_CASE("more stages are never worse, whatever is asked for") {
  int better = 0, refused = 0, answered = 0;
  for (std::uint64_t number = 0; number < 150; ++number) {
    const CounterRng rng(number, 51);
    const RunPlan base = resolve(random_schedule(rng));
    OptimizeOptions options = random_options(rng);
    std::optional<Solution> before;
    for (options.most_stages = 1; options.most_stages <= 4; ++options.most_stages) {
      INFO("problem " << number << ", at most " << options.most_stages << " stages, law "
                      << options.law.name << ", goal " << options.goal.amount);
      const Problem problem = make_problem(base, options);
      std::optional<Solution> now;
      try {
        now = solve(problem);
      } catch (const Error& error) {
        REQUIRE(error.kind() == ErrorKind::usage);  // a loss that no model reaches, no time to mix
        REQUIRE_FALSE(before);                      // what fewer stages can do, more can
        ++refused;
        continue;
      }
      ++answered;
      REQUIRE(now->growth_path.sizes.size() <= static_cast<std::size_t>(options.most_stages));
      const double cost = sum_over(problem, now->growth_path, now->run.tokens, problem.costs);
      if (options.goal.kind == Goal::Kind::cost) REQUIRE(cost <= options.goal.amount * (1 + 1e-9));
      if (before) {
        const double was =
            sum_over(problem, before->growth_path, before->run.tokens, problem.costs);
        REQUIRE(now->run.tokens >= before->run.tokens);
        REQUIRE(now->end_loss <= before->end_loss);
        if (now->run.tokens == before->run.tokens) REQUIRE(cost <= was);
        if (options.transfer.assumption == Assumption::loss_state)
          REQUIRE(now->floor <= now->all_sizes + 1e-12);
        better += cost < was || now->run.tokens > before->run.tokens;
      }
      before = now;
    }
  }
  CHECK(answered > 300);
  CHECK(refused < 200);
  CHECK(better > 100);
}

TEST_CASE("the demo's plan of three stages saves at least what two stages save") {
  const schedule::Schedule demo = schedule::load(test::source_folder() / "schedules/demo.yaml");
  OptimizeOptions options;
  options.law =
      find_planning_law((test::source_folder() / "schedules/laws/dictionary.json").string());
  double before = 0;
  for (options.most_stages = 2; options.most_stages <= 4; ++options.most_stages) {
    const Optimum optimum = optimize(demo, options);
    INFO(options.most_stages << " stages");
    CHECK(optimum.planned.flops >= before - 2e-3);  // whole steps
    CHECK(optimum.planned.flops > 0.5);
    before = optimum.planned.flops;
  }
}
