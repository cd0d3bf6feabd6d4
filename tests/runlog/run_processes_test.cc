// How many processes shared a run, and how fast they saved, as its log tells.
#include "runlog/run_processes.h"

#include "support/catch.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;

TEST_CASE("a log tells of its ranks and saves, whatever is damaged in it") {
  const test::TempDir folder;
  CHECK(runlog::read_processes(folder / "run.jsonl").most == 1);
  test::write_text(folder / "run.jsonl", R"({"event":"start","ranks":{"count":2}}
{"event":"checkpoint","step":1,"bytes":100,"write_seconds":0.5}
{"event":"checkpoint","step":2,"bytes":"100"}
5
{"event":"start","ranks":{"count":4}}
{"event":"start"}
{"event":"checkpoint","step":3,"bytes":200,"write_se)");
  const runlog::RunProcesses found = runlog::read_processes(folder / "run.jsonl");
  CHECK(found.most == 4);
  REQUIRE(found.saves.size() == 1);
  CHECK(found.saves[0].bytes == 100);
  CHECK(found.saves[0].seconds == 0.5);
}
