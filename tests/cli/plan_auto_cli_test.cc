// The planner at work as a user meets it: auto lengths, --from, --trial-steps, --report.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include "support/catch.h"
#include "support/command.h"
#include "support/made_runs.h"
#include "support/refused.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

const std::string kGpt2 = R"(data: {train: t.bin, validation: v.bin}
model: {layers: 12, width: 768, heads: 12, context: 1024, vocab: 50304}
batch: {sequences: 480}
stages:
  - {name: half, model: {layers: 6}, for: auto}
  - {name: full, grow: [{operator: depth, layers: 12}], for: auto}
)";

// plan with a cache of its own, in a folder.
test::CommandResult plan_in(const std::filesystem::path& folder, std::vector<std::string> words) {
  words.insert(words.begin(), {test::program(), "plan"});
  return test::run({.arguments = words, .environment = {{"XDG_CACHE_HOME", folder.string()}}});
}
std::string gpt2_in(const test::TempDir& dir) {
  test::write_text(dir / "gpt2.yaml", kGpt2);
  return (dir / "gpt2.yaml").string();
}

// Gives the steps of a log losses that bend towards a floor, as a fit needs.
void bend(const std::filesystem::path& log) {
  std::istringstream lines(test::read_text(log));
  std::string bent;
  for (std::string line; std::getline(lines, line);) {
    Json event = parse_json(line, "log");
    if (event["event"] == "step")
      event["loss"] = 1.5 + 6 * std::pow(event["step"].get<double>() + 20, -0.45);
    bent += event.dump() + "\n";
  }
  test::write_text(log, bent);
}

}  // namespace

TEST_CASE("plan says what it chose for auto, why, and under which assumption") {
  const test::TempDir dir;
  const auto result = plan_in(dir.path(), {gpt2_in(dir)});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  for (const char* part : {"chosen by the planner", "half: ", "pay the same", "floor (loss-state)",
                           "20 for each parameter"})
    CHECK(contains(result.out, part));
  SECTION("the printed schedule has numbers and plans to itself") {
    const auto printed = plan_in(dir.path(), {gpt2_in(dir), "--print-schedule"});
    CHECK_FALSE(contains(printed.out, "for: auto"));
    test::write_text(dir / "again.yaml", printed.out);
    CHECK(plan_in(dir.path(), {(dir / "again.yaml").string(), "--print-schedule"}).out ==
          printed.out);
  }
  SECTION("--optimize works on such a schedule too") {
    CHECK(plan_in(dir.path(), {gpt2_in(dir), "--optimize"}).exit_code == 0);
  }
}

TEST_CASE("options of the law and the assumption decide lengths of auto, as their keys would") {
  const test::TempDir dir;
  const auto schedule = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {gpt2_in(dir), "--print-schedule"});
    const auto result = plan_in(dir.path(), words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  };
  const std::string own = schedule({});
  const auto check = [&](const std::vector<std::string>& options,
                         const std::vector<std::string>& edits) {
    std::vector<std::string> words;
    for (const std::string& edit : edits) words.insert(words.end(), {"--set", edit});
    CHECK(schedule(options) == schedule(words));
    CHECK(schedule(options) != own);
  };
  check({"--law", "kaplan"}, {"plan.law=kaplan"});
  check({"--transfer", "mixing"}, {"plan.transfer=mixing"});
  check({"--transfer", "mixing", "--mixing", "300M"},
        {"plan.transfer=mixing", "plan.mixing=300M tokens"});
  SECTION("and win over a law that the schedule names") {
    CHECK(schedule({"--set", "plan.law=none.json", "--law", "kaplan"}) ==
          schedule({"--law", "kaplan"}));
    CHECK(plan_in(dir.path(), {gpt2_in(dir), "--set", "plan.law=none.json", "--law", "chinchilla",
                               "--optimize"})
              .exit_code == 0);
  }
}

TEST_CASE("plan --report writes one page that needs nothing else") {
  const test::TempDir dir;
  const std::string page = (dir / "plan.html").string();
  const std::vector<std::string> words = {gpt2_in(dir), "--report", page};
  const auto result = plan_in(dir.path(), words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const std::string html = test::read_text(page);
  for (const char* part : {"Loss against compute", "When to grow", "What the best sizes and more stages save",
                           "The stages in time", "from scratch", "</html>"})
    CHECK(contains(html, part));
  CHECK_FALSE(contains(html, "src="));
  check_refused(plan_in(dir.path(), words), 2, "plan.html");
}

TEST_CASE("plan --fit --report draws the fits") {
  const test::TempDir dir;
  std::string csv = "step,lr,loss\n";
  for (int step = 10; step <= 2000; step += 10)
    csv += fmt::format("{},0.003,{}\n", step, 2 + 20 * std::pow(step + 50.0, -0.5));
  test::write_text(dir / "curve.csv", csv);
  const std::string page = (dir / "fit.html").string();
  const auto result =
      plan_in(dir.path(), {"--fit", (dir / "curve.csv").string(), "--report", page});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(test::read_text(page), "What it leaves, and how far"));
}

TEST_CASE("plan --from says when to grow, and prints the schedule of the rest") {
  const test::TempDir dir;
  test::write_run(
      dir / "run",
      {.role = "staged", .stages = {{"shallow", 2, 2100}, {"full", 6, 900}}, .stop = 1000});
  bend(dir / "run/run.jsonl");
  test::write_text(dir / "run/schedule.yaml", test::kTwoStages);
  const std::string run = (dir / "run").string();
  const std::vector<std::string> kaplan = {"--set", "plan.law=kaplan", "--set",
                                           "plan.scratch=3000"};
  std::vector<std::string> words = {"--from", run};
  words.insert(words.end(), kaplan.begin(), kaplan.end());
  const auto result = plan_in(dir.path(), words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "stage shallow, step 1,000"));
  CHECK(contains(result.out, "grow "));
  CHECK(plan_in(dir.path(), {"--from", run, "--law", "kaplan", "--set", "plan.scratch=3000"}).out ==
        result.out);
  words.push_back("--print-schedule");
  const auto printed = plan_in(dir.path(), words);
  CHECK(contains(printed.out, "shallow"));
  CHECK_FALSE(contains(printed.out, "for: 2100 steps"));
  check_refused(plan_in(dir.path(), {"--from", (dir / "none").string()}), 2, "schedule.yaml");
}

TEST_CASE("plan --trial-steps writes runs, waits for them, ranks them and plans with the best") {
  const test::TinyRun tiny;
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const std::string folder = (tiny / "trials").string();
  const std::vector<std::string> words = {"--trial-steps", "3", (tiny / "tiny.yaml").string(),
                                          "--out", folder};
  const auto first = plan_in(tiny.path(), words);
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(contains(first.out, "not yet"));
  CHECK(contains(first.out, "run.sh"));
  CHECK(contains(first.out, "8 ways to grow, tried with"));
  CHECK(contains(first.out, "--ways"));
  // What run.sh trains is made up here.
  double loss = 2;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto run = std::filesystem::path(folder) / "runs" / entry.path().stem();
    std::filesystem::create_directories(run);
    test::write_text(run / "run.jsonl",
                     fmt::format("{{\"event\":\"start\",\"role\":\"staged\",\"stages\":[]}}\n"
                                 "{{\"event\":\"end\",\"step\":9,\"loss\":{},\"stderr\":0.01}}\n",
                                 loss += 0.1));
  }
  const auto second = plan_in(tiny.path(), words);
  INFO(second.err);
  CHECK(second.exit_code == 0);
  CHECK_FALSE(contains(second.out, "not yet"));
  CHECK(contains(second.out, "best: "));
  CHECK(contains(second.out, "planned with it"));
  CHECK(contains(second.out, "to the best"));
  SECTION("more ways go on in the same folder") {
    std::vector<std::string> more = words;
    more.insert(more.end(), {"--ways", "9"});
    const auto third = plan_in(tiny.path(), more);
    CHECK(contains(third.out, "8 of 9 have ended"));
  }
  check_refused(
      plan_in(tiny.path(), {"--trial-steps", "4", (tiny / "tiny.yaml").string(), "--out", folder}),
      2, "belongs to other trial runs");
}

TEST_CASE(
    "plan --trial-steps --train-last writes trials of learning rates and plans with the best") {
  const test::TinyRun tiny;
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const std::string folder = (tiny / "rates").string();
  const std::vector<std::string> words = {
      "--trial-steps", "5",   "--train-last", "1", "--ways", "3", (tiny / "tiny.yaml").string(),
      "--out",         folder};
  const auto first = plan_in(tiny.path(), words);
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(contains(first.out, "3 learning rates, tried on the last 1 of 2 layers"));
  CHECK(contains(first.out, "0 of 3 have ended"));
  const std::pair<const char*, double> losses[] = {{"0.01", 2.5}, {"0.005", 2.4}, {"0.02", 2.6}};
  for (const auto& [rate, loss] : losses) {
    REQUIRE(std::filesystem::exists(Path(folder) / fmt::format("lr-{}.yaml", rate)));
    const Path run = Path(folder) / "runs" / fmt::format("lr-{}", rate);
    std::filesystem::create_directories(run);
    test::write_text(run / "run.jsonl",
                     fmt::format("{{\"event\":\"start\",\"role\":\"staged\",\"stages\":[]}}\n"
                                 "{{\"event\":\"end\",\"step\":5,\"loss\":{},\"stderr\":0.01}}\n",
                                 loss));
  }
  std::vector<std::string> print = words;
  print.push_back("--print-schedule");
  CHECK(contains(plan_in(tiny.path(), words).out, "best: lr.peak=0.005"));
  CHECK(contains(plan_in(tiny.path(), print).out, "peak: 0.005"));
  std::vector<std::string> deep = words;
  deep[3] = "3";
  check_refused(plan_in(tiny.path(), deep), 2, "--train-last 3: the final model has 2 layers");
}

TEST_CASE("a finished run teaches: its speed and growth are kept for later plans") {
  const test::TinyRun tiny;
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const auto trained =
      test::run({.arguments = {test::program(), "train", (tiny / "tiny.yaml").string(), "--out",
                               (tiny / "run").string()},
                 .environment = {{"XDG_CACHE_HOME", tiny.path().string()}}});
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  const Json speeds =
      parse_json(test::read_text(tiny / "stagedtrain/measurements.json"), "measurements");
  REQUIRE(speeds["measurements"].size() == 2);
  CHECK(speeds["measurements"][0]["seconds_per_token"].get<double>() > 0);
  const Json outcomes = parse_json(test::read_text(tiny / "stagedtrain/growths.json"), "outcomes");
  CHECK(outcomes["growths"][0]["stage"] == "full");
  CHECK(outcomes["growths"][0]["to"]["layers"] == 2);
}
