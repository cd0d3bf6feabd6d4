// Runs whose adapters begin from a larger model: what they begin with, what it costs, and that a
// run which is stopped ends with the same bits, with or without the larger model's file.
#include "arch/architectures.h"
#include "arch/cost.h"
#include "runlog/run_log.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::contains;
using test::Edits;

namespace {

// A model of 2 layers x 16, with adapters in the second of three stages, and one of 4 x 24.
struct Transplanted {
  test::TinyRun tiny;
  std::string larger = (tiny / "larger/stages/whole.h5").string();
  Transplanted() {
    test::run_to_end(tiny, "larger",
                     {"model.layers=4", "model.width=24", "stages=[{name: whole, for: 6}]"});
  }
  Edits edits(const std::string& from, const std::string& more = "") const {
    return {
        "stages=[{name: small, for: 5}, {name: full, grow: [{operator: depth, factor: 1}], "
        "for: 6, adapters: {rank: 3, samples: 5" +
            (from.empty() ? "" : ", from: " + from) + more +
            "}}, {name: after, grow: [{operator: depth, factor: 1}], for: 4}]",
        "checkpoint.every=1", "checkpoint.keep=100", "batch.micro=2"};
  }
  Path step(const std::string& run, int step) const {
    return tiny / run / "checkpoints" / fmt::format("step-{:08}.h5", step);
  }
};

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::ranges::equal(a, b);
}

// The first thing in which two files differ, other than clocks.
std::string difference(const Path& a, const Path& b) {
  const state::CheckpointReader one(a), other(b);
  if (!(one.header().adapters == other.header().adapters)) return "adapters";
  for (std::size_t i = 0; i < arch::kNumAdapterParts * one.header().adapters.matrices.size(); ++i)
    if (!same(one.view_adapter(i), other.view_adapter(i))) return fmt::format("adapter {}", i);
  for (const state::TensorKind kind : one.header().kinds())
    for (std::size_t i = 0; i < one.table().size(); ++i)
      if (!same(one.view(kind, i), other.view(kind, i))) return one.table()[i].name;
  if (one.header().progress.flops != other.header().progress.flops) return "flops";
  return one.header().histories == other.header().histories ? "" : "histories";
}

// The largest entry of W_0 + scale B A - W over all adapted matrices, and of scale B A.
struct Gap {
  double difference = 0, product = 0;
};
Gap gap_of(const state::CheckpointReader& reader) {
  Gap gap;
  const arch::AdapterSet& set = reader.header().adapters;
  for (std::size_t m = 0; m < set.matrices.size(); ++m) {
    const auto i = static_cast<std::size_t>(reader.table().index(set.matrices[m]));
    const auto shape = reader.table()[i].shape();
    const auto numbers = [](std::span<const std::byte> bytes) {
      return reinterpret_cast<const float*>(bytes.data());
    };
    const auto part = [&](std::size_t p) {
      return numbers(reader.view_adapter(arch::kNumAdapterParts * m + p));
    };
    const float *base = part(0), *a = part(1), *b = part(2),
                *w = numbers(reader.view(state::TensorKind::weights, i));
    for (std::int64_t r = 0; r < shape[0]; ++r)
      for (std::int64_t c = 0; c < shape[1]; ++c) {
        double product = 0;
        for (std::int64_t k = 0; k < set.rank; ++k)
          product += set.scale() * b[r * set.rank + k] * a[k * shape[1] + c];
        const std::int64_t at = r * shape[1] + c;
        gap.difference = std::max(gap.difference, std::abs(base[at] + product - w[at]));
        gap.product = std::max(gap.product, std::abs(product));
      }
  }
  return gap;
}

}  // namespace

TEST_CASE("the first pass with transplanted adapters runs the bits that it would run without") {
  const Transplanted one;
  test::run_to_end(one.tiny, "run", one.edits(one.larger));
  test::run_to_end(one.tiny, "drawn", one.edits(""));
  const auto loss_of = [&](const std::string& name, double step) {
    const runlog::Run log = runlog::read_log(one.tiny / name / "run.jsonl", name);
    for (const runlog::StepPoint& point : log.steps)
      if (point.at.step == step) return point.loss;
    return std::nan("");
  };
  CHECK(loss_of("run", 6) == loss_of("drawn", 6));
  CHECK(loss_of("run", 7) != loss_of("drawn", 7));
  CHECK(difference(one.step("run", 6), one.step("drawn", 6)) == "adapter 0");  // W_0
}

TEST_CASE("what measuring the larger model costs is in the plan, the state, and the log") {
  const Transplanted one;
  const Edits edits = one.edits(one.larger);
  test::run_to_end(one.tiny, "run", edits);
  const plan::RunPlan plan = one.tiny.plan(edits), drawn = one.tiny.plan(one.edits(""));
  const arch::ModelConfig larger = state::CheckpointReader(one.larger).header().model;
  const double cost = 5 * 16 * arch::flops_per_token(larger);
  CHECK(plan.flops == Approx(drawn.flops + cost).epsilon(1e-12));
  const state::CheckpointReader end(one.tiny / "run/stages/after.h5");
  CHECK(end.header().progress.flops == Approx(plan.flops).epsilon(1e-12));
  CHECK(end.header().progress.tokens == plan.tokens);
  const runlog::Run log = runlog::read_log(one.tiny / "run/run.jsonl", "run");
  REQUIRE(log.transplants.size() == 1);
  CHECK(log.transplants[0].stage == "full");
  CHECK(log.transplants[0].at.step == 5);
  CHECK(log.transplants[0].from == one.larger);
  CHECK(log.transplants[0].samples == 5);
  CHECK(log.transplants[0].flops == Approx(cost));
  const std::vector<Json> events = test::events(one.tiny, "transplant");
  REQUIRE(events.size() == 1);
  CHECK(events[0]["layers"].size() == 2);
  CHECK(events[0]["from_checksum"] == state::CheckpointReader(one.larger).identity());
}

TEST_CASE("stopped anywhere and run again, a run with transplanted adapters has the same bits") {
  const Transplanted one;
  const Edits edits = one.edits(one.larger);
  test::run_to_end(one.tiny, "whole", edits);
  // Lines 15 to 18 are of the growth, the transplant, and the first steps behind them.
  for (const int line : {12, 14, 15, 16, 17, 18, 20, 24}) {
    CAPTURE(line);
    const std::string name = fmt::format("stopped{}", line);
    {
      const test::StopAtLine stop(line);
      test::refusal(ErrorKind::interrupted,
                    [&] { train::run(one.tiny.plan(edits), {.out = one.tiny / name}); });
    }
    test::run_to_end(one.tiny, name, edits);
    for (const char* file : {"stages/full.h5", "stages/after.h5", "checkpoints/step-00000007.h5"})
      CHECK(difference(one.tiny / "whole" / file, one.tiny / name / file) == "");
    CHECK(runlog::read_log(one.tiny / name / "run.jsonl", name).transplants.size() == 1);
  }
}

TEST_CASE("a run is resumed before the first step of a stage with adapters") {
  const Transplanted one;
  const bool transplants = GENERATE(true, false);
  const Edits edits = one.edits(transplants ? one.larger : "");
  test::run_to_end(one.tiny, "whole", edits);
  int before = 0, after = 0;  // how often it stopped before and after the adapters began
  for (int line = 13; line <= 19; ++line) {
    const std::string name = fmt::format("stopped{}", line);
    {
      const test::StopAtLine stop(line);
      test::refusal(ErrorKind::interrupted,
                    [&] { train::run(one.tiny.plan(edits), {.out = one.tiny / name}); });
    }
    const Path begun = one.step(name, 5);
    if (!std::filesystem::exists(begun)) continue;
    const state::CheckpointReader reader(begun);
    if (reader.header().progress.stage != "full") continue;
    ++(reader.header().adapters.none() ? before : after);
    const state::CheckpointReader small(one.tiny / name / "stages/small.h5");
    for (std::size_t i = 0; i < reader.table().size(); ++i)
      CHECK(same(reader.view(state::TensorKind::weights, i),
                 small.view(state::TensorKind::weights, i)));
    const Gap gap = gap_of(reader);
    CHECK(gap.difference < 1e-6);
    if (transplants && !reader.header().adapters.none()) CHECK(gap.product > 0.02);
    test::run_to_end(one.tiny, name, edits);
    CHECK(contains(test::read_text(one.tiny / name / "run.jsonl"), "step-00000005.h5"));
    CHECK(difference(one.tiny / "whole/stages/full.h5", one.tiny / name / "stages/full.h5") == "");
  }
  CAPTURE(before, after);
  CHECK(after > 0);
}

TEST_CASE("the larger model is not needed once its adapters have begun, and before that it is") {
  const Transplanted one;
  const Edits edits = one.edits(one.larger);
  test::run_to_end(one.tiny, "whole", edits);
  {
    const test::StopAtLine stop(24);
    test::refusal(ErrorKind::interrupted,
                  [&] { train::run(one.tiny.plan(edits), {.out = one.tiny / "late"}); });
  }
  {
    const test::StopAtLine stop(6);
    test::refusal(ErrorKind::interrupted,
                  [&] { train::run(one.tiny.plan(edits), {.out = one.tiny / "early"}); });
  }
  std::filesystem::remove(one.larger);
  test::run_to_end(one.tiny, "late", edits);
  CHECK(difference(one.tiny / "whole/stages/after.h5", one.tiny / "late/stages/after.h5") == "");
  for (const char* name : {"early", "new"}) {
    const std::string said = test::refusal(
        ErrorKind::usage, [&] { train::run(one.tiny.plan(edits), {.out = one.tiny / name}); });
    CHECK(contains(said, "stage full: adapters.from: there is no file"));
    CHECK(contains(said, "whole.h5"));
  }
}

TEST_CASE("a damaged larger model is refused before the first step, not at its stage") {
  const Transplanted one;
  test::flip_a_byte(one.larger, 4);  // in the weights, which come first
  const std::string said = test::refusal(ErrorKind::input, [&] {
    train::run(one.tiny.plan(one.edits(one.larger)), {.out = one.tiny / "run"});
  });
  CHECK(contains(said, "whole.h5"));
  CHECK_FALSE(std::filesystem::exists(one.tiny / "run/stages/small.h5"));
}

TEST_CASE("another number of samples, seed or larger model is another beginning") {
  const Transplanted one;
  test::run_to_end(one.tiny, "run", one.edits(one.larger));
  test::run_to_end(one.tiny, "again", one.edits(one.larger));
  CHECK(difference(one.step("run", 6), one.step("again", 6)) == "");
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    Edits other = one.edits(one.larger);
    other.push_back("stages.full.adapters.samples=6");
    train::run(one.tiny.plan(other), {.out = one.tiny / "run"});
  });
  CHECK(contains(said, "adapters.samples"));
  test::write_text(one.tiny / "bad.h5", "no checkpoint");
  test::refusal(ErrorKind::input,
                [&] { one.tiny.plan(one.edits((one.tiny / "bad.h5").string())); });
}
