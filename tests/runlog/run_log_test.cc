// Reading run.jsonl: every event, resumed and crashed runs, and lines that are no events.
#include "runlog/run_log.h"

#include <fmt/format.h>

#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::runlog;

namespace {

const std::string kStart = R"({"event":"start","role":"scratch","stages":[{"name":"full"}]})"
                           "\n";

const std::string kResumeAt1 = R"({"event":"resume","step":1})"
                               "\n";

std::string step_line(int step, double loss) {
  return fmt::format(R"({{"event":"step","step":{},"tokens":{},"stage":"full","loss":{},"lr":0.1}})"
                     "\n",
                     step, step * 10, loss);
}

Run read(const std::string& text) {
  const test::TempDir folder;
  test::write_text(folder / "run.jsonl", text);
  return read_log(folder / "run.jsonl", "a");
}

std::string refused(const std::string& text) {
  return test::refusal(ErrorKind::input, [&] { read(text); });
}

std::vector<double> steps_of(const Run& run) {
  std::vector<double> steps;
  for (const StepPoint& point : run.steps) steps.push_back(point.at.step);
  return steps;
}

}  // namespace

TEST_CASE("a log tells of a whole staged run") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const Run run = read_log(folder / "staged" / "run.jsonl", "staged");
  CHECK(run.name == "staged");
  CHECK(run.staged());
  CHECK(run.version == "0.1.0");
  CHECK(run.device == "cpu");
  CHECK(run.threads == 2);
  CHECK(run.seed == 1);
  CHECK(run.curve == "wsd");
  CHECK(run.total_steps == 3000);
  CHECK(run.validation_data == "data/gcide/validation.bin");
  CHECK(run.final_model.layers == 6);
  CHECK(run.final_model.ffn == 512);
  REQUIRE(run.stages.size() == 2);
  CHECK(run.stages[0].model.layers == 2);
  CHECK(run.stages[1].grow == "depth zero_output");
  CHECK(run.params() == run.stages[1].params);
  CHECK(run.steps.size() == 300);
  CHECK(run.steps.front().at.step == 10);
  CHECK(run.steps.front().lr == Approx(3e-4));
  CHECK(run.evaluations.size() == 30);
  CHECK(run.evaluations.back().windows == 512);
  REQUIRE(run.growths.size() == 1);
  CHECK(run.growths[0].at.step == 2100);
  CHECK(run.growths[0].loss_before == run.growths[0].loss_after);
  CHECK(run.stage_ends.size() == 2);
  REQUIRE(run.end);
  CHECK(run.end->decayed);
  CHECK(run.end->bits_per_byte == Approx(run.end->loss / std::log(2.0)));
  CHECK(run.comparable());
  CHECK(run.last().tokens == 3000 * 2048);
}

TEST_CASE("what a log does not tell is unknown, and unknown events are ignored") {
  const Run run = read(kStart +
                       R"({"event":"weather","rain":true})"
                       "\n" +
                       step_line(1, 2.5));
  CHECK(std::isnan(run.steps[0].at.flops));
  CHECK(std::isnan(run.params()));
  CHECK_FALSE(run.seed);
  CHECK_FALSE(run.end);
  CHECK_FALSE(run.comparable());
  CHECK(run.last().step == 1);
}

TEST_CASE("a loss that was not finite is written as null and read as unknown") {
  const Run run =
      read(kStart + R"({"event":"end","step":1,"tokens":1,"flops":1,"loss":null,"decayed":true})");
  REQUIRE(run.end);
  CHECK(std::isnan(run.end->loss));
  CHECK_FALSE(run.comparable());
}

TEST_CASE("a run without a role is staged if it has two stages") {
  CHECK(read(R"({"event":"start","stages":[{"name":"a"},{"name":"b"}]})").staged());
  CHECK_FALSE(read(R"({"event":"start","stages":[{"name":"a"}]})").staged());
}

TEST_CASE("a resume voids what came after its step, and later lines win") {
  const Run run = read(kStart + step_line(1, 3) + step_line(2, 2.9) + step_line(3, 2.8) +
                       R"({"event":"evaluate","step":3,"stage":"full","loss":2.7})"
                       "\n"
                       R"({"event":"end","step":3,"loss":2.7,"decayed":true})"
                       "\n" +
                       R"({"event":"resume","step":1})"
                       "\n" +
                       step_line(2, 2.5));
  CHECK(steps_of(run) == std::vector<double>{1, 2});
  CHECK(run.steps[1].loss == 2.5);
  CHECK(run.evaluations.empty());
  CHECK_FALSE(run.end);
}

TEST_CASE("a run that goes on from an earlier step without saying so replaces its lines") {
  const Run run =
      read(kStart + step_line(1, 3) + step_line(2, 2.9) + step_line(3, 2.8) + step_line(2, 2.5));
  CHECK(steps_of(run) == std::vector<double>{1, 2});
}

TEST_CASE("a run that was ended and trained further has not ended") {
  const std::string end = R"({"event":"end","step":2,"loss":2.7,"decayed":true})"
                          "\n";
  CHECK(read(kStart + step_line(2, 3) + end).end);
  CHECK_FALSE(read(kStart + step_line(2, 3) + end + step_line(3, 2.9)).end);
}

TEST_CASE("an evaluation of the same step and stage replaces the earlier one") {
  const std::string at = R"({"event":"evaluate","step":3,"stage":"full","loss":)";
  const Run run = read(kStart + at + "2.7}\n" + at + "2.6}\n");
  REQUIRE(run.evaluations.size() == 1);
  CHECK(run.evaluations[0].loss == 2.6);
}

TEST_CASE("generated text is read by step and prompt; a resume voids what came after its step") {
  const auto sample = [](int step, const std::string& text) {
    return fmt::format(
        R"({{"event":"sample","step":{},"stage":"full","samples":[{{"prompt":"p","text":"{}"}},)"
        R"({{"prompt":"q","text":"x"}}]}})"
        "\n",
        step, text);
  };
  const auto texts = [](const Run& run) {
    std::string all;
    for (const GeneratedText& each : run.generated)
      all += fmt::format("{} {} {}{};", each.at.step, each.stage, each.prompt, each.text);
    return all;
  };
  const std::string log = kStart + sample(1, "a") + sample(2, "b");
  CHECK(texts(read(log)) == "1 full pa;1 full qx;2 full pb;2 full qx;");
  CHECK(texts(read(log + kResumeAt1)) == "1 full pa;1 full qx;");
  CHECK(texts(read(log + sample(2, "c"))) == "1 full pa;1 full qx;2 full pc;2 full qx;");
}

TEST_CASE("a line cut by a crash is skipped, at the end and before a resume") {
  CHECK(steps_of(read(kStart + step_line(1, 3) + R"({"event":"st)")) == std::vector<double>{1});
  const std::string resumed = R"({"event":"resume","step":1})"
                              "\n";
  CHECK(steps_of(read(kStart + step_line(1, 3) + "{\"event\":\"st\n" + resumed +
                      step_line(2, 2))) == std::vector<double>{1, 2});
}

TEST_CASE("a bad line is refused with its file and line") {
  CHECK(test::contains(refused(kStart + "{\"event\":\n" + step_line(1, 3)),
                       "run.jsonl:2: not valid JSON"));
  CHECK(test::contains(refused(kStart + "\n[1]\n"),
                       "run.jsonl:3: found array, expected a JSON object"));
  CHECK(test::contains(refused(kStart + R"({"event":"step","step":"one"})"),
                       "run.jsonl:2: 'step' is of type string, expected a number"));
  CHECK(test::contains(refused(kStart + R"({"event":"step","stttep":3,"loss":2})"),
                       "run.jsonl:2: found no 'step'"));
  CHECK(
      test::contains(refused(kStart + R"({"event":"end","decayed":1})"), "expected true or false"));
  CHECK(test::contains(refused(R"({"event":"start","stages":{}})"),
                       "'stages' is of type object, expected a list"));
}

TEST_CASE("a log without a start, or with an unknown role, is refused") {
  CHECK(test::contains(refused(""), "found no start event"));
  CHECK(test::contains(refused(step_line(1, 3)), "found no start event"));
  CHECK(test::contains(refused(R"({"event":"start","role":"other"})"),
                       "the run's role is 'other', expected staged or scratch"));
}

TEST_CASE("a folder stands for its runs in natural order, each read once") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  test::write_run(folder / "scratch" / "budget-900", {.stages = {{"full", 6, 900}}});
  const std::string scratch = (folder / "scratch").string();
  const std::vector<Run> runs =
      read_runs({scratch, scratch + "/budget-900/run.jsonl", (folder / "staged").string()});
  REQUIRE(runs.size() == 5);
  CHECK(runs[0].name == scratch + "/budget-900");
  CHECK(runs[1].name == scratch + "/budget-1500");
  CHECK(runs[4].name == (folder / "staged").string());
}

TEST_CASE("runs in sub-folders of sub-folders are found") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  CHECK(read_runs({folder.path().string()}).size() == 4);
}

TEST_CASE("a folder without runs, and one that is not there, are refused") {
  const test::TempDir folder;
  const auto refused_path = [](const std::string& path) {
    return test::refusal(ErrorKind::input, [&] { read_runs({path}); });
  };
  CHECK(test::contains(refused_path(folder.path().string()), "found no run.jsonl"));
  CHECK(test::contains(refused_path((folder / "no").string()), "no such run folder"));
}

// ---- which process the facts are of

namespace {

std::string start_line(int threads, const std::string& rest = "") {
  return fmt::format(
      R"({{"event":"start","role":"scratch","time":"t{0}","device":"cpu","threads":{0},)"
      R"("stages":[{{"name":"full"}}]{1}}})"
      "\n",
      threads, rest);
}

const std::string kResumeAt2 = R"({"event":"resume","step":2})"
                               "\n";
const std::string kEndAt2 =
    R"({"event":"end","step":2,"tokens":1,"flops":1,"loss":2,"decayed":true})"
    "\n";

}  // namespace

TEST_CASE("a start event that no step follows changes nothing") {
  // train was called again on the finished run, on eight threads: it had nothing to do.
  const Run run = read(start_line(2) + step_line(2, 3) + kEndAt2 + start_line(8) + kResumeAt2);
  CHECK(run.threads == 2);
  CHECK(run.time == "t2");
  CHECK_FALSE(run.moved);
  // It scored the model again, without a step.
  const std::string scored = R"({"event":"evaluate","step":2,"stage":"full","loss":2.7})"
                             "\n";
  CHECK(read(start_line(2) + step_line(2, 3) + start_line(8) + kResumeAt2 + scored).threads == 2);
}

TEST_CASE("the facts are those of the last process that took steps") {
  const Run run =
      read(start_line(2) + step_line(2, 3) + start_line(8) + kResumeAt2 + step_line(3, 2.9));
  CHECK(run.threads == 8);
  CHECK(run.time == "t8");
  CHECK(run.moved);
  CHECK_FALSE(
      read(start_line(2) + step_line(2, 3) + start_line(2) + kResumeAt2 + step_line(3, 2.9)).moved);
}

TEST_CASE("a run that has only begun has the facts of its only start event") {
  CHECK(read(start_line(8)).threads == 8);
}

TEST_CASE("a start event tells the data's fingerprints and the settings of the schedule") {
  const Run run = read(start_line(
      2, R"(,"data":{"train":"t.bin","train_fingerprint":"ab","validation_fingerprint":"cd",)"
         R"("tokenizer":"bytes"},"settings":{"lr.peak":"0.003","batch.sequences":16},)"
         R"("hardware":"Some CPU","schedule":"demo","from":"old.h5")"));
  CHECK(run.train_fingerprint == "ab");
  CHECK(run.validation_fingerprint == "cd");
  CHECK(run.tokenizer == "bytes");
  CHECK(run.setting("lr.peak") == "0.003");
  CHECK(run.setting("batch.sequences") == "16");
  CHECK(run.setting("dropout").empty());
  CHECK(run.hardware == "Some CPU");
  CHECK(run.schedule == "demo");
  CHECK(run.from == "old.h5");
}

// ---- standard errors and learning rates

TEST_CASE("one validation window has no standard error, whatever the log wrote for it") {
  const auto stage_end = [](const char* error, int windows) {
    return fmt::format(
        R"({{"event":"stage_end","step":2,"stage":"full","loss":2,"stderr":{},"windows":{}}})"
        "\n",
        error, windows);
  };
  const std::string end =
      R"({"event":"end","step":2,"tokens":1,"flops":1,"loss":2,"stderr":0,"decayed":true})";
  CHECK(std::isnan(read(kStart + stage_end("0", 1)).stage_ends[0].se));
  CHECK(std::isnan(read(kStart + stage_end("null", 1)).stage_ends[0].se));
  CHECK(read(kStart + stage_end("0.5", 2)).stage_ends[0].se == 0.5);
  CHECK(std::isnan(read(kStart + stage_end("0", 1) + end).end->se));
}

TEST_CASE("an end counts as decayed only if its learning rate did come down") {
  const auto why = [](double last_lr, const std::string& end_lr, int end_step) {
    const auto step = [](int at, double lr) {
      return fmt::format(R"({{"event":"step","step":{},"stage":"full","loss":3,"lr":{}}})"
                         "\n",
                         at, lr);
    };
    return read(kStart + step(10, 0.001) + step(20, 0.003) + step(100, last_lr) +
                fmt::format(R"({{"event":"end","step":{},"tokens":1,"flops":1,"loss":2,)"
                            R"("decayed":true{}}})"
                            "\n",
                            end_step, end_lr))
        .why_not_comparable();
  };
  CHECK(why(0, "", 100).empty());
  CHECK(why(0.0003, "", 100).empty());  // a floor
  CHECK(test::contains(why(0.003, "", 100), "its last logged learning rate is 0.003, its highest"));
  CHECK(test::contains(why(0.004, "", 100), "its highest 0.004"));  // a warm-up that never ended
  CHECK(test::contains(why(0.003, R"(,"lr":0.0029)", 103), "last logged learning rate is 0.0029"));
  CHECK(why(0.003, R"(,"lr":0.0001)", 130).empty());
  CHECK(test::contains(why(0.003, "", 101), "its last logged learning rate"));
  CHECK(why(0.003, "", 130).empty());  // the log does not reach to the end
}

// ---- damage

namespace {

RunLogs read_folder(const test::TempDir& folder) {
  return read_what_is_there({folder.path().string()});
}

}  // namespace

TEST_CASE("a damaged log is read as far as it can be, and the damage is told") {
  const test::TempDir folder;
  test::write_text(folder / "run.jsonl", kStart + step_line(1, 3) + "{\"event\":\n" +
                                             R"({"event":"step","step":"two"})"
                                             "\ngarbage\n" +
                                             step_line(3, 2.5));
  const RunLogs logs = read_folder(folder);
  REQUIRE(logs.runs.size() == 1);
  CHECK(steps_of(logs.runs[0]) == std::vector<double>{1, 3});
  REQUIRE(logs.problems.size() == 1);
  CHECK(test::contains(logs.problems[0], "lines of the log were skipped; the first: "));
  CHECK(test::contains(logs.problems[0], "run.jsonl:3: not valid JSON"));
}

TEST_CASE("a log that has lost its start is told and left out, the others are read") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  test::write_text(folder / "staged" / "run.jsonl", step_line(1, 3));
  const RunLogs logs = read_folder(folder);
  CHECK(logs.runs.size() == 3);
  REQUIRE(logs.problems.size() == 1);
  CHECK(test::contains(logs.problems[0], "found no start event"));
}

TEST_CASE("selections of data are read once for each step, and void after a resume before them") {
  const auto select = [](int step, int passes) {
    return fmt::format(
        R"({{"event":"select","step":{},"flops":9,"stage":"full","windows":100,"selected":25,)"
        R"("select_passes":{},"select_flops":5,"select_seconds":1}})"
        "\n",
        step, passes);
  };
  const std::string resume = "{\"event\":\"resume\",\"step\":2}\n";
  // Drawn again after a resume from the same step.
  const Run run = read(kStart + step_line(1, 5) + select(1, 1) + step_line(2, 4) + select(2, 0) +
                       resume + select(2, 0) + step_line(3, 4) + select(3, 0));
  REQUIRE(run.selections.size() == 3);
  CHECK(run.selections[0].passes == 1);
  CHECK(run.selections[0].windows == 100);
  CHECK(run.selections[0].selected == 25);
  CHECK(run.selections[1].at.step == 2);
  CHECK(run.selections[1].flops == 5);
  CHECK(run.selections[1].seconds == 1);
  CHECK(
      read(kStart + step_line(1, 5) + step_line(3, 4) + select(3, 0) + resume).selections.empty());
}

TEST_CASE("a fit is read once for each growth, and void after a resume before it") {
  const std::string fit =
      R"({"event":"fit","step":2,"flops":9,"stage":"full","fit_steps":7,"fit_tokens":30,)"
      R"("fit_flops":5,"fit_seconds":1,"loss_before":3,"loss_after":2})"
      "\n";
  const Run twice = read(kStart + step_line(1, 5) + step_line(2, 4) + fit + fit);
  REQUIRE(twice.fits.size() == 1);
  CHECK(twice.fits[0].steps == 7);
  CHECK(twice.fits[0].tokens == 30);
  CHECK(twice.fits[0].flops == 5);
  CHECK(twice.fits[0].at.flops == 9);
  CHECK(twice.fits[0].loss_after == 2);
  CHECK(
      read(kStart + step_line(1, 5) + step_line(2, 4) + fit + "{\"event\":\"resume\",\"step\":1}\n")
          .fits.empty());
}
