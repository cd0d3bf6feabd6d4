// Bad schedules as a user meets them: exit code 2, where it is, what was found and expected.
#include <algorithm>
#include <iterator>

#include "io/file.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/text.h"

using namespace stagedtrain;
using test::contains;

namespace {

// What `plan` says of this text in a file; it must leave with 2 and print no result.
void check_refused(const std::string& text, const std::string& says) {
  const test::TempDir folder;
  test::write_text(folder / "bad.yaml", text);
  const auto result = test::stagedtrain({"plan", (folder / "bad.yaml").string()});
  INFO(result.err);
  CHECK(result.exit_code == 2);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "stagedtrain: " + (folder / "bad.yaml").string() + says));
}

std::string with(const std::string& line, const std::string& by) {
  std::string text = test::kTwoStages;
  return text.replace(text.find(line), line.size(), by);
}

}  // namespace

TEST_CASE("bad YAML is refused with its place") {
  check_refused("model: [1, 2\n", ":2:1: not YAML: end of sequence flow not found");
  check_refused(test::kTwoStages + "seed: 2\n",
                ":13:1: key 'seed' appears twice; the first is at line 1");
  check_refused(test::kTwoStages + "---\nseed: 2\n", ":13:1: a second document starts here");
  check_refused(std::string(50, '[') + std::string(50, ']'), ":1:33: nested deeper than 32 levels");
  check_refused(std::string("seed: \0\n", 8), ": is not text");
  check_refused("# " + std::string(1 << 20, 'x'), "");
  check_refused("", ": found nothing, expected a schedule");
}

TEST_CASE("bad keys and values are refused with their place") {
  check_refused(with("precision", "presision"),
                ":7:1: unknown key 'presision'; did you mean 'precision'?");
  check_refused(with("seed: 1", "seed: 010"), ":1:7: seed: found '010', expected a whole number");
  check_refused(with("peak: 3e-3", "peak: -1"), ":5:24: lr.peak: found '-1', expected above 0");
  check_refused(with("heads: 4", "heads: 3"),
                ":3:8: model.heads 3 does not divide model.width 128");
  check_refused(with("layers: 6, new_layers", "layers: 5, new_layers"),
                ":10:5: stages do not end at the final model");
}

namespace {

// What a person types into a schedule, in place of a part of kTwoStages, and what must be said:
// where, what was found, what was expected or is to be typed.
struct Mistake {
  const char* part;
  const char* typed;
  const char* says;
};

const Mistake kMistakes[] = {
    // Numbers.
    {"peak: 3e-3", "peak: \"3e-3\"",
     ":5:24: lr.peak: found '3e-3', expected a number without quotes"},
    {"lr: {curve: wsd, peak: 3e-3, warmup: 100 steps, decay: 20%}", "lr:\n  peak: 0,003",
     ":6:9: lr.peak: found '0,003'; expected a number such as 0.003 (decimal point, not comma)"},
    {"sequences: 16", "sequences: \"16\"",
     "batch.sequences: found '16', expected a whole number without quotes"},
    {"seed: 1", "seed: 1,000",
     ":1:7: seed: found '1,000'; expected a whole number such as 1000 (without commas)"},
    {"peak: 3e-3", "peak: 0,003",
     ":5:24: peak: found '0,003'; expected a number such as 0.003 (decimal point, not comma)"},
    {"seed: 1", "seed: 1,000,000",
     ":1:7: seed: found '1,000,000'; expected a whole number such as 1000000 (without commas)"},
    {"seed: 1", "seed: one",
     ":1:7: seed: found 'one', expected a whole number (such as 4096, 64K or 1e6)"},
    {"seed: 1", "seed: 1.5", "seed: found '1.5', expected a whole number"},
    {"seed: 1", "seed: -1", "seed: found '-1', expected at least 0"},
    {"seed: 1", "seed: [1]", "seed: found a list of 1, expected a whole number"},
    {"seed: 1", "seed:", "seed: found nothing, expected a whole number"},
    {"weight_decay: 0.1", "weight_decay: 10%",
     "optimizer.weight_decay: found '10%'; expected a number such as 0.1"},
    {"peak: 3e-3", "peak: 3 e-3", "lr.peak: found '3 e-3', expected a number"},
    {"peak: 3e-3", "peak: 30", "lr.peak: found '30', expected above 0, at most 10"},
    {"[0.9, 0.95]", "0.9", "optimizer.betas: found '0.9', expected a list"},
    // Truth values.
    {"vocab: 256", "vocab: 256, tied: yes",
     "model.tied: found 'yes', expected true or false; write true"},
    {"vocab: 256", "vocab: 256, tied: No",
     "model.tied: found 'No', expected true or false; write false"},
    {"vocab: 256", "vocab: 256, tied: \"true\"",
     "model.tied: found 'true', expected true or false without quotes; write true"},
    {"vocab: 256", "vocab: 256, tied: 1", "model.tied: found '1', expected true or false"},
    {"vocab: 256", "vocab: 256, tied: maybe", "model.tied: found 'maybe', expected true or false"},
    // Words.
    {"architecture: gpt2", "architecture: GPT2", "found 'GPT2'; did you mean 'gpt2'?"},
    {"architecture: gpt2", "architecture: gpt-2", "did you mean 'gpt2'?"},
    {"architecture: gpt2", "architecture: mamba", "found 'mamba'; expected one of gpt2, llama"},
    {"precision: fp32", "precision: bfloat16",
     ":7:12: precision: found 'bfloat16'; did you mean 'bf16'?"},
    {"precision: fp32", "precision: FP32", "precision: found 'FP32'; did you mean 'fp32'?"},
    {"precision: fp32", "precision: fp16", "precision: found 'fp16'; did you mean 'bf16'?"},
    {"curve: wsd", "curve: Cosine", "lr.curve: found 'Cosine'; did you mean 'cosine'?"},
    {"curve: wsd", "curve: trapezoidal", "lr.curve: found 'trapezoidal'; did you mean 'wsd'?"},
    {"operator: depth", "operator: deth", "unknown operator 'deth'; did you mean 'depth'?"},
    // Keys.
    {"precision: fp32", "precison: fp32",
     ":7:1: unknown key 'precison'; did you mean 'precision'?"},
    {"precision: fp32", "dtype: fp32", "unknown key 'dtype'; did you mean 'precision'?"},
    {"precision: fp32", "peak: 1e-3", ":7:1: unknown key 'peak'; did you mean 'lr.peak'?"},
    {"precision: fp32", "learning_rate: 1e-3", "unknown key 'learning_rate'; did you mean 'lr'?"},
    {"precision: fp32", "model.layers: 2",
     "unknown key 'model.layers'; write 'model: {layers: ...}'"},
    {"precision: fp32", "fnord: 2", "unknown key 'fnord'; expected one of seed, from, data"},
    {"layers: 6, width", "n_layer: 6, width",
     "unknown key 'model.n_layer'; did you mean 'layers'?"},
    {"context: 128", "block_size: 128", "unknown key 'model.block_size'; did you mean 'context'?"},
    {"width: 128", "hidden_size: 128", "unknown key 'model.hidden_size'; did you mean 'width'?"},
    {"for: 900 steps", "steps: 900", "unknown key 'stages.1.steps'; did you mean 'for'?"},
    {"clip: 1.0", "grad_clip: 1.0", "unknown key 'optimizer.grad_clip'; did you mean 'clip'?"},
    {"seed: 1", "seed: 1\nseed: 2", ":2:1: key 'seed' appears twice; the first is at line 1"},
    {"seed: 1", "Seed: 1", ":1:1: unknown key 'Seed'; did you mean 'seed'?"},
    {"lr: {curve: wsd, peak: 3e-3, warmup: 100 steps, decay: 20%}", "lr: 3e-4",
     ":5:5: lr: found '3e-4', expected keys and values; did you mean 'lr: {peak: 3e-4}'?"},
    {"batch: {sequences: 16, micro: 16}", "batch: 16",
     "batch: found '16', expected keys and values; did you mean 'batch: {sequences: 16}'?"},
    {"for: 900 steps", "for: ", "stages.1.for: found nothing, expected a duration"},
    // Durations.
    {"for: 900 steps", "for: 10M",
     "stages.1.for: found '10M'; expected a unit, such as '10M tokens' or '10M steps'"},
    {"every: 200 steps", "every: 64K",
     "evaluate.every: found '64K'; expected a unit, such as '64K tokens' or '64K steps'"},
    {"for: 900 steps", "for: 900steps", "did you mean '900 steps'?"},
    {"for: 900 steps", "for: 900 stpes", "unit 'stpes'; did you mean 'steps'?"},
    {"for: 900 steps", "for: 2 hours", "unit 'hours'; did you mean '2h'?"},
    {"for: 900 steps", "for: 2h", "for: found '2h', expected steps, tokens, flops, epochs or auto"},
    {"for: 900 steps", "for: 50%",
     "for: found '50%', expected steps, tokens, flops, epochs or auto"},
    {"for: 900 steps", "for: steps", "'steps' is not a duration: expected a number first"},
    {"for: 900 steps", "for: -5 steps", "'-5 steps' is not a duration: it is negative"},
    {"for: 900 steps", "for: 0", "for: found '0 steps', expected more than 0"},
    {"warmup: 100 steps", "warmup: 1 epoch",
     "lr.warmup: found '1 epochs', expected steps, tokens or %"},
    {"decay: 20%", "decay: 20 percent", "did you mean '20%'?"},
    {"decay: 20%", "decay: 120%", "lr.decay: found '120%', expected at most 100%"},
    // Rules between keys.
    {"micro: 16", "micro: 32", "batch.micro 32 is more than batch.sequences 16"},
    {"heads: 4", "heads: 3", "model.heads 3 does not divide model.width 128"},
    {"layers: 6, width", "width", "model.layers is missing"},
    {"layers: 6, width", "layers: -1, width", "model.layers: found '-1'"},
    {"name: full", "name: shallow", "stages.1: name 'shallow' is used twice"},
    {"name: full", "name: my stage", "name 'my stage': expected letters, digits, _ and -"},
    {"layers: 6, new_layers", "layers: 5, new_layers", "stages do not end at the final model"},
    // The file itself.
    {"optimizer: {", "optimizer:\n\t  betas: [0.9, 0.95]\nx: {", ": found a tab; expected spaces"},
    {"seed: 1", "seed:1", "not YAML"},
};

}  // namespace

TEST_CASE("typical mistakes in a schedule are told with their place and what to type") {
  static_assert(std::size(kMistakes) >= 40);
  for (const Mistake& mistake : kMistakes) {
    const test::TempDir folder;
    const std::string file = (folder / "bad.yaml").string();
    test::write_text(file, with(mistake.part, mistake.typed));
    const auto result = test::stagedtrain({"plan", file});
    INFO(mistake.typed << "\n" << result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK(contains(result.err, "stagedtrain: " + file + ":"));
    CHECK(contains(result.err, mistake.says));
    CHECK(std::ranges::count(result.err, '\n') <= 2);
  }
}

TEST_CASE("typical mistakes on the command line are told with what to type") {
  const test::TempDir folder;
  const std::string file = (folder / "two.yaml").string(), out = (folder / "run").string();
  test::write_text(file, test::kTwoStages);
  test::write_text(folder / "empty.yaml", "");
  make_folders(folder / "some");
  make_folders(folder / "done");
  test::write_text(folder / "done" / "schedule.yaml", test::kTwoStages);
  const std::pair<std::vector<std::string>, std::string> mistakes[] = {
      {{}, "found no command; expected one of data, plan, train"},
      {{file}, "expected a command before it\n  write stagedtrain plan " + file},
      {{"trian", file}, "unknown command 'trian'; did you mean 'train'?"},
      {{"plan"}, "SCHEDULE is missing"},
      {{"plan", "none.yaml"}, "none.yaml: cannot read: No such file or directory"},
      {{"plan", (folder / "empty.yaml").string()},
       "empty.yaml: found nothing, expected a schedule"},
      {{"plan", (folder / "some").string()}, "is a folder, expected a schedule file"},
      {{"plan", (folder / "done").string()}, "the schedule of this run is"},
      {{"plan", file, "--set", "lr.peak"}, "--set lr.peak: expected path=value"},
      {{"plan", file, "--set", "lr.peak", "1e-3"}, "write --set lr.peak=1e-3, without a space"},
      {{"plan", "--set", "lr.peak", "1e-3", file}, "write --set lr.peak=1e-3, without a space"},
      {{"plan", file, "--set", "lr.peak 1e-3"}, "write --set lr.peak=1e-3"},
      {{"plan", file, "--set", "lr.peak: 1e-3"}, "write --set lr.peak=1e-3"},
      {{"plan", file, "--set", "lr.peek=1e-3"}, "unknown key 'lr.peek'; did you mean 'peak'?"},
      {{"plan", file, "--set", "stages.ful.for=3"}, "the list has no item 'ful'; there are"},
      {{"plan", file, "--set", "lr=3e-4"}, "did you mean 'lr: {peak: 3e-4}'?"},
      {{"plan", file, "--set", "lr.peak=0,003"}, "expected a number such as 0.003"},
      {{"plan", file, "--set", "precision=bfloat16"}, "found 'bfloat16'; did you mean 'bf16'?"},
      {{"plan", file, "--set", "stages.full.for=10M"}, "such as '10M tokens' or '10M steps'"},
      {{"train", file, "--out", out, "--lr", "3e-4"}, "write --set lr.peak=3e-4"},
      {{"train", file, "--out", out, "--lr=3e-4"}, "write --set lr.peak=3e-4"},
      {{"train", file, "--out", out, "--lr.peak", "3e-4"}, "write --set lr.peak=3e-4"},
      {{"train", file, "--out", out, "--learning-rate", "1"}, "write --set lr.peak=1"},
      {{"train", file, "--out", out, "--batch-size", "8"}, "write --set batch.sequences=8"},
      {{"train", file, "--out", out, "--seed", "3"}, "write --set seed=3"},
      {{"train", file, "--out", out, "--resume"}, "train resumes by itself"},
      {{"train", file, "--out", out, "--theads", "2"}, "did you mean '--threads'?"},
      {{"train", file, "--out", out, "--lost-after", "nan"},
       "found 'nan', expected a number from 1"},
      {{"train", file, "--out", out, "--join-timeout", "nan"}, "found 'nan', expected a number"},
      {{"train", file, "--out", out, "--device", "gpu"},
       "found 'gpu'; expected auto, cpu, cuda or"},
      {{"train", file, "--out", out, "--device", "GPU:0"}, "write cuda for the GPU"},
      {{"train", file, "other", "--out", out}, "unexpected argument 'other'"},
      {{"train", file}, "--out"},
      {{"plan", file, "--optimize", "--tokens", "10 M"}, "--tokens 10 M: expected tokens"},
      {{"plan", file, "--slurm", out, "--slice", "4 hours"},
       "--slice: '4 hours' is not a duration: unit 'hours'; did you mean '4h'?"},
      {{"plan", file, "--slurm", out, "--slice", "3h30"}, "found 30 without a unit, expected 30m"},
      {{"plan", file, "--slurm", out, "--slice", "20"}, "write a time, such as 30m, 3h30m or 2d"},
      {{"plan", file, "--slurm", out, "--slice", "999999999999d"}, "expected at most 36500d"},
  };
  for (const auto& [arguments, says] : mistakes) {
    const auto result = test::stagedtrain(arguments);
    INFO(join(arguments, " ") << "\n" << result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK(contains(result.err, says));
    CHECK(std::ranges::count(result.err, '\n') <= 2);
    CHECK_FALSE(std::filesystem::exists(out));
  }
}

TEST_CASE("a schedule that is not there is refused with where to find one") {
  const auto result = test::stagedtrain({"plan", "none.yaml"});
  CHECK(result.exit_code == 2);
  CHECK(contains(result.err, "none.yaml: cannot read: No such file or directory"));
  CHECK(contains(result.err, "schedules/ has examples"));
}
