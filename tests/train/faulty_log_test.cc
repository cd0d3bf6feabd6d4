// Runs whose log was lost, cut or moved: they end all the same, and say what is known.
#include <cmath>

#include "runlog/run_log.h"
#include "support/catch.h"
#include "text/json.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using namespace stagedtrain::test;
using train::RunResult;

TEST_CASE("a log that was lost in part or whole is mended, and the run ends as it is") {
  const TinyRun tiny;
  const std::string how = GENERATE("whole", "tail", "end", "cut in the end", "zeros", "damaged");
  CAPTURE(how);
  const RunResult before = run_in(tiny, "run");
  const Path log = tiny / "run/run.jsonl";
  const std::string text = read_text(log);
  const auto cut_at = [&](const char* event) { return text.rfind(event); };
  if (how == "whole") std::filesystem::remove(log);
  if (how == "tail") write_text(log, text.substr(0, cut_at("{\"event\":\"stage_end\"")));
  if (how == "end") write_text(log, text.substr(0, cut_at("{\"event\":\"end\"")));
  if (how == "cut in the end") write_text(log, text.substr(0, text.size() - 20));
  if (how == "zeros") write_text(log, text.substr(0, text.size() - 300) + std::string(300, '\0'));
  if (how == "damaged") {
    const auto second = text.find('\n') + 1;
    write_text(log, text.substr(0, second) + "{\"event\":\n" + text.substr(second));
  }
  const RunResult again = run_in(tiny, "run");
  CHECK(again.done);
  REQUIRE(again.stages.size() == 2);
  CHECK(again.stages[1].loss == before.stages[1].loss);
  CHECK(again.bits_per_byte == before.bits_per_byte);
  CHECK(again.stages[0].progress.step == 6);
  const std::string mended = read_text(log);
  const runlog::Run read = runlog::read_log(log, "run");
  CHECK(read.end->decayed);
  CHECK(read.stage_ends.size() == 2);
  CHECK(run_in(tiny, "run").done);
  CHECK(read_text(log) == mended);
}

TEST_CASE("a log that was moved away between or during calls does not stop a run") {
  const TinyRun tiny;
  const Path log = tiny / "run/run.jsonl";
  SECTION("between") {
    run_in(tiny, "run", {}, "small");
    std::filesystem::rename(log, tiny / "elsewhere.jsonl");
    const RunResult result = run_in(tiny, "run");
    CHECK(result.done);
    REQUIRE(result.stages.size() == 2);
    CHECK(result.stages[0].progress.step == 6);
    CHECK(std::isfinite(result.stages[1].loss));
    CHECK(runlog::read_log(log, "run").stage_ends.size() == 2);
  }
  SECTION("during") {
    const Fault fault([&, moved = false](FileOperation operation, const Path& path) mutable {
      if (operation == FileOperation::rename && contains(path.string(), "step-00000004") &&
          !moved) {
        std::filesystem::rename(log, tiny / "elsewhere.jsonl");
        moved = true;
      }
      return 0;
    });
    CHECK(run_in(tiny, "run").done);
    CHECK(runlog::read_log(log, "run").end->decayed);
  }
  CHECK(run_in(tiny, "run").done);
}

TEST_CASE("the log is on the disk before each checkpoint that it tells of, and at the end") {
  const TinyRun tiny;
  std::vector<std::string> order;
  {
    const Fault fault([&](FileOperation operation, const Path& path) {
      const bool log = path.filename() == "run.jsonl";
      if (operation == FileOperation::sync && log) order.push_back("sync");
      if (operation == FileOperation::write && log) order.push_back("line");
      if (operation == FileOperation::rename && path.extension() == ".h5") order.push_back("save");
      return 0;
    });
    run_in(tiny, "run", {"checkpoint.every=1"});
  }
  std::size_t saves = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != "save") continue;
    ++saves;
    // Lines of later steps may have come meanwhile, but since the save before there was a sync.
    std::size_t back = i;
    while (back > 0 && order[back - 1] != "sync" && order[back - 1] != "save") --back;
    REQUIRE(back > 0);
    CHECK(order[back - 1] == "sync");
  }
  CHECK(saves == 12);
  CHECK(order.back() == "sync");
}

TEST_CASE("a call that finds the run finished writes nothing, and ends say what ran") {
  const TinyRun tiny;
  run_in(tiny, "run");
  const std::string log = read_text(tiny / "run/run.jsonl"),
                    schedule = read_text(tiny / "run/schedule.yaml");
  run_in(tiny, "run");
  run_in(tiny, "run", {}, "small");
  CHECK(read_text(tiny / "run/run.jsonl") == log);
  CHECK(read_text(tiny / "run/schedule.yaml") == schedule);
  REQUIRE(events(tiny, "end").size() == 1);
  const Json process = events(tiny, "end")[0]["process"];
  CHECK(process["device"] == "cpu");
  CHECK(process["threads"] == events(tiny, "start")[0]["threads"]);
  CHECK(process["time"] == events(tiny, "start")[0]["time"]);
}
