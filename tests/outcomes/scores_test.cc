// Tests of outcomes/scores.h: what a run's prediction was worth, and how that widens later
// intervals.
#include "outcomes/scores.h"

#include <cmath>

#include "statistics/fit_joint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

// An 80% interval of so many standard deviations of 0.01 nats around 2.
ScoredRun scored(const std::string& name, double z, double widened = 1) {
  constexpr double kHalf = scaling::kNormal80;
  ScoredRun run{.run = name, .time = "now", .law = "laws.json", .assumption = "measured"};
  run.loss = {2, 2 - 0.01 * kHalf * widened, 2 + 0.01 * kHalf * widened, widened, 2 + 0.01 * z, 0};
  return run;
}

Scores of(const std::vector<double>& zs) {
  Scores scores;
  for (std::size_t i = 0; i < zs.size(); ++i) scores.put(scored("run-" + std::to_string(i), zs[i]));
  return scores;
}

}  // namespace

TEST_CASE("intervals widen by the root mean square of z, from three runs on, never below 1") {
  CHECK(scored("a", 2).loss.z() == Approx(2));
  CHECK(of({3, 3}).loss_widening() == 1);
  CHECK(of({3, -3, 3}).loss_widening() == Approx(3));
  CHECK(of({2, -1, 4}).loss_widening() == Approx(std::sqrt(21.0 / 3)));
  CHECK(of({0.1, -0.2, 0.3}).loss_widening() == 1);
  CHECK(of({90, 90, 90}).loss_widening() == kMostWidening);
  CHECK(of({3, -3, 3}).saving_widening() == 1);  // nothing is known of savings
}

TEST_CASE("what an interval was widened by does not hide the fit's own error") {
  CHECK(scored("a", 3, 3).loss.z() == Approx(3));
  Scores scores;
  for (const char* name : {"a", "b", "c"}) scores.put(scored(name, 3, 3));
  CHECK(scores.loss_widening() == Approx(3));
}

TEST_CASE("a measurement's own error counts as much as the interval's") {
  ScoredRun run = scored("a", 5);
  run.loss.error = 0.01;
  CHECK(run.loss.z() == Approx(5 / std::sqrt(2.0)));
  run.loss.low = run.loss.high = std::nan("");
  CHECK(std::isnan(run.loss.z()));
}

TEST_CASE("inside is judged by the interval that was printed, z by the fit's own") {
  const ScoredRun hit = scored("hit", 2, 3), miss = scored("miss", 2);
  CHECK(hit.loss.inside());
  CHECK(hit.loss.z() == Approx(2));
  CHECK_FALSE(miss.loss.inside());
  CHECK(miss.loss.z() == Approx(2));
  Scores scores;
  for (const ScoredRun& run : {hit, miss}) scores.put(run);
  const Json runs = to_json(scores)["runs"];
  CHECK(runs[0]["loss"]["inside"] == true);
  CHECK(runs[1]["loss"]["inside"] == false);
  CHECK(runs[1]["saving"]["inside"].is_null());
  const std::string text = to_text(scores);
  INFO(text);
  CHECK(contains(text, "yes  +2.0"));
  CHECK(contains(text, "no  +2.0"));
  CHECK(contains(text, "inside: whether the measurement lies in the interval that was printed"));
}

TEST_CASE("a name with line feeds is one row of the table") {
  Scores scores;
  scores.put(scored("a\nb\tc\rd\x1b", 1));
  const std::vector<std::string> lines = split(to_text(scores), '\n');
  REQUIRE(lines.size() > 2);
  CHECK(lines[1].starts_with("a b c d   loss"));
}

TEST_CASE("scores are kept in a file, one for each run, and what is not known replaces nothing") {
  const test::TempDir dir;
  const Path file = dir / "cache/scores.json";
  ScoredRun first = scored("a", 1);
  first.saving = {0.2, 0.1, 0.3, 1, 0.18, 0.01};
  add_scores(file, {first});
  add_scores(file, {scored("a", 2), scored("b", 3)});
  const Scores scores = read_scores(file);
  REQUIRE(scores.all().size() == 2);
  CHECK(scores.all()[0].run == "a");
  CHECK(scores.all()[0].loss.measured == Approx(2.02));
  CHECK(scores.all()[0].saving.measured == 0.18);
  CHECK(contains(to_text(scores), "18.0%"));
  CHECK(to_json(scores)["runs"][1]["loss"]["z"].get<double>() == Approx(3));
}

TEST_CASE("what no run can have come to is not kept") {
  Scores scores;
  for (const double wrong : {-1.0, 0.0, 1e9, HUGE_VAL, std::nan("")}) {
    ScoredRun run = scored("a", 0);
    run.loss.measured = wrong;
    scores.put(run);
  }
  CHECK(scores.all().empty());
  ScoredRun run = scored("a", 0);
  run.saving = {0.2, 0.1, 0.3, 1, 1.5, 0.01};
  scores.put(run);
  CHECK_FALSE(scores.all()[0].saving.known());
  CHECK(scores.all()[0].loss.known());
  run.loss.low = -1e30;  // an interval that no law prints: the prediction counts without it
  scores.put(run);
  CHECK(scores.all()[0].loss.known());
  CHECK_FALSE(scores.all()[0].loss.ranged());
}

TEST_CASE("a history is bounded: the oldest goes") {
  Scores scores;
  for (int i = 0; i < 1005; ++i) scores.put(scored("run-" + std::to_string(i), 1));
  CHECK(scores.all().size() == 1000);
  CHECK(scores.all().front().run == "run-5");
}

TEST_CASE("a finished run is scored by the prediction in its log, another is not") {
  runlog::Run run;
  run.name = "r";
  CHECK_FALSE(score_of(run));
  run.end = runlog::RunEnd{.at = {.step = 10, .seconds = 5}, .loss = 2.1, .se = 0.01};
  CHECK_FALSE(score_of(run));
  run.prediction = {"laws.json", "measured", {2, 1.9, 2.1}, {0.2, 0.1, 0.3}, {4}, ""};
  const auto score = score_of(run, MeasuredSaving{0.15, 0.02});
  REQUIRE(score);
  CHECK(score->loss.measured == 2.1);
  CHECK(std::isnan(score->loss.error));  // the pilots were judged on the same windows
  CHECK(score->saving.measured == 0.15);
  CHECK(score->saving.error == 0.02);
  CHECK(score->seconds.predicted == 4);
  CHECK(score->seconds.measured == 5);
  run.moved = true;  // to another machine: its time says nothing
  CHECK_FALSE(score_of(run)->seconds.known());
}
