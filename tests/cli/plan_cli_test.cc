// `stagedtrain plan` as a user types it.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "support/catch.h"
#include "support/command.h"
#include "support/made_runs.h"
#include "support/refused.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

// kTwoStages as a file of the folder.
std::string schedule_in(const test::TempDir& folder) {
  test::write_text(folder / "two.yaml", test::kTwoStages);
  return (folder / "two.yaml").string();
}

}  // namespace

TEST_CASE("plan prints the table, without any data on the machine") {
  const test::TempDir folder;
  const auto result = test::stagedtrain({"plan", schedule_in(folder)});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  for (const char* part : {"shallow", "full", "total", "3,000", "from scratch"})
    CHECK(contains(result.out, part));
}

TEST_CASE("plan applies edits in order") {
  const test::TempDir folder;
  const auto result =
      test::stagedtrain({"plan", schedule_in(folder), "--set", "stages.full.for=500", "--set",
                         "stages.full.for=1200", "--set", "optimizer.betas=[0.8, 0.9]", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(Json::parse(result.out)["total_steps"] == 3300);
}

TEST_CASE("plan's schedule with every default runs to the same plan") {
  const test::TempDir folder;
  const std::string path = schedule_in(folder);
  const auto printed = test::stagedtrain({"plan", path, "--print-schedule"});
  REQUIRE(printed.exit_code == 0);
  test::write_text(folder / "again.yaml", printed.out);
  const auto again = test::stagedtrain({"plan", (folder / "again.yaml").string()});
  CHECK(again.exit_code == 0);
  CHECK(again.out == test::stagedtrain({"plan", path}).out);
}

TEST_CASE("plan counts epochs in the training file") {
  const test::TempDir folder;
  const std::string path = schedule_in(folder), data = (folder / "t.bin").string();
  check_refused(test::stagedtrain({"plan", path, "--set", "stages.full.for=2 epochs"}), 2,
                "two.yaml:10:5: stages.1.for: '2 epochs'");
  test::write_text(data, std::string(25600, '\0'));
  const auto result = test::stagedtrain(
      {"plan", path, "--details", "--set", "stages.full.for=2 epochs", "--set", "data.train=" + data});
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "times"));
  test::write_text(data, "odd");
  check_refused(test::stagedtrain({"plan", path, "--set", "data.train=" + data}), 3, "t.bin");
}

TEST_CASE("plan refuses wrong use with 2") {
  const test::TempDir folder;
  const std::string path = schedule_in(folder);
  check_refused(test::stagedtrain({"plan"}), 2, "SCHEDULE");
  check_refused(test::stagedtrain({"plan", path, "--jsn"}), 2, "--jsn");
  check_refused(test::stagedtrain({"plan", path, "--json", "--print-schedule"}), 2,
                "--print-schedule");
  check_refused(test::stagedtrain({"plan", path, "--set", "lr.peek=1"}), 2, "did you mean 'peak'?");
  check_refused(test::stagedtrain({"plan", path, "--set", "lr.peak"}), 2, "expected path=value");
}

TEST_CASE("plan --score takes its runs before or after --json") {
  const test::TempDir folder;
  test::write_run(folder / "run", {});
  const std::string run = (folder / "run").string();
  const auto text = test::stagedtrain({"plan", "--score", run});
  INFO(text.out << text.err);
  REQUIRE(text.exit_code == 0);
  CHECK(contains(text.out, "no prediction, because"));
  const auto json = test::stagedtrain({"plan", "--score", run, "--json"});
  REQUIRE(json.exit_code == 0);
  CHECK(Json::parse(json.out)["runs"].is_array());
  CHECK(test::stagedtrain({"plan", "--score", "--json", run}).out == json.out);
  CHECK(test::stagedtrain({"plan", "--json", run, "--score"}).out == json.out);
  CHECK(test::stagedtrain({"plan", "--score", "--json"}).exit_code == 0);
  check_refused(test::stagedtrain({"plan", run, run}), 2, "found 2 schedules");
}

TEST_CASE("plan --optimize prints a plan, its numbers, and a schedule that plan takes again") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto text = test::stagedtrain({"plan", path, "--optimize", "--stages", "3"});
  CHECK(text.exit_code == 0);
  CHECK(contains(text.out, "floor (loss-state)"));
  const auto json = test::stagedtrain(
      {"plan", path, "--optimize", "--transfer", "mixing", "--mixing", "100M", "--json"});
  CHECK(json.exit_code == 0);
  CHECK(contains(json.out, "\"assumption\": \"ceiling (mixing)\""));
  const auto yaml = test::stagedtrain({"plan", path, "--optimize", "--print-schedule"});
  CHECK(yaml.exit_code == 0);
  const test::TempDir folder;
  const std::string planned = (folder / "planned.yaml").string();
  test::write_text(planned, yaml.out);
  CHECK(test::stagedtrain({"plan", planned}).exit_code == 0);
  CHECK(test::stagedtrain({"plan", planned, "--print-schedule"}).out == yaml.out);
}

TEST_CASE("plan --optimize refuses what it cannot plan") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto refused = [&](std::vector<std::string> more, const std::string& says) {
    more.insert(more.begin(), {"plan", path});
    check_refused(test::stagedtrain(more), 2, says);
  };
  refused({"--loss", "3"}, "--optimize");
  refused({"--optimize", "--loss", "3", "--cost", "1e18"}, "--cost");
  refused({"--optimize", "--loss", "1"}, "its asymptote is");
  refused({"--optimize", "--cost", "much"}, "expected a number in the unit of --unit");
  refused({"--optimize", "--cost", "1e18", "--unit", "joules"}, "expected flops, seconds or money");
  refused({"--optimize", "--unit", "seconds"}, "--set machine.flops=312T");
  refused({"--optimize", "--most-tokens", "1G"}, "keeps the limit of 1G tokens");
  refused({"--optimize", "--most-time", "1"}, "expected a time");
  refused({"--rule", "prop-1", "--optimize"}, "--rule");
  refused({"--optimize", "--law", "kaplen"}, "did you mean 'kaplan'?");
  refused({"--optimize", "--transfer", "best"}, "expected loss-state, mixing or rho=X");
  refused({"--optimize", "--transfer", "rho=-1"}, "expected a number from 0.1 to 100");
  refused({"--optimize", "--transfer", "rho=1e-9"}, "found 'rho=1e-9', expected a number from 0.1");
  refused({"--optimize", "--tokens", "many"}, "expected tokens");
  refused({"--optimize", "--stages", "0"}, "--stages");
}

TEST_CASE("plan --optimize says why it does not grow a run that is too short") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto plan =
      test::stagedtrain({"plan", path, "--optimize", "--transfer", "mixing", "--mixing", "3G"});
  INFO(plan.err);
  REQUIRE(plan.exit_code == 0);
  CHECK(contains(plan.out, "without growing"));
  CHECK(contains(plan.out, "the plan is the final model alone: the run is too short to grow"));
}

TEST_CASE("plan prices a schedule and predicts its losses") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto text = test::stagedtrain(
      {"plan", path, "--details", "--set", "machine={flops: 312T, price_per_hour: 2}", "--transfer", "rho=1.3"});
  INFO(text.err);
  REQUIRE(text.exit_code == 0);
  for (const char* part : {"costs", "money", "memory", "losses", "measured: loss",
                           "floor (loss-state): loss", "ceiling (mixing): loss"})
    CHECK(contains(text.out, part));
  const auto json = test::stagedtrain({"plan", path, "--law", "hoffmann", "--json"});
  REQUIRE(json.exit_code == 0);
  CHECK(Json::parse(json.out)["outlook"]["law"] == "hoffmann");
  check_refused(test::stagedtrain({"plan", path, "--set", "machine.memory=1G"}), 2,
                "expected at most machine.memory");
}

TEST_CASE("plan plans for the devices of the machine, and compares the shardings") {
  const test::TempDir folder;
  const std::vector<std::string> command = {
      "plan",       schedule_in(folder),
      "--set",      "batch.micro=1",
      "--sharding", "full",
      "--set",      "machine={flops: 1T, devices: 4, nodes: 2, bandwidth: 1G, node_bandwidth: 1G}"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), command.begin(), command.end());
    const auto result = test::stagedtrain(more);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  };
  const std::string text = with({});
  CHECK(contains(text, "each of 8 processes on 2 nodes, which divide weights, gradients and"));
  CHECK(contains(text, "  fastest: none\n"));
  CHECK(std::ranges::count(text, '\n') <= 40);
  const Json costs = Json::parse(with({"--json"}))["costs"];
  CHECK(costs["processes"] == 8);
  CHECK(costs["nodes"] == 2);
  CHECK(costs["shardings"].size() == 3);
  CHECK(costs["cheapest_sharding"] == "none");
  for (const Json& stage : costs["stages"]) {
    CHECK(stage["efficiency"].get<double>() < 1);
    CHECK(stage["sent_to_other_nodes_bytes_per_step"].get<double>() <
          stage["sent_bytes_per_step"].get<double>());
    CHECK(stage["tokens_per_second"].get<double>() * stage["seconds_per_token"].get<double>() ==
          Approx(1));
  }
  CHECK(Json::parse(with({"--processes", "2", "--json"}))["costs"]["nodes"] == 1);
  CHECK(contains(with({"--set", "machine.bandwidth=0"}),
                 "the time of sending within a node is not included: give machine.bandwidth"));
  CHECK(contains(with({"--set", "machine.flops=0", "--set", "machine.memory=1G"}),
                 "  sends least that fits in machine.memory, 953.7 MiB: none\n"));
  check_refused(test::stagedtrain({"plan", command[1], "--sharding", "full", "--optimize"}), 2,
                "--optimize");
}

TEST_CASE("plan answers in 40 lines, and says the rest with --details") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };
  for (std::vector<std::string> words : {std::vector<std::string>{"plan", path},
                                         {"plan", path, "--optimize"},
                                         {"plan", path, "--rule", "prop-1", "--stages", "4"}}) {
    const auto brief = test::stagedtrain(words);
    INFO(brief.out << brief.err);
    REQUIRE(brief.exit_code == 0);
    CHECK(lines(brief.out) <= 40);
    CHECK(contains(brief.out, "--details"));
    words.push_back("--details");
    const auto whole = test::stagedtrain(words);
    CHECK(lines(whole.out) > 45);
    CHECK(whole.out.starts_with(brief.out.substr(0, brief.out.find("\n\n"))));
    CHECK(contains(whole.out, "non-emb."));
  }
  check_refused(test::stagedtrain({"plan", path, "--details", "--json"}), 2, "--details");
}

TEST_CASE("plan --rule prints a schedule that runs, or why the rule does not hold") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const auto text = test::stagedtrain({"plan", path, "--rule", "prop-1", "--stages", "4"});
  REQUIRE(text.exit_code == 0);
  CHECK(contains(text.out, "arXiv 2409.19044"));
  const auto yaml =
      test::stagedtrain({"plan", path, "--rule", "prop-1", "--stages", "4", "--print-schedule"});
  const test::TempDir folder;
  test::write_text(folder / "ruled.yaml", yaml.out);
  const auto again =
      test::stagedtrain({"plan", (folder / "ruled.yaml").string(), "--print-schedule"});
  CHECK(again.out == yaml.out);
  check_refused(test::stagedtrain({"plan", path, "--rule", "g-stack"}), 2,
                "expected less than half of the run's 2.5G");
  check_refused(test::stagedtrain({"plan", path, "--rule", "prop1"}), 2, "did you mean 'prop-1'?");
}

TEST_CASE("plan --law reads the file of a fit, and refuses a bad one with its place") {
  const std::string path = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  const test::TempDir folder;
  std::string runs = "parameters,tokens,loss\n";
  for (double n : {4e7, 1e8, 4e8, 1e9})
    for (double d : {1e9, 4e9, 2e10})
      runs += fmt::format(
          "{},{},{}\n", n, d,
          1.8 + 480 * std::pow(n, -0.35) + 2085 * std::pow(d, -0.37) + 1e-3 * std::sin(n + d));
  test::write_text(folder / "runs.csv", runs);
  const std::string law = (folder / "laws.json").string();
  const auto fit =
      test::stagedtrain({"plan", "--fit", (folder / "runs.csv").string(), "--out", law});
  INFO(fit.err);
  REQUIRE(fit.exit_code == 0);
  for (const char* how : {"--json", "--optimize"}) {
    const auto planned = test::stagedtrain({"plan", path, "--law", law, how});
    INFO(planned.err);
    CHECK(planned.exit_code == 0);
    CHECK(contains(planned.out, "Chinchilla's law, fitted to 12 finished runs"));
  }
  test::write_text(folder / "bad.json", "{\"format\": 1}");
  check_refused(test::stagedtrain({"plan", path, "--law", (folder / "bad.json").string()}), 3,
                "bad.json: format");
  check_refused(test::stagedtrain({"plan", path, "--law", (folder / "no.json").string()}), 3,
                "no.json");
}

// Processor time, as a busy machine lets everyone wait.
TEST_CASE("plan starts at once") {
  const auto used = [] {
    rusage children{};
    getrusage(RUSAGE_CHILDREN, &children);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(children.ru_utime) + seconds(children.ru_stime);
  };
  const test::TempDir folder;
  const std::string large = (test::source_folder() / "schedules" / "gpt2-124m.yaml").string();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"plan", schedule_in(folder)},
        {"plan", large, "--optimize", "--stages", "3", "--most-tokens", "2.9G"}}) {
    double fastest = 1;
    for (int i = 0; i < 10; ++i) {
      const double before = used();
      REQUIRE(test::stagedtrain(words).exit_code == 0);
      fastest = std::min(fastest, used() - before);
    }
    CHECK(fastest < 0.1);  // 0.03 on a quiet machine, with margin
  }
}

TEST_CASE("plan explains its options") {
  const auto result = test::stagedtrain({"plan", "--help"});
  CHECK(result.exit_code == 0);
  for (const char* word : {"SCHEDULE", "--set", "--json", "--print-schedule", "Examples:"})
    CHECK(contains(result.out, word));
}
