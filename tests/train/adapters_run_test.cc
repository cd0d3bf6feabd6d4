// Runs of stages with adapters: what keeps its bits, what is saved, resuming, growing and
// evaluating on the way.
#include "adapters/low_rank.h"
#include "apply/apply.h"
#include "arch/architectures.h"
#include "grow/operator.h"
#include "runlog/run_log.h"
#include "schedule/yaml.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::Edits;

namespace {

// Two layers for 6 steps, then four for 8, whose old layers have adapters.
const Edits kStep = {
    "model.layers=4",
    "stages.small.model={layers: 2}",
    "stages.full.for=8",
    "stages.full.grow=[{operator: depth, layers: 4, order: last, new_layers: mean}]",
    "stages.full.train_only=new",
    "stages.full.adapters={rank: 3, alpha: 6, lr: 2}",
    "checkpoint.every=1",
    "checkpoint.keep=100"};
// Adapters of some matrices in the second of three stages of one model.
const Edits kLora = {
    "model.layers=2",
    "stages=[{name: small, for: 5}, {name: full, grow: [{operator: depth, factor: 1}], for: 6, "
    "adapters: {rank: 2, matrices: [query, up, down]}}, {name: after, grow: [{operator: depth, "
    "factor: 1}], for: 4}]",
    "checkpoint.every=1", "checkpoint.keep=100", "batch.micro=2"};

Path step_file(const test::TinyRun& tiny, const std::string& name, int step) {
  return tiny / name / "checkpoints" / fmt::format("step-{:08}.h5", step);
}

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::ranges::equal(a, b);
}

// The first thing in which two files differ, other than clocks.
std::string difference(const Path& a, const Path& b) {
  const state::CheckpointReader one(a), other(b);
  if (!(one.header().adapters == other.header().adapters)) return "adapters";
  for (std::size_t i = 0; i < 7 * one.header().adapters.matrices.size(); ++i)
    if (!same(one.view_adapter(i), other.view_adapter(i))) return fmt::format("adapter {}", i);
  for (const state::TensorKind kind : one.header().kinds())
    for (std::size_t i = 0; i < one.table().size(); ++i)
      if (!same(one.view(kind, i), other.view(kind, i))) return one.table()[i].name;
  return one.header().histories == other.header().histories ? "" : "histories";
}

}  // namespace

TEST_CASE("bases and frozen tensors keep their bits, adapters move, and weights are merged") {
  const test::TinyRun tiny;
  for (const Edits& edits : {kStep, kLora}) {
    const std::string name = edits == kStep ? "step" : "lora";
    test::run_to_end(tiny, name, edits);
    const int first = edits == kStep ? 7 : 6;
    const state::CheckpointReader begun(step_file(tiny, name, first)),
        later(step_file(tiny, name, first + 3));
    const arch::AdapterSet& set = later.header().adapters;
    CHECK(set.matrices.size() == (edits == kStep ? 2 * 6 : 2 * 3));
    CHECK(set.start == first - 1);
    const arch::ParamTable& table = later.table();
    std::size_t adapted = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(name, table[i].name);
      const auto found = std::ranges::find(set.matrices, table[i].name);
      const bool is_new = later.header().histories[i].generation > 0;
      const bool moved = !same(begun.view(state::TensorKind::weights, i),
                               later.view(state::TensorKind::weights, i));
      if (found == set.matrices.end()) {
        CHECK(moved == is_new);
        continue;
      }
      ++adapted;
      CHECK(moved);
      const auto at = 7 * static_cast<std::size_t>(found - set.matrices.begin());
      CHECK(same(begun.view_adapter(at), later.view_adapter(at)));
      CHECK(!same(begun.view_adapter(at + 1), later.view_adapter(at + 1)));
      CHECK(!same(begun.view_adapter(at + 2), later.view_adapter(at + 2)));
      // W = W_0 + alpha / r B A, to the bit.
      const auto numbers = [&](std::size_t part) {
        return reinterpret_cast<const float*>(later.view_adapter(at + part).data());
      };
      const auto shape = table[i].shape();
      std::vector<float> merged(static_cast<std::size_t>(shape[0] * shape[1]));
      train::merge<float>(
          {numbers(1), numbers(2), shape[0], shape[1], set.rank, static_cast<float>(set.scale())},
          numbers(0), merged.data());
      CHECK(same(later.view(state::TensorKind::weights, i), std::as_bytes(std::span(merged))));
      for (const std::byte byte : later.view(state::TensorKind::exp_avg, i))
        if (byte != std::byte{0}) FAIL("a moment of an adapted matrix");
      CHECK(later.header().histories[i].age.start == first + 3);
    }
    CHECK(adapted == set.matrices.size());
  }
}

TEST_CASE("stopped anywhere with adapters and run again, a run ends with the same bits") {
  const test::TinyRun tiny;
  const Edits& edits = GENERATE_REF(kStep, kLora);
  const int line = GENERATE(16, 24, 30);
  CAPTURE(edits.size(), line);
  test::run_to_end(tiny, "whole", edits);
  {
    const test::StopAtLine stop(line);
    test::refusal(ErrorKind::interrupted,
                  [&] { train::run(tiny.plan(edits), {.out = tiny / "stopped"}); });
  }
  test::run_to_end(tiny, "stopped", edits);
  const char* last = edits == kStep ? "stages/full.h5" : "stages/after.h5";
  CHECK(difference(tiny / "whole" / last, tiny / "stopped" / last) == "");
  CHECK(difference(tiny / "whole" / "stages/full.h5", tiny / "stopped" / "stages/full.h5") == "");
}

TEST_CASE("a run whose last stage has adapters is extended to the bits of a longer one") {
  const test::TinyRun tiny;
  const Edits constant = {"lr.curve=constant", "lr.warmup=0"};
  Edits edits = kStep;
  edits.insert(edits.end(), constant.begin(), constant.end());
  test::run_to_end(tiny, "extended", edits);
  edits.push_back("stages.full.for=12");
  REQUIRE(train::run(tiny.plan(edits), {.out = tiny / "extended", .extend = true}).done);
  test::run_to_end(tiny, "longer", edits);
  CHECK(difference(tiny / "extended/stages/full.h5", tiny / "longer/stages/full.h5") == "");
}

TEST_CASE("the next stage has no adapters, goes on from merged weights, and trains everything") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "run", kLora);
  const state::CheckpointReader end(tiny / "run/stages/full.h5"), next(step_file(tiny, "run", 12)),
      last(tiny / "run/stages/after.h5");
  CHECK(!end.header().adapters.none());
  CHECK(next.header().adapters.none());
  CHECK(last.header().adapters.none());
  for (std::size_t i = 0; i < last.table().size(); ++i) {
    CAPTURE(last.table()[i].name);
    if (last.table()[i].axes.size() == 2)
      CHECK(
          !same(end.view(state::TensorKind::weights, i), last.view(state::TensorKind::weights, i)));
  }
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  REQUIRE(log.stage_ends.size() == 3);
  CHECK(log.stage_ends[1].loss < log.stage_ends[0].loss);
  const plan::RunPlan plan = tiny.plan(kLora);
  CHECK(last.header().progress.flops == Approx(plan.flops).epsilon(1e-12));
}

TEST_CASE("growing a checkpoint with adapters takes the merged weights and leaves them behind") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "run", kLora);
  const Path file = step_file(tiny, "run", 8);
  const state::CheckpointReader from(file);
  REQUIRE(!from.header().adapters.none());
  const auto recipe = grow::make_recipe(
      schedule::parse_yaml("[{operator: stack, factor: 2}]", "test"), from.header().model, "test");
  grow::apply_file(recipe, from, file, tiny / "grown.h5");
  const state::CheckpointReader grown(tiny / "grown.h5");
  CHECK(grown.header().adapters.none());
  const auto index = static_cast<std::size_t>(from.table().index("layers.1.mlp.up.weight"));
  const auto copy = static_cast<std::size_t>(grown.table().index("layers.3.mlp.up.weight"));
  CHECK(same(grown.view(state::TensorKind::weights, copy),
             from.view(state::TensorKind::weights, index)));
}

TEST_CASE("clipping counts the adapters' gradients, and micro-batches are added up before") {
  const test::TinyRun tiny;
  Edits edits = kStep;
  edits.push_back(
      "optimizer={name: sgd, momentum: 0, nesterov: false, weight_decay: 0, clip: 0.01}");
  edits.push_back("lr.peak=0.5");
  test::run_to_end(tiny, "clipped", edits);
  // With plain gradient descent the step of all that moves, without the factor lr of the adapters,
  // has the length lr * clip.
  const state::CheckpointReader a(step_file(tiny, "clipped", 9)), b(step_file(tiny, "clipped", 10));
  double squares = 0;
  const auto add = [&](std::span<const std::byte> x, std::span<const std::byte> y, double factor) {
    const auto* one = reinterpret_cast<const float*>(x.data());
    const auto* other = reinterpret_cast<const float*>(y.data());
    for (std::size_t i = 0; i < x.size() / 4; ++i)
      squares += std::pow((double{one[i]} - other[i]) / factor, 2);
  };
  for (std::size_t i = 0; i < a.table().size(); ++i)
    if (a.header().histories[i].generation > 0)
      add(a.view(state::TensorKind::weights, i), b.view(state::TensorKind::weights, i), 1);
  for (std::size_t i = 0; i < 7 * a.header().adapters.matrices.size(); ++i)
    if (i % 7 == 1 || i % 7 == 2) add(a.view_adapter(i), b.view_adapter(i), 2);
  const double lr = b.header().progress.learning_rate;
  CHECK(std::sqrt(squares) == Approx(lr * 0.01).epsilon(1e-3));

  Edits whole = kLora;
  whole.push_back("batch.micro=0");
  test::run_to_end(tiny, "micro", kLora);
  test::run_to_end(tiny, "whole", whole);
  const state::TrainingState one = state::load(tiny / "micro/stages/full.h5"),
                             other = state::load(tiny / "whole/stages/full.h5");
  CHECK(one.progress.loss_mean == Approx(other.progress.loss_mean).epsilon(1e-4));
}
