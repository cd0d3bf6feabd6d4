// Issue 14, A5 and B15: closed standard streams, a full disk behind standard output, and control
// characters on their way to a terminal.
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/refused.h"
#include "support/shell.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

// A schedule file, a checkpoint and a finished run in one folder.
struct Files {
  test::TinyRun tiny;
  std::string schedule = (tiny / "tiny.yaml").string(), checkpoint = (tiny / "a.h5").string();
  std::string run = (tiny / "run").string();
  Files() {
    test::write_text(schedule, tiny.yaml());
    state::save(checkpoint, state::fresh(tiny.plan().stages[0].model, 1));
  }
};

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_CASE("train with closed standard streams writes none of its words into the run") {
  const Files files;
  const std::string closed = GENERATE(">&- 2>&-", "2>&-", "<&- >&- 2>&-");
  const std::vector<std::string> words = {"train", files.schedule, "--out", files.run};
  const auto result = test::run(test::in_shell("exec \"$@\" " + closed, words));
  INFO(closed << "\n" << result.err);
  REQUIRE(result.exit_code == 0);
  const std::string log = test::read_text(files.run + "/run.jsonl");
  std::size_t read = 0;
  for (std::size_t at = 0; at < log.size(); at = log.find('\n', at) + 1, ++read)
    CHECK_NOTHROW(parse_json(log.substr(at, log.find('\n', at) - at), "run.jsonl"));
  CHECK(read == lines_of(log));
  const std::string lock = test::read_text(files.run + "/lock");
  CHECK(lock.find_first_not_of("0123456789\n") == std::string::npos);
  CHECK(test::stagedtrain(words).exit_code == 0);
}

TEST_CASE("what cannot be printed is an error with code 4, in every command and for every help") {
  const Files files;
  REQUIRE(test::stagedtrain({"train", files.schedule, "--out", files.run}).exit_code == 0);
  const std::string law = (files.tiny / "law.json").string();
  const std::vector<std::vector<std::string>> commands = {
      {"--help"},
      {"--version"},
      {"train", "--help"},
      {"grow", "--help"},
      {"docs", "schedule"},
      {"docs", "cli"},
      {"show", files.checkpoint},
      {"show", files.checkpoint, "--json", "--tensors"},
      {"plan", files.schedule},
      {"plan", files.schedule, "--json"},
      {"plan", files.schedule, "--print-schedule"},
      {"report", files.run},
      {"report", files.run, "--json"},
      {"grow", "--list"},
      {"grow", files.checkpoint, "--dry-run", "--operator", "depth", "--layers", "2", "--json"},
      {"train", files.schedule, "--out", files.run, "--json"},
      {"eval", files.checkpoint, "--sample", "3"},
  };
  for (const auto& words : commands) {
    const auto result = test::run(test::in_shell("exec \"$@\" >/dev/full", words));
    INFO(words[0] << " " << (words.size() > 1 ? words[1] : "") << "\n" << result.err);
    CHECK(result.exit_code == 4);
    CHECK(contains(result.err, "standard output: cannot write: No space left on device"));
  }
}

TEST_CASE("a reader that has seen enough is no error") {
  const auto result = test::run(test::in_shell("\"$@\" | head -n 1; exit 0", {"docs", "schedule"}));
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
}

TEST_CASE("control characters of names never reach a terminal, and JSON stays JSON") {
  const Files files;
  const std::string name = (files.tiny / "\x1b[31mred\x07\xff.h5").string();
  const auto missing = test::stagedtrain({"show", name});
  test::check_refused(missing, 3, "\\x1b[31mred\\x07\\xff.h5");
  state::save(name, state::fresh(files.tiny.plan().stages[0].model, 1));
  const auto shown = test::stagedtrain({"show", name});
  CHECK(shown.exit_code == 0);
  CHECK(contains(shown.out, "\\x1b[31mred\\x07\\xff.h5"));
  const auto json = test::stagedtrain({"show", name, "--json"});
  CHECK(json.exit_code == 0);
  CHECK_NOTHROW(parse_json(json.out, "show"));
  for (const auto& result : {missing, shown, json})
    for (const char control : {'\x1b', '\x07', '\xff'})
      CHECK((result.out + result.err).find(control) == std::string::npos);
}

TEST_CASE("a run folder whose name is not UTF-8 trains, grows and is told as JSON") {
  const Files files;
  const std::string run = (files.tiny / "caf\xe9").string();
  const auto result = test::stagedtrain({"train", files.schedule, "--out", run, "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "train");
  CHECK(contains(json["run"].get<std::string>(), "caf\\xe9"));
  const auto report = test::stagedtrain({"report", run, "--json"});
  CHECK(report.exit_code == 0);
  CHECK_NOTHROW(parse_json(report.out, "report"));
  const std::string grown = (files.tiny /
                             "gr\xf6\xdf"
                             "er.h5")
                                .string();
  const auto grow = test::stagedtrain(
      {"grow", run + "/stages/small.h5", grown, "--operator", "depth", "--layers", "2", "--json"});
  INFO(grow.err);
  CHECK(grow.exit_code == 0);
  CHECK_NOTHROW(parse_json(grow.out, "grow"));
}

TEST_CASE("no command at all is told what to type") {
  const auto result = test::stagedtrain({});
  test::check_refused(result, 2, "expected one of data, plan, train");
  CHECK(contains(result.err, "stagedtrain --help"));
}
