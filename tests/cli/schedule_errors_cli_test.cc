// Bad schedules as a user meets them: exit code 2, where it is, what was found and expected.
#include "support/catch.h"
#include "support/command.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

// What `plan` says of this text in a file; it must leave with 2 and print no result.
void check_refused(const std::string& text, const std::string& says) {
  const test::TempDir folder;
  test::write_text(folder / "bad.yaml", text);
  const auto result = test::stagedtrain({"plan", (folder / "bad.yaml").string()});
  INFO(result.err);
  CHECK(result.exit_code == 2);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "stagedtrain: " + (folder / "bad.yaml").string() + says));
}

std::string with(const std::string& line, const std::string& by) {
  std::string text = test::kTwoStages;
  return text.replace(text.find(line), line.size(), by);
}

}  // namespace

TEST_CASE("bad YAML is refused with its place") {
  check_refused("model: [1, 2\n", ":2:1: not YAML: end of sequence flow not found");
  check_refused(test::kTwoStages + "seed: 2\n", ":13:1: key 'seed' twice; it stands at line 1");
  check_refused(test::kTwoStages + "---\nseed: 2\n", ":13:1: a second document starts here");
  check_refused(std::string(50, '[') + std::string(50, ']'), ":1:33: nested deeper than 32 levels");
  check_refused(std::string("seed: \0\n", 8), ": is not text");
  check_refused("# " + std::string(1 << 20, 'x'), "");
  check_refused("", ": found nothing, expected a schedule");
}

TEST_CASE("bad keys and values are refused with their place") {
  check_refused(with("precision", "presision"),
                ":7:1: unknown key 'presision'; did you mean 'precision'?");
  check_refused(with("seed: 1", "seed: 010"), ":1:7: seed: found '010', expected a whole number");
  check_refused(with("peak: 3e-3", "peak: -1"), ":5:24: lr.peak: found '-1', expected above 0");
  check_refused(with("heads: 4", "heads: 3"),
                ":3:8: model: model.heads 3 does not divide model.width 128");
  check_refused(with("layers: 6, new_layers", "layers: 5, new_layers"),
                ":10:5: stages do not end at the final model");
}

TEST_CASE("a schedule that is not there is refused with where to find one") {
  const auto result = test::stagedtrain({"plan", "none.yaml"});
  CHECK(result.exit_code == 2);
  CHECK(contains(result.err, "none.yaml: cannot read: No such file or directory"));
  CHECK(contains(result.err, "schedules/ has examples"));
}
