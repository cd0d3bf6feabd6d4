// Run logs as train writes them, with made-up but likely numbers: bytes of a dictionary, a GPT-2 of
// width 128, 2,048 tokens a step, WSD with the last fifth decayed. The same every time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace stagedtrain::test {

struct MadeStage {
  std::string name;
  int layers = 6;
  double steps = 3000;
};

struct MadeRun {
  std::string role = "scratch";
  std::vector<MadeStage> stages = {{.name = "full"}};
  double stop = 1e18;  // no line beyond this step; at or after the last step the run ends
  bool decayed = true;
  double seed = 1;
  double noise = 0.06;  // of the training losses: at most so much above or below
  double worse = 0;     // added to all losses of the run
  std::string device = "cpu", train = "data/gcide/train.bin",
              validation = "data/gcide/validation.bin", curve = "wsd";
};

// The text of its run.jsonl.
std::string made_log(const MadeRun& run);
// Writes folder/run.jsonl.
void write_run(const std::filesystem::path& folder, const MadeRun& run);
// folder/staged (2 -> 6 layers, 3,000 steps) and folder/scratch/budget-1500, -2100 and -3000.
void write_made_runs(const std::filesystem::path& folder);

}  // namespace stagedtrain::test
