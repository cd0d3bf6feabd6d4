// Lines of run.jsonl.
#include "record/event_log.h"

#include <limits>

#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::train;

TEST_CASE("events are whole lines, also after one that a crash cut") {
  const test::TempDir dir;
  test::write_text(dir / "run.jsonl", "{\"event\":\"sta");
  { EventLog(dir / "run.jsonl").write({{"event", "a"}}); }
  { EventLog(dir / "run.jsonl").write({{"event", "b"}}); }
  CHECK(test::read_text(dir / "run.jsonl") ==
        "{\"event\":\"sta\n{\"event\":\"a\"}\n{\"event\":\"b\"}\n");
}

TEST_CASE("a number that is none is written as null") {
  const test::TempDir dir;
  EventLog(dir / "run.jsonl").write({{"loss", std::numeric_limits<double>::quiet_NaN()}});
  CHECK(test::read_text(dir / "run.jsonl") == "{\"loss\":null}\n");
}

TEST_CASE("the report reads what the log says of a run's plan and place") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  EventLog log(tiny / "run.jsonl");
  const Json start = start_event(plan, {"cpu", "fused", 2});
  CHECK(start["version"].get<std::string>().find('.') != std::string::npos);  // 0.1.0
  log.write(start);
  state::Progress at;
  at.stage = "small";
  at.step = at.stage_step = 3;
  at.tokens = 192;
  at.flops = 5e6;
  at.seconds = 0.25;
  Json event = place_event("step", at);
  event["loss"] = 2.5;
  log.write(event);
  const runlog::Run run = runlog::read_log(tiny / "run.jsonl", "tiny");
  CHECK(run.role == "staged");
  CHECK(run.device == "cpu");
  CHECK(run.threads == 2);
  CHECK(run.seed == 3);
  CHECK(run.total_steps == 12);
  CHECK(run.final_model == plan.final_model);
  REQUIRE(run.stages.size() == 2);
  CHECK(run.stages[1].params == static_cast<double>(plan.stages[1].params.total));
  CHECK(run.stages[1].grow == plan.stages[1].growth->operators());
  REQUIRE(run.steps.size() == 1);
  CHECK(run.steps[0].at.flops == 5e6);
  CHECK(run.steps[0].loss == 2.5);
}

TEST_CASE("a start event holds what decides whether runs may be compared") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  const RunData data = open_data(plan);
  EventLog log(tiny / "run.jsonl");
  log.write(start_event(plan, {"cpu", "fused", 2}, data));
  const runlog::Run run = runlog::read_log(tiny / "run.jsonl", "tiny");
  CHECK(run.schedule == plan.schedule.name);
  CHECK(run.setting("lr.peak") == format_number(plan.schedule.lr.peak));
  CHECK(run.setting("batch.sequences") == std::to_string(plan.schedule.batch.sequences));
  CHECK(run.setting("evaluate.tokens") == std::to_string(plan.schedule.evaluate.tokens));
  CHECK(run.setting("precision") == "fp32");
  CHECK(run.setting("dropout") == "0");
  CHECK(run.setting("optimizer.betas") == "[0.9, 0.95]");
  CHECK(run.setting("data.train").empty());  // data, model and stages have keys of their own
  CHECK(run.setting("stages").empty());
  CHECK(run.train_fingerprint == fmt::format("{:08x}", data.train_fingerprint));
  CHECK(run.validation_fingerprint.size() == 8);
  CHECK(run.tokenizer == data.tokenizer);
  CHECK_FALSE(run.hardware.empty());
}

TEST_CASE("a start event names the kind of a long tokenizer and its checksum") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  RunData data = open_data(plan);
  const auto named = [&](const std::string& tokenizer) {
    data.tokenizer = tokenizer;
    return start_event(plan, {"cpu", "fused", 2}, data)["data"]["tokenizer"].get<std::string>();
  };
  CHECK(named("bytes") == "bytes");
  CHECK(named("{\"model\": {}}").starts_with("BPE "));
  CHECK(named("\n\x0e\n\x05").starts_with("SentencePiece "));
}
