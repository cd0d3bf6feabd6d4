// Which checkpoints a run leaves behind under checkpoint.keep, also when it was stopped.
#include <set>

#include "faulty_run.h"
#include "runlog/run_log.h"
#include "support/catch.h"

using namespace stagedtrain;
using test::Edits;

namespace {

const Edits kKeep = {"checkpoint.every=1", "checkpoint.keep={last: 1, every: 5, best: 2}"};

std::set<std::int64_t> kept_steps(const test::TinyRun& tiny) {
  std::set<std::int64_t> steps;
  for (int step = 1; step <= 12; ++step)
    if (std::filesystem::exists(test::step_file(tiny, step))) steps.insert(step);
  return steps;
}

// The steps that the log says should be there: the last, multiples of 5, the two best of the stage
// `full`.
std::set<std::int64_t> expected_steps(const test::TinyRun& tiny) {
  std::vector<std::pair<double, std::int64_t>> ranked;
  for (const auto& one : runlog::read_log(tiny / "run/run.jsonl", "run").evaluations)
    if (one.stage == "full" && one.at.step < 12)
      ranked.emplace_back(one.loss, static_cast<std::int64_t>(one.at.step));
  REQUIRE(ranked.size() == 5);  // after steps 7 to 11, though evaluate.every is 3
  std::ranges::sort(ranked);
  return {11, 5, 10, ranked[0].second, ranked[1].second};
}

}  // namespace

TEST_CASE("a run keeps the last, the regular and the best checkpoints") {
  const test::TinyRun tiny;
  // A rate at which the loss goes up and down, so that the last is not the best.
  Edits edits = kKeep;
  edits.push_back("lr.peak=0.3");
  test::run_in(tiny, "run", edits);
  CHECK(kept_steps(tiny) == expected_steps(tiny));
}

TEST_CASE("a run that was stopped and resumed knows which checkpoints are the best") {
  const test::TinyRun tiny;
  Edits edits = kKeep;
  edits.push_back("lr.peak=0.3");
  test::run_in(tiny, "whole", edits);
  const int line = GENERATE(3, 8, 15, 20, 23, 26, 29, 32);
  CAPTURE(line);
  test::run_until_line(tiny, line, edits);
  CHECK(test::run_in(tiny, "run", edits).done);
  CHECK(test::same_end(tiny));
  CHECK(kept_steps(tiny) == expected_steps(tiny));
}

TEST_CASE("checkpoints at multiples of keep.every are saved where checkpoint.every saves none") {
  const test::TinyRun tiny;
  test::run_in(tiny, "run", {"checkpoint={every: 0, keep: {last: 1, every: 4}}"});
  CHECK(kept_steps(tiny) == std::set<std::int64_t>{4, 8});
}

TEST_CASE("an evaluation for the best checkpoints does not end a stage") {
  const test::TinyRun tiny;
  const Edits until = {"evaluate.every=5", "stages.full.until={loss: 100}", "checkpoint.every=1"};
  test::run_in(tiny, "whole", until);
  Edits best = until;
  best.push_back("checkpoint.keep={best: 1}");
  test::run_in(tiny, "run", best);
  CHECK(test::same_end(tiny));
  CHECK(state::CheckpointReader(tiny / "run/stages/full.h5").header().progress.step == 10);
}
