// Made-up text, and the smallest schedule that grows.
#include "support/tiny_run.h"

#include <fmt/format.h>

#include "base/rng.h"
#include "lengths/resolve_files.h"
#include "prepare/prepare.h"
#include "support/text_file.h"

namespace stagedtrain::test {

std::string made_up_text(std::size_t bytes) {
  static const std::vector<std::string> words = {"the ",  "light ", "of ",   "a ",      "small ",
                                                 "lamp ", "grew ",  "and\n", "shone. ", "over "};
  const CounterRng rng(1, hash_name("text"));
  std::string text;
  for (std::uint64_t i = 0; text.size() < bytes; ++i) text += words[rng.below(i, words.size())];
  return text;
}

TinyRun::TinyRun() {
  write_text(dir_ / "text.txt", made_up_text(20000));
  data::prepare({.inputs = {(dir_ / "text.txt").string()},
                 .folder = dir_ / "data",
                 .validation = 0.1,
                 .split = data::SplitRule::fraction});
}

std::string TinyRun::yaml() const {
  const std::string data = (dir_ / "data").string();
  return fmt::format(R"(seed: 3
data: {{train: {0}/train.bin, validation: {0}/validation.bin}}
model: {{layers: 2, width: 16, heads: 2, context: 16, vocab: 256}}
batch: {{sequences: 4}}
lr: {{peak: 0.01, warmup: 2, decay: 4}}
stages:
  - {{name: small, model: {{layers: 1}}, for: 6}}
  - {{name: full, grow: [{{operator: depth, layers: 2}}], for: 6}}
scratch: {{budgets: [75%, 100%]}}
evaluate: {{every: 3, tokens: 256}}
checkpoint: {{every: 4, keep: 2}}
log: {{every: 1, seconds: 1000}}
)",
                     data);
}

plan::RunPlan TinyRun::plan(const std::vector<std::string>& edits) const {
  return plan::resolve_files(schedule::parse(yaml(), "tiny.yaml", edits));
}

}  // namespace stagedtrain::test
