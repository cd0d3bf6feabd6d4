// Small schedules as text, and the example files of schedules/.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::test {

// Two stages, 2 -> 6 layers of 128: 2,100 and 900 steps of 2,048 tokens.
inline const std::string kTwoStages = R"(seed: 1
data: {train: data/train.bin, validation: data/validation.bin}
model: {architecture: gpt2, layers: 6, width: 128, heads: 4, context: 128, vocab: 256}
batch: {sequences: 16, micro: 16}
lr: {curve: wsd, peak: 3e-3, warmup: 100 steps, decay: 20%}
optimizer: {betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.1, clip: 1.0}
precision: fp32
stages:
  - {name: shallow, model: {layers: 2}, for: 2100 steps}
  - {name: full, grow: [{operator: depth, layers: 6, new_layers: zero_output}], for: 900 steps}
evaluate: {every: 200 steps, tokens: 64K}
checkpoint: {every: 500 steps, keep: 2}
)";

// kTwoStages after these edits (as of --set).
inline schedule::Schedule two_stages(const std::vector<std::string>& edits = {}) {
  return schedule::parse(kTwoStages, "two.yaml", edits);
}

// GPT-2 of 124M parameters and 20 tokens for each.
inline schedule::Schedule gpt2_124m(const std::vector<std::string>& more = {}) {
  std::vector<std::string> edits = {
      "model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
      "batch={sequences: 480, micro: 16}", "stages=[{name: whole, for: 2.5G tokens}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return two_stages(edits);
}

inline std::filesystem::path source_folder() {
  const char* folder = std::getenv("STAGEDTRAIN_SOURCE");
  return folder ? folder : ".";
}

// Every file of schedules/ and its folders, in the order of their names.
inline std::vector<std::filesystem::path> example_schedules(const std::string& within = "") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(source_folder() / "schedules" / within))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace stagedtrain::test
