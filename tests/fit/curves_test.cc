// Reading curves: CSV of both kinds, run logs stage by stage, and what is refused with its line.
#include "fit/curves.h"

#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

LoggedRuns read(const std::string& csv) {
  LoggedRuns logged;
  read_csv(csv, "c.csv", logged);
  return logged;
}

void check_refused(const std::string& csv, const std::string& says) {
  const std::string message = test::refusal(ErrorKind::input, [&] { read(csv); });
  INFO(message);
  CHECK(contains(message, says));
}

}  // namespace

TEST_CASE("a curve is read, columns in any order") {
  const LoggedRuns logged =
      read("loss, Step,lr,tokens\r\n3.5,10,1e-3,1000\r\n\r\n3.25,20,1e-3,2000\n");
  REQUIRE(logged.curves.size() == 1);
  const LoggedCurve& curve = logged.curves[0];
  CHECK(curve.name == "c.csv");
  REQUIRE(curve.steps.size() == 2);
  CHECK(curve.steps[1].step == 20);
  CHECK(curve.steps[1].loss == 3.25);
  CHECK(curve.tokens_per_step == 100);
  CHECK(std::isnan(read("step,lr,loss\n1,1,1\n").curves[0].tokens_per_step));
}

TEST_CASE("a curve may say of how many parameters its model is, and of one model alone") {
  const LoggedCurve curve = read("step,lr,loss,parameters\n1,1,3,5e6\n2,1,2,5e6\n").curves.at(0);
  CHECK(curve.parameters == 5e6);
  CHECK(curve.non_embedding == 5e6);
  CHECK(std::isnan(read("step,lr,loss\n1,1,1\n").curves[0].non_embedding));
  check_refused("step,lr,loss,parameters\n1,1,3,5e6\n2,1,2,6e6\n", "c.csv:3: parameters is 6");
  check_refused("step,lr,loss,parameters\n1,1,3,0\n", "c.csv:2: parameters is 0");
}

TEST_CASE("finished runs are read, by tokens or by FLOP") {
  CHECK(read("parameters,tokens,loss\n1e6,2e7,3\n").ends[0].points[0].tokens == 2e7);
  CHECK(read("parameters,training_flop,loss\n1e6,6e13,3\n").ends[0].points[0].tokens == 1e7);
}

TEST_CASE("bad CSV is refused with its line") {
  check_refused("step,lr,loss\n1,1e-3,3\n2,1e-3,nan\n",
                "c.csv:3: loss is 'nan', expected a number");
  check_refused("step,lr,loss\n1,1e-3\n", "c.csv:2: found 2 values, expected 3 (step, lr, loss)");
  check_refused("step,lr,loss\n5,1,3\n5,1,3\n", "c.csv:3: step 5 after step 5");
  check_refused("step,lr,loss\n5,-1,3\n", "c.csv:2: lr is -1");
  check_refused("step,lr,loss\n5,1,0\n", "c.csv:2: loss is 0");
  check_refused("step,loss\n5,3\n", "c.csv:1: found the columns 'step, loss'");
  check_refused("", "c.csv:1");
  check_refused("parameters,tokens,loss\n0,1,1\n", "c.csv:2: parameters is 0");
}

TEST_CASE("steps and losses that no log has are refused with their line") {
  check_refused("step,lr,loss\n1,1,3\n2e9,1,2\n", "c.csv:3: step 2000000000, expected at most");
  check_refused("step,lr,loss\n1,1,1e100\n2,1,2\n", "c.csv:2: a loss of 1e+100, expected nats");
}

TEST_CASE("each stage of a run is a curve that begins where the stage began") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const LoggedRuns logged = read_curves({(folder / "staged").string()});
  REQUIRE(logged.curves.size() == 2);
  const LoggedCurve &small = logged.curves[0], &big = logged.curves[1];
  CHECK(small.begin == 0);
  CHECK(big.begin >= small.steps.back().step);
  CHECK(big.steps.front().step > big.begin);
  CHECK(big.parameters > small.parameters);
  CHECK(small.tokens_per_step == Approx(2048));
  CHECK(contains(big.name, "staged:"));
  const LoggedRuns file = read_curves({(folder / "staged/run.jsonl").string()});
  CHECK(file.curves.size() == 2);
}

TEST_CASE("a loss that is no number is refused with its line") {
  const test::TempDir folder;
  test::write_text(folder / "run.jsonl",
                   R"({"event":"start","role":"scratch","stages":[{"name":"full"}]}
{"event":"step","step":1,"tokens":10,"stage":"full","loss":3,"lr":0.1}
{"event":"step","step":2,"tokens":20,"stage":"full","loss":null,"lr":0.1}
)");
  const std::string says =
      test::refusal(ErrorKind::input, [&] { read_curves({(folder / "run.jsonl").string()}); });
  INFO(says);
  CHECK(contains(says, "run.jsonl:3: the loss of step 2"));
}

TEST_CASE("a CSV file may be as spreadsheets and loggers write it") {
  const auto first = [](const std::string& csv) { return read(csv).curves.at(0).steps.at(1); };
  const std::string plain = "step,lr,loss\n1,1e-3,3.5\n2,1e-3,3.25\n";
  CHECK(first("\xef\xbb\xbf" + plain).loss == 3.25);                      // byte order mark
  CHECK(first("STEP,Lr,LOSS\n1,1e-3,3.5\n2,1e-3,3.25\n").loss == 3.25);  // names in any case
  CHECK(first("step,lr,loss\r\n1,1e-3,3.5\r\n2,1e-3,3.25\r\n").loss == 3.25);
  CHECK(first("step,lr,loss\r1,1e-3,3.5\r2,1e-3,3.25\r").loss == 3.25);
  CHECK(first("\"step\",\"lr\",\"loss\"\n\"1\",\"1e-3\",\"3.5\"\n\"2\", \"1e-3\" ,\"3.25\"\n").loss ==
        3.25);
  // Columns that are not used may hold anything, quoted commas and quotes too.
  const std::string extra =
      "step,run,lr,loss,note\n1,a,1e-3,3.5,\n2,\"b, \"\"best\"\"\",1e-3,3.25,nan\n";
  CHECK(first(extra).step == 2);
  CHECK(first(extra).loss == 3.25);
  CHECK(read("Parameters,Tokens,Loss,Name\n1e6,2e7,3,\"x,y\"\n").ends[0].points[0].tokens == 2e7);
}

TEST_CASE("a CSV file that cannot be a table is refused with its line") {
  check_refused("step,lr,loss\n1,1e-3,\"3.5\n2,1e-3,3\n", "c.csv:2: a quote is never closed");
  check_refused("step;lr;loss\n1;1e-3;3.5\n", "cells are separated by commas");
  check_refused("step,lr,loss,run\n1,1e-3,x,a\n", "c.csv:2: loss is 'x', expected a number");
  check_refused("step,lr,loss\n1,0,3\n2,0,2.5\n3,0,2\n",
                "c.csv:2: lr is 0 here and in every other row");
}
