// Adapters that begin from a larger model, as a user runs them: planned, trained on several
// processes, stopped and resumed, reported.
#include "support/catch.h"
#include "support/ranks.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::require_done;

namespace {

// 20 steps, the last ten of which train adapters that begin from a model of 3 layers x 48.
struct TransplantRun : test::RanksRun {
  TransplantRun() {
    require_done(train("larger", 1,
                       {"--set", "model.layers=3", "--set", "model.width=48", "--set",
                        "stages=[{name: whole, for: 6}]"}));
    edits.insert(edits.end(), {"stages.full.grow=[{operator: depth, layers: 2}]",
                               "stages.full.adapters={rank: 4, samples: 6, from: " +
                                   folder("larger") + "/stages/whole.h5}"});
  }
};

}  // namespace

TEST_CASE("processes, and a run that is stopped and resumed, end with the bits of one process") {
  const TransplantRun run;
  require_done(run.train("one", 1));
  require_done(run.train("two", 2));
  const auto end = [&](const char* name) { return run.tiny / name / "stages/full.h5"; };
  CHECK(first_difference(end("one"), end("two")) == "");
  CHECK(state::CheckpointReader(end("one")).header().progress.flops ==
        state::CheckpointReader(end("two")).header().progress.flops);
  // Without its last files, the run goes on within the stage. It needs the larger model no more.
  std::filesystem::remove(end("two"));
  std::filesystem::remove(run.folder("two") + "/checkpoints/step-00000016.h5");
  std::filesystem::remove(run.folder("larger") + "/stages/whole.h5");
  const test::CommandResult resumed = run.train("two", GENERATE(1, 3));
  require_done(resumed);
  CHECK(first_difference(end("one"), end("two")) == "");
  const test::CommandResult refused = run.train("new", 2);
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "stage full: adapters.from: there is no file"));
}

TEST_CASE("plan and report say what measuring the larger model costs") {
  const TransplantRun run;
  require_done(run.train("run", 1));
  std::vector<std::string> words = {test::program(), "plan", (run.tiny / "tiny.yaml").string()};
  for (const std::string& edit : run.edits) words.insert(words.end(), {"--set", edit});
  const test::CommandResult planned = test::run({.arguments = words});
  require_done(planned);
  CHECK(contains(planned.out, "sensitivity pass"));
  const test::CommandResult reported =
      test::run({.arguments = {test::program(), "report", run.folder("run")}});
  require_done(reported);
  CHECK(contains(reported.out, "Adapters that begin from a larger model, counted in all costs"));
  words.insert(words.end(),
               {"--set", "stages.full.adapters.from=" + run.folder("run") + "/stages/small.h5"});
  const test::CommandResult refused = test::run({.arguments = words});
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "stages.1.adapters: from: found gpt2, 1 layer"));
  CHECK(contains(refused.err, "expected at least the 2 layers of this stage"));
}
