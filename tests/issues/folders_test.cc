// Found 2026-11: a run folder or a data folder given where a file is expected was only called "not
// a regular file".
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

TEST_CASE("every command that wants a checkpoint or tokens says which file in the folder to give") {
  const test::TinyRun tiny;
  std::filesystem::create_directories(tiny / "run/stages");
  state::save(tiny / "run/stages/small.h5", state::fresh(tiny.plan().final_model, 1));
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const std::string run = (tiny / "run").string(), data = (tiny / "data").string(),
                    yaml = (tiny / "tiny.yaml").string(), out = (tiny / "new").string();
  const std::string checkpoint = "give the newest checkpoint in it: " + run + "/stages/small.h5",
                    tokens = "give " + data + "/train.bin";
  check_refused(test::stagedtrain({"show", run}), 3, checkpoint);
  check_refused(test::stagedtrain({"show", data}), 3, data + "/train.bin");
  check_refused(test::stagedtrain({"grow", run, (tiny / "big.h5").string(), "--operator", "depth",
                                   "--layers", "4"}),
                3, checkpoint);
  check_refused(test::stagedtrain({"eval", run, "--sample", "3"}), 3, checkpoint);
  for (const char* command : {"plan", "train"}) {
    std::vector<std::string> arguments = {command, yaml, "--set", "data.train=" + data};
    if (std::string(command) == "train") arguments.insert(arguments.end(), {"--out", out});
    check_refused(test::stagedtrain(arguments), 3, tokens);
  }
  check_refused(test::stagedtrain({"train", yaml, "--out", out, "--set", "from=" + run}), 3,
                checkpoint);
}
