// What the log's step lines say: means over the steps since the line before, whatever stops the
// run.
#include <map>

#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"
#include "text/text.h"

using namespace stagedtrain;

namespace {

struct StepLine {
  double loss = 0, steps = 0;
};

struct Logged {
  test::TinyRun tiny;
  std::string schedule = (tiny / "tiny.yaml").string();
  Logged() { test::write_text(tiny / "tiny.yaml", tiny.yaml()); }
  test::CommandResult train(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"train", schedule, "--out", (tiny / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = test::stagedtrain(words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result;
  }
  // By step; a later line replaces an earlier one.
  std::map<double, StepLine> lines(const std::string& out) const {
    std::map<double, StepLine> lines;
    for (const std::string& text : split(test::read_text(tiny / out / "run.jsonl"), '\n')) {
      if (text.empty()) continue;
      const Json event = parse_json(text, "line");
      if (event["event"] == "step")
        lines[event["step"]] = {event["loss"], event.value("loss_steps", 1.0)};
    }
    return lines;
  }
};

// Twelve steps, six before the growth; a line every fourth.
const std::vector<std::string> kEveryFourth = {"--set", "log.every=4"};

}  // namespace

TEST_CASE("a line's loss is the mean over the steps since the line before, within its stage") {
  const Logged run;
  run.train("each", {"--set", "log.every=1"});
  run.train("fourth", kEveryFourth);
  const auto each = run.lines("each"), fourth = run.lines("fourth");
  REQUIRE(each.size() == 12);
  REQUIRE(fourth.size() == 3);
  const auto mean = [&](int first, int last) {
    double sum = 0;
    for (int step = first; step <= last; ++step) sum += each.at(step).loss;
    return sum / (last - first + 1);
  };
  CHECK(each.at(5).steps == 1);
  CHECK(fourth.at(4).steps == 4);
  CHECK(fourth.at(4).loss == mean(1, 4));
  CHECK(fourth.at(8).steps == 2);  // the model was grown after step 6
  CHECK(fourth.at(8).loss == mean(7, 8));
  CHECK(fourth.at(12).loss == mean(9, 12));
}

TEST_CASE("a run that was stopped between two lines goes on with the same means, to the bit") {
  const Logged run;
  run.train("whole", kEveryFourth);
  // Every checkpoint but one is removed, as by a crash; that one lies between two lines.
  run.train("again", {"--set", "log.every=4", "--set", "checkpoint.every=1", "--set",
                      "checkpoint.keep=100"});
  const auto before = run.lines("again");
  std::filesystem::remove_all(run.tiny / "again/stages");
  for (const auto& entry : std::filesystem::directory_iterator(run.tiny / "again/checkpoints"))
    if (!entry.path().filename().string().ends_with("3.h5")) std::filesystem::remove(entry.path());
  run.train("again", {"--set", "log.every=4", "--set", "checkpoint.every=1", "--set",
                      "checkpoint.keep=100"});
  const auto whole = run.lines("whole"), after = run.lines("again");
  REQUIRE(after.size() == whole.size());
  for (const auto& [step, line] : whole) {
    CHECK(after.at(step).loss == line.loss);
    CHECK(after.at(step).steps == line.steps);
    CHECK(before.at(step).loss == line.loss);
  }
}
