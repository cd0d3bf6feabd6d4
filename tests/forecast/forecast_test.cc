// Losses predicted for a given schedule, under every assumption (C4 of planning.md, as a plan).
#include "forecast/forecast.h"

#include <algorithm>

#include "forecast/full_plan.h"
#include "plan/decay.h"
#include "scaling/pair.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using scaling::Assumption;
using test::contains;

namespace {

// A law whose sizes are the layers alone, so that half the layers are half the parameters.
PlanningLaw made_law() {
  PlanningLaw law = find_planning_law("besiroglu");
  law.least_parameters = 0;
  law.parameters = [](const arch::ParamCount& count) {
    return 4e8 * static_cast<double>(count.non_embedding) / 85054464;
  };
  return law;
}

// 8G tokens in steps of 1M, grown after this share of them.
RunPlan plan_of(std::int64_t factor, double share, const std::vector<std::string>& more = {}) {
  const int first = static_cast<int>(8000 * share);
  std::vector<std::string> edits = {
      "model={layers: 12, width: 768, heads: 12, context: 1000, vocab: 50257}",
      "batch={sequences: 1000}",
      fmt::format("stages.0={{name: small, model: {{layers: {}}}, for: {}}}", 12 / factor, first),
      fmt::format("stages.1={{name: large, grow: [{{operator: depth, layers: 12}}], for: {}}}",
                  8000 - first)};
  edits.insert(edits.end(), more.begin(), more.end());
  return resolve(test::two_stages(edits));
}

Outlook outlook_of(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer = {}) {
  return forecast(plan, run_cost(plan), law, transfer);
}

bool warns(const Outlook& outlook, const std::string& words) {
  return std::any_of(outlook.warnings.begin(), outlook.warnings.end(),
                     [&](const std::string& line) { return contains(line, words); });
}

}  // namespace

TEST_CASE("one schedule has its floor and its ceiling beside each other") {
  const struct {
    std::int64_t factor;
    double share, loss, saving;
  } rows[] = {{2, .5, 2.848615, .059719},
              {4, .5, 2.883306, .071098},
              {2, .8, 2.895123, .057248},
              {4, .8, 2.982426, .081675}};
  for (const auto& row : rows) {
    const RunPlan plan = plan_of(row.factor, row.share);
    REQUIRE(plan.stages[1].params.non_embedding == 85054464 + 2 * 768);
    const Outlook outlook = outlook_of(plan, made_law());
    REQUIRE(outlook.forecasts.size() == 2);
    const Forecast &floor = outlook.forecasts[0], &ceiling = outlook.forecasts[1];
    CHECK(floor.assumption == Assumption::loss_state);
    CHECK(floor.stages[1].end.loss == Approx(row.loss).margin(1e-4));
    CHECK(floor.stages[1].begin->loss == Approx(floor.stages[0].end.loss).epsilon(1e-9));
    CHECK(floor.savings.non_embedding == Approx(row.saving).margin(1e-4));
    CHECK(ceiling.scratch_tokens == Approx(8e9));
    CHECK(ceiling.savings.non_embedding ==
          Approx(row.share * (1 - 1.0 / static_cast<double>(row.factor))).margin(1e-4));
    CHECK(floor.savings.flops < floor.savings.non_embedding);
  }
}

TEST_CASE("when each growth would be best is said, with the range that keeps 95%") {
  const PlanningLaw law = made_law();
  const Outlook early = outlook_of(plan_of(2, .05), law), late = outlook_of(plan_of(2, .6), law);
  REQUIRE(early.windows.size() == 1);
  const GrowthWindow& window = early.windows[0];
  CHECK(window.pays);
  CHECK(window.planned == 400);
  CHECK(window.earliest < window.best);
  CHECK(window.best < window.latest);
  CHECK(late.windows[0].best == Approx(window.best).epsilon(1e-6));
  const auto size = [&](const StagePlan& stage) {
    return scaling::Size{stage.name, arch::flops_per_token(stage.model),
                         law.curve(law.parameters(stage.params))};
  };
  const RunPlan plan = plan_of(2, .05);
  const scaling::GrowthPoint best =
      scaling::best_growth(size(plan.stages[0]), size(plan.stages[1]), 2.9);
  CHECK(window.best == Approx(best.small_tokens / 1e6).epsilon(1e-6));
  CHECK(contains(to_text(plan_of(2, .05), early),
                 "after step 400, which is early; the best step is"));
  CHECK(contains(to_text(plan_of(2, .6), late), "which is late"));
  const std::string fine = to_text(plan_of(2, .1), outlook_of(plan_of(2, .1), law));
  CHECK(contains(fine, "after step 800; the best step is"));  // within the range that keeps 95%
  CHECK(to_json(plan_of(2, .05), early)["growths"][0]["best_step"] == window.best);
  CHECK(outlook_of(plan_of(12, .5), law, {Assumption::mixing}).windows.size() == 1);
}

TEST_CASE("a measured rho stands between them, and a re-warm-up costs half of its tokens") {
  const PlanningLaw law = made_law();
  const Transfer measured{Assumption::measured, 1.3, 0};
  const Outlook outlook = outlook_of(plan_of(2, .5), law, measured);
  REQUIRE(outlook.forecasts.size() == 3);
  CHECK(outlook.forecasts[0].stages[1].resume_tokens == Approx(4e9 / 1.3));
  CHECK(outlook.forecasts[0].stages[1].end.loss < outlook.forecasts[1].stages[1].end.loss);
  CHECK(outlook.forecasts[0].stages[1].end.loss > outlook.forecasts[2].stages[1].end.loss);
  const Outlook warm = outlook_of(plan_of(2, .5, {"stages.1.lr={rewarm: 200}"}), law, measured);
  CHECK(warm.forecasts[0].scratch_tokens == Approx(outlook.forecasts[0].scratch_tokens - 100e6));
}

TEST_CASE("a run of one stage has one forecast and is its own comparison") {
  const Outlook outlook =
      outlook_of(resolve(test::two_stages(
                     {"model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
                      "stages=[{name: whole, for: 1G tokens}]"})),
                 find_planning_law("besiroglu"));
  REQUIRE(outlook.forecasts.size() == 1);
  CHECK(outlook.forecasts[0].savings.flops == Approx(0).margin(1e-12));
  CHECK_FALSE(outlook.forecasts[0].stages[0].begin);
}

TEST_CASE("bootstraps give losses a range") {
  PlanningLaw law = made_law();
  for (double shift : {-0.02, -0.01, 0.0, 0.01, 0.02})
    law.samples.push_back({[shift](double parameters) {
                             scaling::Chinchilla one = scaling::chinchilla_constants().at(0).law;
                             one.E += shift;
                             return std::make_shared<scaling::PowerCurve>(one.curve(parameters));
                           },
                           {}});
  const RunPlan plan = plan_of(2, .5);
  const Outlook outlook = outlook_of(plan, law);
  const LossRange end = outlook.forecasts[0].stages[1].end;
  REQUIRE(end.range);
  CHECK((*end.range)[0] == Approx(end.loss - 0.016).margin(1e-9));
  CHECK((*end.range)[1] == Approx(end.loss + 0.016).margin(1e-9));
  CHECK_FALSE(outlook.forecasts[0].flops_range);  // all sizes share E, so it changes no saving
  CHECK(contains(to_text(plan, outlook), "80% of last"));
  const Json json = to_json(plan, outlook);
  CHECK(json["forecasts"][0]["stages"][1]["end"]["low"] == (*end.range)[0]);
}

// The share of steps and costs that mixing and a given rho save hangs on no loss, so no sample of a
// law changes it.
TEST_CASE("an interval that is printed has a width") {
  PlanningLaw law = made_law();
  for (double shift : {-0.02, -0.01, 0.0, 0.01, 0.02})
    law.samples.push_back({[shift](double parameters) {
                             scaling::Chinchilla one = scaling::chinchilla_constants().at(0).law;
                             one.B *= 1 + shift;
                             return std::make_shared<scaling::PowerCurve>(one.curve(parameters));
                           },
                           {}});
  int with_range = 0;
  const auto check = [&](const std::optional<std::array<double, 2>>& range) {
    if (range) REQUIRE((*range)[0] < (*range)[1]);
    with_range += range.has_value();
  };
  for (const std::int64_t factor : {2, 4, 12})
    for (const double share : {.05, .2, .5, .8})
      for (const Transfer& transfer :
           {Transfer{}, Transfer{Assumption::mixing}, Transfer{Assumption::measured, 1.3, 0}}) {
        const Outlook outlook =
            outlook_of(plan_of(factor, share, {"machine={flops: 100T}"}), law, transfer);
        for (const Forecast& f : outlook.forecasts) {
          INFO(factor << " " << share << " " << scaling::assumption_name(f.assumption));
          REQUIRE(f.flops_range.has_value() == (f.assumption == Assumption::loss_state));
          check(f.flops_range);
          check(f.seconds_range);
          for (const StageForecast& stage : f.stages) {
            check(stage.end.range);
            if (stage.begin) check(stage.begin->range);
          }
        }
        for (const GrowthWindow& window : outlook.windows) check(window.best_range);
      }
  CHECK(with_range > 100);
}

TEST_CASE("no best growth lies in the last steps of the run, under any learning-rate curve") {
  const PlanningLaw law = made_law();
  int bounded = 0, shown = 0;
  for (const char* curve : {"cosine", "linear", "constant", "wsd"})
    for (const std::int64_t factor : {2, 3, 4, 12})
      for (const double share : {.1, .5, .9, .97})
        for (const auto& [rewarm, sequences] : {std::pair{"0", 1000}, {"400", 1000}, {"0", 30}}) {
          const RunPlan plan =
              plan_of(factor, share,
                      {std::string("lr.curve=") + curve, std::string("lr.rewarm=") + rewarm,
                       fmt::format("batch.sequences={}", sequences)});
          const double last = static_cast<double>(plan.total_steps - tail_steps(plan));
          INFO(curve << ", 1/" << factor << " of the layers, share " << share);
          for (const GrowthWindow& window : outlook_of(plan, law).windows) {
            if (!window.pays) continue;
            REQUIRE(window.best <= last * (1 + 1e-9));
            REQUIRE(window.earliest <= window.best * (1 + 1e-9));
            REQUIRE(window.latest <= last * (1 + 1e-9));
            REQUIRE(window.latest >= window.best * (1 - 1e-9));
            bounded += window.latest > last * (1 - 1e-9);
            ++shown;
          }
        }
  CHECK(shown > 50);
  CHECK(bounded > 5);
}

TEST_CASE("losses of own curves on a schedule that decays are said first to be before the decay") {
  PlanningLaw law = made_law();
  law.published = false;
  law.end = kConstantRate;
  for (const char* curve : {"wsd", "cosine", "linear"}) {
    const RunPlan plan = plan_of(2, .6, {std::string("lr.curve=") + curve});
    REQUIRE(plan.decayed);
    CHECK(contains(outlook_of(plan, law).warnings.at(0), "for the peak rate, before the decay"));
  }
  CHECK_FALSE(warns(outlook_of(plan_of(2, .6, {"lr.curve=constant"}), law), "before the decay"));
  law.annealing = [](double) { return 1e-3; };
  CHECK_FALSE(warns(outlook_of(plan_of(2, .6), law), "before the decay, whose gain"));
}

TEST_CASE("a law that is nonsense for the model gives no forecast, and says why") {
  const RunPlan plan = resolve(test::two_stages());
  const Outlook outlook = outlook_of(plan, find_planning_law("besiroglu"));
  CHECK(outlook.forecasts.empty());
  CHECK(contains(outlook.nothing, "guessing among 256 ids is 5.55"));
  CHECK(contains(to_text(plan, outlook), "losses: no forecast"));
  CHECK(to_json(plan, outlook)["nothing"] == outlook.nothing);
}

TEST_CASE("a forecast warns of what makes it uncertain") {
  PlanningLaw law = made_law();
  law.least_parameters = 3e8;
  law.known_tokens = [](double) { return 1e9; };
  const Outlook outlook = outlook_of(plan_of(2, .8), law, {Assumption::loss_state, 1, 1e9});
  CHECK(warns(outlook, "small: 200M parameters, but the law besiroglu was fitted to 300M"));
  CHECK(warns(outlook, "times the data of the fit; beyond 3 times it is a guess"));
  CHECK(warns(outlook, "less than the 1G that mixing takes"));
  RunPlan often = plan_of(2, .5);
  often.facts.train_tokens = 1000001 * often.final_model.context;
  CHECK(warns(outlook_of(often, law), "reads its text 8 times"));
}

TEST_CASE("a plan without a forecast warns of what its assumption does not cover, too") {
  RunPlan plan = plan_of(12, .5);
  const PlanningLaw law = made_law();
  CHECK(warns(outlook_of(plan, law), "12 times the parameters without embeddings; growths beyond 4"));
  CHECK_FALSE(warns(outlook_of(plan_of(2, .5), law), "growths beyond 4"));
  CHECK_FALSE(warns(outlook_of(plan_of(2, .5), law), "mixing time is not known"));
  CHECK(warns(outlook_of(plan_of(2, .5), law, {Assumption::mixing}), "mixing time is not known"));
  CHECK(warns(outlook_of(plan_of(2, .2), law), "the percentage falls; here it is"));
  plan.schedule.lr.curve = "cosine";
  CHECK(warns(outlook_of(plan, law, {Assumption::mixing}), "(cosine) falls from the start"));
  CHECK(warns(outlook_of(plan_of(2, .5), law), "the percentage falls; here nothing is saved"));
}

TEST_CASE("a full plan is text of at most 100 columns, and JSON of everything") {
  const FullPlan full = make_full_plan(plan_of(2, .5), find_planning_law("hoffmann"));
  const std::string text = to_text(full);
  for (const std::string& line : split(text, '\n')) {
    INFO(line);
    CHECK(line.size() <= 100);
  }
  for (const char* part : {"costs", "memory", "losses", "floor (loss-state)", "ceiling (mixing)",
                           "against the final model from scratch", "causal"})
    CHECK(contains(text, part));
  const Json json = to_json(full);
  CHECK(json["outlook"]["forecasts"].size() == 2);
  CHECK(json["costs"]["total"]["flops"] == full.plan.flops);
}
