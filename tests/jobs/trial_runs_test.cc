// Tests of jobs/trial_runs.h: which growths are tried, what is written, how runs are ranked.
#include "jobs/trial_runs.h"

#include <algorithm>

#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using plan::TrialRun;
using test::contains;

namespace {

std::vector<TrialRun> candidates(const std::vector<std::string>& edits = {}) {
  return plan::trial_runs(plan::resolve(test::two_stages(edits)), 50);
}
bool has(const std::vector<TrialRun>& all, const std::string& name) {
  return std::ranges::find(all, name, &TrialRun::name) != all.end();
}
void write_log(const Path& folder, double loss) {
  make_folders(folder);
  test::write_text(folder / "run.jsonl",
                   fmt::format(R"({{"event":"start","role":"staged","stages":[]}}
{{"event":"grow","stage":"full","step":10,"loss_after":3.5}}
{{"event":"end","step":60,"loss":{},"stderr":0.01}}
)",
                               loss));
}

}  // namespace

TEST_CASE("every operator and every word of an option that makes the same model is tried once") {
  const auto all = candidates();
  REQUIRE(all.size() >= 4);
  CHECK(all[0].name == "own");
  const auto place = [&](const char* name) {
    return std::ranges::find(all, name, &TrialRun::name) - all.begin();
  };
  CHECK(place("stack") < place("depth-order-append"));
  CHECK(place("depth-order-append") < place("stack-new_layers-identity"));
  const double whole = plan::trial_flops(all), two = plan::trial_flops({all[0], all[1]});
  CHECK(whole > two);
  CHECK(two > plan::resolve(all[0].schedule).flops);
  CHECK(two < 2 * plan::resolve(all[0].schedule).flops);
  CHECK(has(all, "depth-new_layers-copied"));
  CHECK(has(all, "depth-order-append"));
  CHECK(std::ranges::count(all, "depth-order-append", &TrialRun::name) == 1);
  for (const TrialRun& candidate : all) {
    const plan::RunPlan run = plan::resolve(candidate.schedule);
    CHECK(run.stages[1].model == run.final_model);
    CHECK(run.stages[0].steps == 2100);
    CHECK(run.stages[1].steps == 50);
    CHECK(run.schedule.lr.curve == "constant");
    CHECK(std::ranges::count(all, candidate.growth, &TrialRun::growth) == 1);
  }
}

TEST_CASE("growths in width, and lists of operators one at a time, are tried too") {
  CHECK(has(candidates({"stages.shallow.model={layers: 6, width: 64, heads: 2}",
                        "stages.full.grow=[{operator: width, factor: 2}]"}),
            "clone"));
  const auto both =
      candidates({"stages.shallow.model={layers: 2, width: 64, heads: 2}",
                  "stages.full.grow=[{operator: width, factor: 2}, {operator: depth, layers: 6}]"});
  CHECK(has(both, "clone"));
  CHECK(has(both, "depth-order-append"));
  CHECK(contains(
      test::refusal(ErrorKind::usage, [] { candidates({"stages=[{name: one, for: 5}]"}); }),
      "one stage"));
}

TEST_CASE("the files of trial runs load again and train what is shared once") {
  const auto all = candidates();
  const auto files = plan::trial_files(all, "some folder", "stagedtrain");
  REQUIRE(files.size() == all.size() + 1);
  for (std::size_t i = 0; i < all.size(); ++i)
    CHECK(schedule::parse(files[i].text, files[i].name).stages[1].length.amount == 50);
  CHECK(contains(files.back().text, "--stage shallow"));
  CHECK(contains(files.back().text, "'some folder/runs/shared'"));
}

TEST_CASE("finished runs are ranked by their loss after the steps, others come last") {
  const test::TempDir dir;
  const auto all = candidates();
  write_log(dir.path() / "runs" / all[0].name, 2.5);
  write_log(dir.path() / "runs" / all[2].name, 2.4);
  const auto ranking = plan::ranked(plan::trial_results(all, dir.path()));
  CHECK(ranking[0].name == all[2].name);
  CHECK(ranking[0].loss_after == 3.5);
  CHECK(ranking[1].name == all[0].name);
  CHECK_FALSE(ranking[2].loss.has_value());
  const std::string text = plan::to_text(ranking, 50);
  CHECK(contains(text, "2.4000 ± 0.0100"));
  CHECK(contains(text, "+0.1000"));
  CHECK(contains(text, "not yet"));
  CHECK(plan::to_json(ranking)[1]["loss"] == 2.5);
}

TEST_CASE("ways that make the same state are one way, whatever they are called") {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"stages.shallow.model={layers: 3}", "stages.full.grow=[{operator: stack, factor: 2}]"},
      {"stages.shallow.model={layers: 6, width: 64, heads: 2}",
       "stages.full.grow=[{operator: width, factor: 2}]"}};
  for (const auto& edits : cases) {
    std::vector<std::string> states;
    for (const TrialRun& candidate : candidates(edits)) {
      const plan::RunPlan run = plan::resolve(candidate.schedule);
      // Every tensor's blocks and scales, without the names of operators and options.
      std::string state;
      for (const grow::GrowthStep& step : run.stages[1].growth->steps) {
        state += fmt::format("mask {};", step.mask_steps);
        for (const grow::TensorRecipe& tensor : step.tensors) {
          for (const auto blocks : {&tensor.value, &tensor.gradient}) {
            for (const grow::TensorBlock& b : *blocks)
              state +=
                  fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {},",
                              static_cast<int>(b.kind), b.state, b.source, b.from[0], b.from[1],
                              b.to[0], b.to[1], b.extent[0], b.extent[1], b.scale, b.add, b.tile[0],
                              b.tile[1], b.span, b.stream, b.noise_columns, 0);
            state += "|";
          }
          state += fmt::format("{} {} {} {} {};", tensor.is_new, tensor.lr_scale,
                               tensor.decay_scale, tensor.eps_scale, tensor.ramp_steps);
        }
      }
      INFO(candidate.name);
      REQUIRE(std::ranges::find(states, state) == states.end());
      states.push_back(state);
    }
    CHECK(states.size() >= 3);
  }
}
