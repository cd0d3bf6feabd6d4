// Reading schedules: what each key takes, what is refused and how, edits, dumps, differences.
#include "base/rng.h"
#include "schedule/schedule.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using schedule::Schedule;
using test::contains;

namespace {

using Edits = std::vector<std::string>;

void check_refused(const Edits& edits, const std::string& says) {
  const std::string said = test::refusal(ErrorKind::usage, [&] { test::two_stages(edits); });
  INFO(edits.front() << ": " << said);
  CHECK(contains(said, says));
}

// kTwoStages with one line replaced by another.
void check_line_refused(const std::string& line, const std::string& by, const std::string& says) {
  std::string text = test::kTwoStages;
  const std::size_t at = text.find(line);
  REQUIRE(at != std::string::npos);
  text.replace(at, line.size(), by);
  const std::string said =
      test::refusal(ErrorKind::usage, [&] { schedule::parse(text, "two.yaml"); });
  INFO(by << ": " << said);
  CHECK(contains(said, says));
}

}  // namespace

TEST_CASE("a schedule is read as written, with defaults for the rest") {
  const Schedule s = test::two_stages();
  CHECK(s.name == "two");
  CHECK(s.model.layers == 6);
  CHECK(s.lr.curve == "wsd");
  CHECK(s.lr.decay == Duration{20, DurationUnit::percent});
  CHECK(s.evaluate.tokens == 64000);
  REQUIRE(s.stages.size() == 2);
  CHECK(s.stages[1].length == Duration{900, DurationUnit::steps});
  CHECK(s.stages[1].grow.items.size() == 1);
  CHECK(s.precision == schedule::Precision::fp32);
  CHECK(s.lr.rewarm.amount == 0);
  CHECK_FALSE(s.batch.size_warmup.has_value());
  CHECK(s.scratch.budgets.size() == 2);
}

TEST_CASE("numbers and durations are read as people write them") {
  const Schedule s = test::two_stages({"lr.warmup=1_000_000 tokens", "stages.full.for=50M tokens",
                                       "evaluate.tokens=1e6", "checkpoint.every=64K tokens",
                                       "stages.shallow.for=3e15 flops", "lr.peak=.5e-3"});
  CHECK(s.lr.warmup == Duration{1e6, DurationUnit::tokens});
  CHECK(s.stages[1].length == Duration{5e7, DurationUnit::tokens});
  CHECK(s.evaluate.tokens == 1000000);
  CHECK(s.checkpoint.every == Duration{64000, DurationUnit::tokens});
  CHECK(s.stages[0].length == Duration{3e15, DurationUnit::flops});
  CHECK(s.lr.peak == 5e-4);
}

TEST_CASE("unknown keys are refused at their place with the nearest word") {
  check_line_refused("precision: fp32", "presision: fp32",
                     "two.yaml:7:1: unknown key 'presision'; did you mean 'precision'?");
  check_line_refused("peak: 3e-3", "peek: 3e-3",
                     "two.yaml:5:18: unknown key 'lr.peek'; did you mean 'peak'?");
  check_line_refused("keep: 2", "keeep: 2", "unknown key 'checkpoint.keeep'; did you mean 'keep'?");
  check_line_refused("for: 900 steps", "steps: 900",
                     "two.yaml:10:81: unknown key 'stages.1.steps'; did you mean 'for'?");
  check_line_refused("width: 128", "wdith: 128",
                     "unknown key 'model.wdith'; did you mean 'width'?");
}

TEST_CASE("missing keys are refused with the place that lacks them") {
  check_line_refused("data: {train: data/train.bin, validation: data/validation.bin}\n", "",
                     "key 'data' is missing");
  check_line_refused("train: data/train.bin, ", "", "two.yaml:2:7: data: key 'train' is missing");
  check_line_refused("name: full, ", "", "two.yaml:10:5: stages.1: key 'name' is missing");
  check_line_refused(", for: 900 steps", "", "stages.1: key 'for' is missing");
  check_line_refused(
      "stages:", "scratch: {}\nstage:", "unknown key 'stage'; did you mean 'stages'?");
}

TEST_CASE("wrong types are refused with what was found and what was expected") {
  check_line_refused("layers: 6, width", "layers: six, width",
                     "two.yaml:3:37: model.layers: found 'six', expected a whole number");
  check_line_refused("seed: 1", "seed: 010", "two.yaml:1:7: seed: found '010'");
  check_line_refused("seed: 1", "seed: 1.5", "found '1.5', expected a whole number");
  check_line_refused("seed: 1", "seed: 0x10", "found '0x10'");
  check_line_refused("seed: 1", "seed: \"1\"", "found '1', expected a whole number");
  check_line_refused("seed: 1", "seed: [1]", "seed: found a list of 1, expected a whole number");
  check_line_refused("peak: 3e-3", "peak: high", "lr.peak: found 'high', expected a number");
  check_line_refused("[0.9, 0.95]", "0.9", "optimizer.betas: found '0.9', expected a list [...]");
  check_line_refused("batch: {sequences: 16, micro: 16}", "batch: 16",
                     "batch: found '16', expected keys and values");
  check_line_refused("precision: fp32", "precision: fp31",
                     "two.yaml:7:12: precision: found 'fp31'; did you mean 'fp32'?");
  check_line_refused("curve: wsd", "curve: wds", "lr.curve: found 'wds'; did you mean 'wsd'?");
  check_line_refused("for: 900 steps", "for: 30m",
                     "for: found '30m', expected steps, tokens, flops, epochs or auto");
  check_line_refused("for: 900 steps", "for: 900 stpes", "did you mean 'steps'?");
  check_line_refused("architecture: gpt2", "architecture: gpt3", "did you mean 'gpt2'?");
}

TEST_CASE("values out of range are refused with the range") {
  check_refused({"lr.peak=0"}, "lr.peak: found '0', expected above 0, at most 10");
  check_refused({"lr.floor=1.5"}, "expected from 0 to 1");
  check_refused({"batch.sequences=0"}, "batch.sequences: found '0', expected from 1");
  check_refused({"seed=-1"}, "seed: found '-1', expected at least 0");
  check_refused({"optimizer.betas=[0.9, 1]"}, "optimizer.betas.1: found '1'");
  check_refused({"dropout=1"}, "dropout: found '1'");
  check_refused({"checkpoint.keep=0"}, "checkpoint.keep");
  check_refused({"model.layers=4611686018427387904"}, "model.layers: found '4611686018427387904'");
  check_refused({"model.width=1e300"}, "model.width: found '1e300'");
  check_refused({"batch.size_warmup={start: 1, over: 1e9}"}, "batch.size_warmup.over");
  check_refused({"stages.0.until={loss: 0}"}, "stages.0.until.loss");
}

TEST_CASE("rules between fields are checked") {
  check_refused({"optimizer.betas=[0.9]"},
                "optimizer.betas: found a list of 1, expected 2 numbers");
  check_refused({"batch.micro=32"}, "batch.micro 32 is more than batch.sequences 16");
  check_refused({"batch.size_warmup={start: 17, over: 10}"}, "batch.size_warmup.start 17");
  check_refused({"batch.length_warmup={start: 129, over: 10}"}, "batch.length_warmup.start 129");
  check_refused({"lr.warmup=2 epochs"}, "lr.warmup: found '2 epochs', expected steps, tokens or %");
  check_refused({"lr.decay=120%"}, "expected at most 100%");
  check_refused({"evaluate.every=10%"}, "evaluate.every: found '10%', expected steps or tokens");
  check_refused({"checkpoint.every=1 epoch"}, "expected steps, tokens or a time (30m)");
  check_refused({"checkpoint.keep={every: 1M tokens}"}, "expected a whole number of steps");
  check_refused({"ema={decay: 1}"}, "ema.decay: found '1', expected at least 0, below 1");
  check_refused({"ema={decay: 1.1}"}, "ema.decay: found '1.1', expected at least 0, below 1");
  CHECK_NOTHROW(test::two_stages({"ema={decay: 0}"}));
  check_refused({"machine={nodes: 2}"}, "machine.nodes: found 2 nodes, expected machine.devices");
  check_refused({"machine={nodes: 65, devices: 1024}"},
                "found 65 x 1024 devices, expected at most");
  CHECK_NOTHROW(test::two_stages({"machine={nodes: 64, devices: 1024}"}));
  check_refused({"sample={prompts: [a], every: 10%}"}, "sample.every: found '10%'");
  check_refused({"sample={prompts: []}"}, "sample.prompts: is empty, expected at least one text");
  check_refused({"sample={every: 10}"}, "prompts");
  check_refused({"scratch.budgets=[1 epoch]"}, "%, steps, tokens or flops");
  check_refused({"scratch.budgets=[0%]"}, "found '0%', expected more than 0");
}

TEST_CASE("rules of stages are checked") {
  check_refused({"stages=[]"}, "stages: is empty");
  check_refused({"stages.full.name=shallow"}, "stages.1: name 'shallow' is used twice");
  check_refused({"stages.full.name=a/b"}, "name 'a/b': expected letters, digits, _ and -");
  check_refused({"stages.full.for=0"}, "stages.1: for: found '0 steps', expected more than 0");
  check_refused({"stages.full.for=20%"}, "expected steps, tokens, flops, epochs or auto");
  check_refused({"stages.0.grow=[{operator: depth, factor: 2}]"}, "has nothing to grow; give from: FILE");
  check_refused({"stages.full.grow=~"}, "grow: is missing");
  check_refused({"stages.full.model={layers: 6}"}, "a grown stage's model follows from grow");
  check_refused({"stages.full.lr={rewarm: 1 epoch}"}, "lr.rewarm: found '1 epochs'");
}

TEST_CASE("edits change values, add keys and reach list items by name and number") {
  const Schedule s = test::two_stages({"lr.peak=1e-3", "stages.full.for=12", "stages.0.name=tiny",
                                       "stages.1.grow.0.order=append", "log.every=5",
                                       "batch={sequences: 8}", "optimizer.betas.1=0.99"});
  CHECK(s.lr.peak == 1e-3);
  CHECK(s.stages[1].length.amount == 12);
  CHECK(s.stages[0].name == "tiny");
  CHECK(s.stages[1].grow.items[0].find("order")->text == "append");
  CHECK(s.log.every == 5);
  CHECK(s.batch.sequences == 8);
  CHECK(s.batch.micro == 0);
  CHECK(s.optimizer.betas[1] == 0.99);
}

TEST_CASE("bad edits are refused, naming the edit") {
  check_refused({"lr.peak"}, "--set lr.peak: expected path=value");
  check_refused({"=3"}, "--set =3: expected path=value");
  check_refused({"stages.none.for=3"}, "--set stages.none.for=3: the list has no item 'none'; there are");
  check_refused({"stages.2.for=3"}, "the list has no item '2'");
  check_refused({"seed.x=3"}, "'seed' is a value, not a group of keys");
  check_refused({"seed.x.y=3"}, "'seed' is a value, not a group of keys");
  check_refused({"lr.peek=3"}, "unknown key 'lr.peek'; did you mean 'peak'?");
  check_refused({"lr.peak=[1"}, "--set lr.peak:1:");
  check_refused({"lr.peak=x"}, "--set lr.peak:1:1: lr.peak: found 'x', expected a number");
}

TEST_CASE("a document that is no schedule is refused") {
  const auto refused = [](const std::string& text) {
    return test::refusal(ErrorKind::usage, [&] { schedule::parse(text, "x.yaml"); });
  };
  CHECK(contains(refused(""), "x.yaml: found nothing, expected a schedule of keys and values"));
  CHECK(contains(refused("[1]"), "x.yaml:1:1: found a list of 1, expected a schedule"));
  CHECK(contains(refused("just text"), "found 'just text'"));
}

TEST_CASE("a schedule file that cannot be read is refused with its path") {
  const test::TempDir folder;
  const auto refused = [](const std::filesystem::path& path) {
    return test::refusal(ErrorKind::usage, [&] { schedule::load(path); });
  };
  CHECK(contains(refused(folder / "none.yaml"), "none.yaml: cannot read: No such file"));
  CHECK(contains(refused(folder.path()), "schedules/ has examples"));
  test::write_text(folder / "large.yaml", std::string((1 << 20) + 1, '#'));
  CHECK(contains(refused(folder / "large.yaml"), "large.yaml"));
}

TEST_CASE("a dump has every key and loads as the same schedule") {
  const Schedule s =
      test::two_stages({"batch.size_warmup={start: 2, over: 50}", "from='a b: c.h5'",
                        "precision=bf16", "stages.full.lr={peak: 1e-3, rewarm: 20 steps}",
                        "stages.shallow.until={loss: 1.8}", "data.train='#odd, name.bin'"});
  const std::string text = schedule::dump(s);
  const Schedule again = schedule::parse(text, "again.yaml");
  INFO(text);
  CHECK(schedule::dump(again) == text);
  CHECK(again.from == "a b: c.h5");
  CHECK(again.data.train == "#odd, name.bin");
  CHECK(again.stages[1].lr->peak == 1e-3);
  CHECK(again.stages[0].until->loss == 1.8);
  for (const char* key : {"guard:", "log:", "scratch:", "z_loss: 0", "dropout: 0"})
    CHECK(contains(text, key));
}

TEST_CASE("every file of schedules/ loads, and its dump as the same") {
  const auto files = test::example_schedules();
  REQUIRE(files.size() >= 3);
  for (const auto& file : files) {
    INFO(file.string());
    const Schedule s = schedule::load(file);
    CHECK(schedule::dump(schedule::parse(schedule::dump(s), "again.yaml")) == schedule::dump(s));
  }
}

TEST_CASE("an eps that is 0 in the precision of the optimizer is refused") {
  const auto refused = [](const Edits& edits) {
    return test::refusal(ErrorKind::usage, [&] { test::two_stages(edits); });
  };
  CHECK(contains(refused({"optimizer.eps=1e-300"}), "optimizer.eps: found 1e-300"));
  CHECK(contains(refused({"optimizer.eps=1e-39", "precision=bf16"}), "1.18e-38"));
  CHECK_NOTHROW(test::two_stages({"optimizer.eps=1e-300", "precision=fp64"}));
  CHECK_NOTHROW(test::two_stages({"optimizer.eps=1e-37"}));
}

TEST_CASE("the reference has a row for every key") {
  const auto rows = schedule::document();
  const auto row = [&](const std::string& path) {
    for (const FieldRow& one : rows)
      if (one.path == path) return one;
    FAIL("no row " << path);
    return FieldRow{};
  };
  CHECK(row("data.train").fallback == "required");
  CHECK(row("lr.curve").type == "constant, linear, cosine, triangle, wsd");
  CHECK(row("lr.decay").fallback == "20%");
  CHECK(row("stages[].until.loss").type == "number, above 0");
  CHECK(row("batch.size_warmup.start").fallback == "1");
  for (const FieldRow& one : rows) CHECK_FALSE(one.doc.empty());
}

TEST_CASE("a damaged schedule is read or refused, never anything else") {
  const CounterRng rng(1, 1);
  const std::string marks = "{}[]:,&*!|>'\"%@`-?#\n\t \\\xff~0<";
  std::uint64_t index = 0;
  int read = 0, refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = test::kTwoStages;
    for (std::uint64_t damages = 1 + rng.below(index++, 3); damages > 0; --damages) {
      const std::size_t at = rng.below(index++, text.size());
      text[at] = marks[rng.below(index++, marks.size())];
    }
    try {
      schedule::parse(text, "x.yaml");
      ++read;
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::usage);
      ++refused;
    }
  }
  CHECK(read > 100);
  CHECK(refused > 1000);
}

TEST_CASE("keep is a number of checkpoints, or rules") {
  const schedule::KeepSpec number = test::two_stages({"checkpoint.keep=3"}).checkpoint.keep;
  CHECK(number.last == 3);
  CHECK(number.best == 0);
  CHECK(number.every.amount == 0);
  const auto rules = test::two_stages({"checkpoint.keep={every: 1000 steps, best: 1}"});
  CHECK(rules.checkpoint.keep.last == 2);
  CHECK(rules.checkpoint.keep.best == 1);
  CHECK(rules.checkpoint.keep.every.amount == 1000);
  CHECK(schedule::dump(schedule::parse(schedule::dump(rules), "again.yaml")) ==
        schedule::dump(rules));
  check_refused({"checkpoint.keep={newest: 1}"}, "newest");
  check_refused({"checkpoint.keep=[1]"}, "checkpoint.keep: found a list of 1");
}
