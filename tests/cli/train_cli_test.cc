// `stagedtrain train` and `eval` as a user types them.
#include <signal.h>

#include <thread>

#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

struct Typed {
  test::TinyRun tiny;
  std::string schedule = (tiny / "tiny.yaml").string(), out = (tiny / "run").string();
  Typed() { test::write_text(tiny / "tiny.yaml", tiny.yaml()); }
  test::CommandResult train(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"train", schedule, "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return test::stagedtrain(words);
  }
};

}  // namespace

TEST_CASE("train prints the plan and progress on stderr, results on stdout") {
  const Typed typed;
  const auto result = typed.train();
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.err, "FLOPs/tok"));
  CHECK(contains(result.err, "grown into full"));
  CHECK(contains(result.out, "stages/full.h5"));
  CHECK(contains(result.out, "bits per byte"));
  SECTION("again it only says what was done") {
    const auto again = typed.train();
    CHECK(again.out == result.out);
    CHECK(again.err.empty());
  }
  SECTION("without the end of an earlier stage and without its log it is as finished") {
    std::filesystem::remove(typed.out + "/stages/small.h5");
    std::filesystem::remove(typed.out + "/run.jsonl");
    for (int time = 0; time < 2; ++time) {
      const auto again = typed.train();
      INFO(again.err);
      CHECK(again.exit_code == 0);
      CHECK(contains(again.out, "bits per byte"));
      CHECK(contains(again.out, "stages/full.h5"));
    }
    for (const char* command : {"report", "show"}) {
      const std::string what =
          command == std::string("show") ? typed.out + "/stages/full.h5" : typed.out;
      const auto told = test::stagedtrain({command, what});
      INFO(told.err);
      CHECK(told.exit_code == 0);
    }
    check_refused(test::stagedtrain({"plan", "--from", typed.out}), 2, "has ended");
  }
  SECTION("eval scores the end as the run did") {
    const Json trained = parse_json(typed.train({"--json"}).out, "train");
    const auto scored = test::stagedtrain({"eval", typed.out + "/stages/full.h5", "--data",
                                           (typed.tiny / "data/validation.bin").string(),
                                           "--tokens", "256", "--json"});
    INFO(scored.err);
    REQUIRE(scored.exit_code == 0);
    const Json json = parse_json(scored.out, "eval");
    CHECK(json["loss"].get<double>() ==
          Approx(trained["stages"][1]["loss"].get<double>()).epsilon(1e-6));
    CHECK(json["windows"] == 16);
    CHECK(json["bits_per_byte"].is_number());
  }
  SECTION("eval writes text that starts with the prompt, the same each time") {
    const std::vector<std::string> words = {
        "eval", typed.out + "/stages/full.h5", "--sample", "40", "--prompt", "the light", "--seed",
        "5"};
    const auto sampled = test::stagedtrain(words);
    INFO(sampled.err);
    REQUIRE(sampled.exit_code == 0);
    CHECK(sampled.out.size() == std::string("the light").size() + 40 + 1);
    CHECK(sampled.out.starts_with("the light"));
    CHECK(test::stagedtrain(words).out == sampled.out);
  }
}

TEST_CASE("train --scratch trains every budget, each decayed, sharing the stable part") {
  const Typed typed;
  const auto result = typed.train({"--scratch", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "train");
  REQUIRE(json.size() == 2);
  CHECK(json[0]["stages"][0]["step"] == 9);
  CHECK(json[1]["stages"][0]["step"] == 12);
  CHECK(std::filesystem::exists(typed.out + "/budget-9/branch.h5"));
  CHECK(contains(test::read_text(typed.out + "/budget-12/run.jsonl"), "branch.h5"));
}

TEST_CASE("budgets in % may be of the steps that a staged run took") {
  const Typed typed;
  const std::vector<std::string> early = {"--set", "stages.small.until.loss=100"};
  REQUIRE(typed.train(early).exit_code == 0);  // 3 + 6 steps of 12
  const auto scratch = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"train", typed.schedule, "--out", typed.out + "-scratch",
                                      "--json"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), early.begin(), early.end());
    return test::stagedtrain(words);
  };
  const auto result = scratch({"--scratch-of", typed.out});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "train");
  CHECK(json[0]["stages"][0]["step"] == 7);
  CHECK(json[1]["stages"][0]["step"] == 9);
  CHECK(contains(scratch({"--scratch"}).err, "--scratch-of"));
  check_refused(scratch({"--scratch-of", typed.tiny.path().string()}), 3, "run.jsonl");
}

TEST_CASE("a run that goes on, or is refused, does not print the plan again") {
  const Typed typed;
  REQUIRE(typed.train({"--stage", "small"}).exit_code == 0);
  const auto refused = typed.train({"--set", "stages.full.for=9"});
  check_refused(refused, 2, "stages.full.for: 9 steps, the run has 6 steps");
  CHECK_FALSE(contains(refused.err, "FLOPs/tok"));
  const auto again = typed.train();
  INFO(again.err);
  REQUIRE(again.exit_code == 0);
  CHECK_FALSE(contains(again.err, "FLOPs/tok"));
  CHECK(contains(again.err, "resuming from " + typed.out + "/stages/small.h5"));
}

TEST_CASE("a run that is made longer while the rate decays says that it goes up") {
  const Typed typed;
  REQUIRE(typed.train({"--stage", "small", "--set", "lr.decay=10"}).exit_code == 0);
  const auto longer =
      typed.train({"--replan", "--set", "lr.decay=10", "--set", "stages.full.for=20"});
  INFO(longer.err);
  CHECK(longer.exit_code == 0);
  CHECK(contains(longer.err, "warning: the learning rate goes up from"));
}

TEST_CASE("a run is extended after its end, with a word on the rate") {
  const Typed typed;
  REQUIRE(typed.train().exit_code == 0);
  check_refused(typed.train({"--replan", "--set", "stages.full.for=9"}), 2, "--extend");
  check_refused(typed.train({"--extend", "--replan"}), 2, "cannot be combined");
  const auto longer = typed.train({"--extend", "--set", "stages.full.for=9"});
  INFO(longer.err);
  CHECK(longer.exit_code == 0);
  CHECK(contains(longer.err, "the learning rate goes up from 0.0025"));
  CHECK(contains(longer.out, " 15 "));
}

TEST_CASE("a signal saves and leaves with 85; the same command goes on; SIGCONT changes nothing") {
  const Typed typed;
  const int signal = GENERATE(SIGTERM, SIGUSR1, SIGINT);
  test::RunningCommand running({.arguments = {test::program(), "train", typed.schedule, "--out",
                                              typed.out, "--set", "stages.small.for=1000000"}});
  const auto trained = [&] {
    return contains(test::read_text(typed.out + "/run.jsonl"), "\"step\":20,");
  };
  for (int i = 0; i < 6000 && !trained(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  running.send(SIGCONT);
  running.send(signal);
  const auto stopped = running.wait();
  INFO(stopped.err);
  CHECK(stopped.exit_code == 85);
  CHECK(contains(stopped.err, "saved " + typed.out + "/checkpoints/step-"));
  CHECK(contains(stopped.err, "run the same command again"));
  const auto other = typed.train();
  check_refused(other, 2, "stages.small.for: 6 steps, the run has 1000000 steps");
  // Planned anew to fewer steps than were made, at the peak of the rate: said before it ends.
  const auto shorter = typed.train({"--replan", "--set", "stages.small.for=4", "--set",
                                    "stages.full.for=1", "--set", "lr.decay=0"});
  check_refused(shorter, 2, "lr.decay");
  const auto cut =
      typed.train({"--replan", "--set", "stages.small.for=4", "--set", "stages.full.for=1"});
  INFO(cut.err);
  CHECK(cut.exit_code == 0);
  CHECK(contains(cut.err, "warning: the learning rate will not have decayed"));
  CHECK(contains(test::read_text(typed.out + "/run.jsonl"), "\"decayed\":false"));
}

TEST_CASE("what is wrong with the data is refused before anything runs") {
  const Typed typed;
  const std::string data = (typed.tiny / "data/train.bin").string();
  SECTION("a file that is not there") {
    check_refused(typed.train({"--set", "data.train=nowhere.bin"}), 2, "nowhere.bin");
  }
  SECTION("an odd length") {
    test::write_text(data, "abc");
    check_refused(typed.train(), 3, "train.bin");
  }
  SECTION("a token beyond the vocabulary") {
    std::string raw(4000, '\0');
    for (std::size_t i = 0; i < raw.size(); i += 2) raw[i] = static_cast<char>(i / 2 % 100);
    raw[2001] = 1;  // token 1000 is 256
    test::write_text(data, raw);
    check_refused(typed.train(), 3, "token 1,000 is 256");
  }
  SECTION("too short for one context") {
    test::write_text(data, std::string(32, '\0'));
    check_refused(typed.train(), 3, "expected at least 17");
  }
  CHECK_FALSE(std::filesystem::exists(typed.out));
}

TEST_CASE("words that train and eval do not know are refused with what they do") {
  const Typed typed;
  check_refused(typed.train({"--device", "gpu"}), 2, "--device: found 'gpu'");
  check_refused(typed.train({"--kernels", "fusd"}), 2, "did you mean 'fused'");
  check_refused(typed.train({"--stage", "ful"}), 2, "did you mean 'full'");
  check_refused(typed.train({"--stage", "full", "--scratch"}), 2,
                "runs from scratch have no stages");
  check_refused(test::stagedtrain({"eval", "none.h5"}), 2, "nothing to do");
  check_refused(test::stagedtrain({"eval", "none.h5", "--sample", "5"}), 3, "none.h5");
  check_refused(test::stagedtrain({"trian", "x"}), 2, "did you mean 'train'");
}

TEST_CASE("without the module, train says what is missing and how to get it") {
  const Typed typed;
  const auto result =
      test::run({.arguments = {test::program(), "train", typed.schedule, "--out", typed.out},
                 .environment = {{"STAGEDTRAIN_MODULE", "/nowhere/module.so"}}});
  check_refused(result, 4, "scripts/setup.sh");
}

TEST_CASE("train --tensorboard writes event files, one for each call") {
  const test::TinyRun tiny;
  test::write_text(tiny / "s.yaml", tiny.yaml());
  const std::string out = (tiny / "run").string();
  for (const char* stage : {"small", "full"}) {
    const auto result = test::stagedtrain({"train", (tiny / "s.yaml").string(), "--out", out,
                                           "--stage", stage, "--tensorboard"});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
  }
  std::string all;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tiny / "run/tensorboard")) {
    ++files;
    all += test::read_text(entry.path());
  }
  CHECK(files == 2);
  for (const char* tag : {"train/loss", "train/lr", "val/loss", "growth/operators"})
    CHECK(contains(all, tag));
}

TEST_CASE("train --seeds makes a run for each seed, and report takes them as one") {
  const Typed typed;
  const auto result = typed.train({"--seeds", "2"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "at the end: validation loss"));
  CHECK(contains(result.out, "over 2 seeds"));
  const auto loss = [&](const std::string& folder) {
    const auto again = test::stagedtrain({"train", folder + "/schedule.yaml", "--out", folder, "--json"});
    INFO(again.err);
    return parse_json(again.out, "stdout")["stages"].back()["loss"].get<double>();
  };
  const Json shown = parse_json(typed.train({"--seeds", "2", "--json"}).out, "stdout");
  REQUIRE(shown.size() == 2);
  const double first = loss(shown[0]["run"]), second = loss(shown[1]["run"]);
  CHECK(first != second);
  CHECK(contains(result.out, fmt::format("{:.4f} ± {:.4f} over 2 seeds", (first + second) / 2,
                                         std::abs(first - second) / 2)));
  const auto report = test::stagedtrain({"report", typed.out, "--json"});
  INFO(report.err);
  REQUIRE(report.exit_code == 0);
  CHECK(parse_json(report.out, "stdout")["runs"].size() == 1);
  for (const char* wrong : {"0", "two", "3,3", "1,,2", "-1", "1001"})
    check_refused(typed.train({"--seeds", wrong}), 2, "--seeds: ");
  CHECK_FALSE(contains(result.err, "budget.time"));
  const auto timed = typed.train({"--seeds", "2", "--set", "budget={time: 1h}"});
  CHECK(contains(timed.err, "note: with budget.time the clock decides"));
}

TEST_CASE("train --frontier trains other sizes, and report compares with the best of all") {
  const Typed typed;
  REQUIRE(typed.train().exit_code == 0);
  const auto trained = [&](const std::string& option) {
    const auto result = test::stagedtrain(
        {"train", typed.schedule, "--out", typed.out + option, option, "--json"});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return parse_json(result.out, "stdout");
  };
  CHECK(trained("--scratch").size() == 2);
  const Json sizes = trained("--frontier");
  REQUIRE(sizes.size() == 6);  // 1 and 4 layers, three budgets each
  CHECK(contains(sizes[0]["run"].get<std::string>(), "/1x16/budget-"));
  CHECK(contains(sizes[3]["run"].get<std::string>(), "/4x16/budget-"));
  const auto report = test::stagedtrain(
      {"report", typed.out, typed.out + "--scratch", typed.out + "--frontier", "--json"});
  INFO(report.err);
  REQUIRE(report.exit_code == 0);
  CHECK(parse_json(report.out, "stdout")["comparisons"][0]["free_size"]["sizes"].size() == 3);
  check_refused(typed.train({"--frontier", "--scratch"}), 2,
                "--frontier: cannot be combined with --scratch");
}
