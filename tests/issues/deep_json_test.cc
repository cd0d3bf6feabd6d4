// Issue 14, A6: JSON of 300,000 brackets, wherever a file may hold some.
#include "support/catch.h"
#include "support/refused.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("deep JSON is refused with code 3 in every file, never a stack that overflows") {
  const test::TinyRun tiny;
  const std::string schedule = (tiny / "tiny.yaml").string(), deep(300000, '[');
  test::write_text(schedule, tiny.yaml());
  const bool closed = GENERATE(false, true);
  const std::string text =
      closed ? "{\"event\":\"start\",\"x\":" + deep + std::string(300000, ']') + "}" : deep;
  const std::string says = "nested deeper than 64 levels";
  SECTION("a run's log, last line or not") {
    const bool last = GENERATE(true, false);
    std::filesystem::create_directory(tiny / "run");
    test::write_text(tiny / "run/run.jsonl",
                     "{\"event\":\"start\"}\n" + (closed ? text : "{" + text) + "\n" +
                         (last ? "" : "{\"event\":\"evaluate\",\"step\":1,\"loss\":3}\n"));
    const auto report = test::stagedtrain({"report", (tiny / "run").string()});
    INFO(report.out << report.err);
    CHECK(report.exit_code == 0);
    // As the last line it is one that a crash cut, which is no news.
    CHECK(test::contains(report.out, "skipped") == !last);
    test::check_refused(test::stagedtrain({"plan", "--fit", (tiny / "run/run.jsonl").string()}), 3,
                        last ? "found no curves" : says);
  }
  SECTION("a law file") {
    test::write_text(tiny / "law.json", text);
    test::check_refused(
        test::stagedtrain({"plan", schedule, "--optimize", "--law", (tiny / "law.json").string()}),
        3, says);
  }
  SECTION("a token file's metadata") {
    std::string file = test::read_text(tiny / "data/train.bin");
    const std::size_t at = file.find("{\"split\"");
    REQUIRE(at != std::string::npos);
    const std::size_t end = file.find('}', at);
    file.replace(at, end - at + 1, std::string(end - at + 1, '['));
    test::write_text(tiny / "data/train.bin", file);
    const auto result = test::stagedtrain({"show", (tiny / "data/train.bin").string()});
    INFO(result.err);
    CHECK(result.exit_code == 3);
  }
  SECTION("measurements kept in the cache") {
    std::filesystem::create_directories(tiny / "cache/stagedtrain");
    for (const char* name : {"measurements.json", "growths.json", "learned.json"})
      test::write_text(tiny / "cache/stagedtrain" / name, text);
    const auto result = test::run({.arguments = {test::program(), "plan", schedule},
                                   .environment = {{"XDG_CACHE_HOME", (tiny / "cache").string()}}});
    INFO(result.err);
    CHECK((result.exit_code == 3 || result.exit_code == 0));
  }
}

TEST_CASE("deep YAML, also in --set, is refused with code 2") {
  const test::TinyRun tiny;
  const std::string schedule = (tiny / "tiny.yaml").string();
  test::write_text(schedule, tiny.yaml());
  std::string path = "a";
  for (int i = 0; i < 30000; ++i) path += ".a";
  const std::string edit = GENERATE_COPY(path + "=1", "stages=" + std::string(30000, '['),
                                         "lr=" + std::string(30000, '{'));
  const auto result = test::stagedtrain({"plan", schedule, "--set", edit});
  INFO(result.err.substr(0, 300));
  CHECK(result.exit_code == 2);
  test::write_text(schedule, std::string(300000, '['));
  CHECK(test::stagedtrain({"plan", schedule}).exit_code == 2);
}
