// `stagedtrain plan --measure` as a user types it.
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("plan --measure prints a table, keeps it, and needs no data") {
  const test::TempDir dir;
  const test::TinyRun tiny;
  test::write_text(dir / "tiny.yaml", tiny.yaml());
  const std::string schedule = (dir / "tiny.yaml").string(), file = (dir / "m.json").string();
  const std::vector<std::string> words = {"plan", schedule, "--measure",           "--threads",
                                          "1",    "--set",  "data.train=none.bin", "--measurements",
                                          file};
  const auto result = test::stagedtrain(words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "1 x 16"));
  CHECK(contains(result.out, "tokens/s"));
  CHECK(contains(result.err, "measuring full"));
  const Json kept = parse_json(test::read_text(file), "file");
  REQUIRE(kept["measurements"].size() == 2);
  CHECK(kept["measurements"][1]["key"]["model"]["layers"] == 2);
  SECTION("--json has all numbers") {
    auto with_json = words;
    with_json.push_back("--json");
    const Json json = parse_json(test::stagedtrain(with_json).out, "json");
    CHECK(json[0]["seconds_per_token"].get<double>() > 0);
  }
  SECTION("a bad file is refused before the work") {
    test::write_text(file, "{}");
    test::check_refused(test::stagedtrain(words), 3, "'format' is missing");
  }
}
