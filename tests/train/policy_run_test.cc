// Runs under training policies: resumed to the last bit, plain where nothing is left out, and
// layers that do not run keep weights, moments and age.
#include "arch/architectures.h"
#include "model/running_model.h"
#include "optim/adamw.h"
#include "plan/stage_policy.h"
#include "runlog/run_log.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::Edits;

namespace {

// One layer for 6 steps, then five for 10, with a policy there.
Edits edits_with(const std::string& policy, const Edits& more = {}) {
  Edits edits = {"model.layers=5", "stages.full.grow=[{operator: depth, layers: 5}]",
                 "stages.full.for=10"};
  if (!policy.empty()) edits.push_back("stages.full." + policy);
  edits.insert(edits.end(), more.begin(), more.end());
  return edits;
}

// In how many of the plan's steps each layer of the last stage runs.
std::vector<std::int64_t> steps_run(const plan::RunPlan& p, std::int64_t passes) {
  const plan::StagePlan& stage = p.stages.back();
  std::vector<std::int64_t> count(static_cast<std::size_t>(stage.model.layers));
  for (std::int64_t t = 0; t < stage.steps; ++t)
    for (std::size_t layer = 0; layer < count.size(); ++layer) {
      bool runs = false;
      for (std::int64_t pass = 0; pass < passes; ++pass)
        runs = runs || plan::step_work(p, stage, stage.first_step + t, t, pass)
                           .runs(static_cast<std::int64_t>(layer));
      count[layer] += runs ? 1 : 0;
    }
  return count;
}

}  // namespace

TEST_CASE("stopped anywhere under a policy and run again, a run ends with the same bits") {
  const test::TinyRun tiny;
  const auto [policy, more] = GENERATE(
      std::pair("layer_dropout={max: 0.9}", "batch.micro=2"),
      std::pair("layer_dropout={max: 0.9, draw: step}", "batch.micro=2"),
      std::pair("layer_path={layers: 3, then: [4]}", "batch.micro=0"),
      std::pair("layer_path={layers: 3}", "optimizer={name: muon}"),
      std::pair("layer_path={layers: 2.5, keep: [last], scale: inverse_keep}", "batch.micro=2"),
      std::pair("ffn_path={shares: [0.25, 0.5, 1]}", "batch.micro=2"),
      std::pair("ffn_path={shares: [0.25, 0.5]}", "batch.micro=0"),
      std::pair("layer_sharing={layers: 8}", "batch.micro=2"),
      std::pair("token_dropping={start: 4, step: 4}", "batch.micro=2"),
      std::pair("train_groups={layers: 2, order: random}", "optimizer={name: muon}"),
      std::pair("train_last=2", "batch.micro=0"),
      std::pair("adapters={rank: 2}", "optimizer={name: lion}"),
      std::pair("teacher={kd: 2, temperature: 1.5}", "batch.micro=2"));
  const Edits edits = edits_with(policy, {more});
  test::run_to_end(tiny, "whole", edits);
  const int line = GENERATE(14, 20);
  CAPTURE(edits, line);
  {
    const test::StopAtLine stop(line);
    test::refusal(ErrorKind::interrupted,
                  [&] { train::run(tiny.plan(edits), {.out = tiny / "stopped"}); });
  }
  test::run_to_end(tiny, "stopped", edits);
  CHECK(test::difference(test::end_of(tiny, "whole"), test::end_of(tiny, "stopped")) == "");
}

TEST_CASE("a policy that leaves out nothing is the plain run to the bit") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "plain", edits_with(""));
  for (const char* policy :
       {"layer_dropout={max: 0}", "layer_path={layers: 5}", "ffn_path={shares: [1]}",
        "layer_sharing={layers: 5}", "train_groups={layers: 5}", "train_last=5"}) {
    test::run_to_end(tiny, policy, edits_with(policy));
    CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, policy)) == "");
  }
  for (const char* policy : {"layer_dropout={max: 0.9}", "ffn_path={}", "layer_sharing={layers: 9}",
                             "train_groups={layers: 2}", "train_last=1"}) {
    test::run_to_end(tiny, policy, edits_with(policy));
    CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, policy)) != "");
  }
}

TEST_CASE("all tokens are the plain run on reference kernels to the bit") {
  const test::TinyRun tiny;
  const plan::RunPlan plain = tiny.plan(edits_with(""));
  REQUIRE(train::run(plain, {.out = tiny / "plain", .device = {.kernels = "reference"}}).done);
  test::run_to_end(tiny, "all", edits_with("token_dropping={start: 16}"));
  CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, "all")) == "");
  test::run_to_end(tiny, "some", edits_with("token_dropping={start: 4, step: 4}"));
  CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, "some")) != "");
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    train::run(tiny.plan(edits_with("token_dropping={start: 4, step: 4}")),
               {.out = tiny / "fused", .device = {.kernels = "fused"}});
  });
  CHECK(test::contains(said, "--kernels fused: found a stage with token_dropping"));
}

TEST_CASE("the log tells the losses of a teacher and its student, and counts the FLOPs of both") {
  const test::TinyRun tiny;
  const Edits edits = {"stages.small.model={width: 8, heads: 1, ffn: 32}",
                       "stages.full.grow=[{operator: clone, symmetry: {noise: 1e-6}}]",
                       "stages.full.teacher={}", "batch.micro=2"};
  test::run_to_end(tiny, "run", edits);
  const plan::RunPlan p = tiny.plan(edits);
  CHECK(test::end_of(tiny, "run").progress.flops == Approx(p.flops).epsilon(1e-12));
  const std::vector<Json> steps = test::events(tiny, "step");
  REQUIRE(steps.size() == 12);
  for (std::size_t i = 0; i < steps.size(); ++i)
    CHECK(steps[i].contains("student_loss") == (i >= 6));
  CHECK(steps[6]["student_loss"].get<double>() ==
        Approx(steps[6]["loss"].get<double>()).epsilon(1e-5));  // a clone begins as its source
  CHECK(steps[11]["student_loss"] != steps[11]["loss"]);
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    train::run(p, {.out = tiny / "fused", .device = {.kernels = "fused"}});
  });
  CHECK(test::contains(said, "--kernels fused: found a stage with teacher"));
}

TEST_CASE("hidden units outside every path never have a gradient") {
  const test::TinyRun tiny;
  for (const char* architecture : {"gpt2", "llama"}) {
    CAPTURE(architecture);
    test::run_to_end(
        tiny, architecture,
        edits_with(
            "ffn_path={shares: [0.25, 0.5]}",
            {std::string("model.architecture=") + architecture, "model.ffn=64", "batch.micro=2",
             "stages.full.grow=[{operator: depth, layers: 5, new_layers: random}]"}));
    const state::TrainingState after = test::end_of(tiny, architecture);
    const arch::ParamTable table = arch::param_table(after.model);
    std::int64_t outside = 0, inside = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto& axes = table[i].axes;
      const auto units = std::ranges::find(axes, arch::Axis::ffn, &arch::AxisSize::axis);
      if (units == axes.end() || table[i].layer < 1) continue;  // layer 0 was trained before
      CAPTURE(table[i].name);
      const bool by_row = units == axes.begin();
      const std::vector<std::int64_t> shape = table[i].shape();
      const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
      for (const state::TensorKind kind :
           {state::TensorKind::exp_avg, state::TensorKind::exp_avg_sq}) {
        const float* moment = reinterpret_cast<const float*>(after.of(kind)[i].bytes().data());
        for (std::int64_t at = 0; at < shape[0] * columns; ++at) {
          const bool runs = (by_row ? at / columns : at % columns) < 32;
          if (!runs) CHECK(moment[at] == 0);
          (runs ? inside : outside) += moment[at] != 0 || !runs;
        }
      }
    }
    CHECK(outside > 0);
    CHECK(inside > 0);
  }
}

TEST_CASE("a step moves its own group only") {
  const test::TinyRun tiny;
  const Edits edits = edits_with("train_groups={layers: 2}",
                                 {"checkpoint.every=1", "checkpoint.keep=100", "model.tied=false"});
  test::run_to_end(tiny, "run", edits);
  for (int step = 7; step <= 14; ++step) {
    const auto at = [&](int number) {
      return state::load(tiny / "run/checkpoints" / fmt::format("step-{:08}.h5", number));
    };
    const state::TrainingState before = at(step), after = at(step + 1);
    const arch::ParamTable table = arch::param_table(after.model);
    const std::int64_t group = (step - 6) % 3;
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(step, table[i].name);
      const bool embeds = table[i].role == arch::Role::embed;
      const std::int64_t own = table[i].layer >= 0 ? table[i].layer / 2 : embeds ? 0 : 2;
      bool same = true;
      for (const state::TensorKind kind : state::kTensorKinds)
        same = same && std::ranges::equal(after.of(kind)[i].bytes(), before.of(kind)[i].bytes());
      if (own != group) CHECK(same);
      if (own == group && table[i].axes.size() == 2) CHECK_FALSE(same);
      CHECK(after.histories[i].age.start - before.histories[i].age.start == (own == group ? 0 : 1));
    }
  }
}

TEST_CASE("layers that never run keep their weights, moments and age to the bit") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "run", edits_with("layer_path={layers: 2}"));
  const state::TrainingState after = test::end_of(tiny, "run"),
                             before = state::load(tiny / "run/checkpoints/step-00000008.h5");
  REQUIRE(before.model == after.model);
  const arch::ParamTable table = arch::param_table(after.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const bool ran = table[i].layer < 1 || table[i].layer > 3;
    if (ran && table[i].layer >= 0 && table[i].axes.size() == 2)
      CHECK_FALSE(std::ranges::equal(after.of(state::TensorKind::weights)[i].bytes(),
                                     before.of(state::TensorKind::weights)[i].bytes()));
    if (ran) continue;
    for (const state::TensorKind kind : state::kTensorKinds)
      CHECK(std::ranges::equal(after.of(kind)[i].bytes(), before.of(kind)[i].bytes()));
    CHECK(after.progress.step - after.histories[i].age.start ==
          before.progress.step - before.histories[i].age.start);
  }
}

TEST_CASE("the age of a layer's moments counts the steps in which it ran") {
  const test::TinyRun tiny;
  for (const std::string policy : {"layer_dropout={max: 0.9}", "layer_path={layers: 3}"}) {
    const std::string micro = GENERATE("batch.micro=0", "batch.micro=2");
    const Edits edits = edits_with(
        policy, {micro, "stages.full.grow=[{operator: depth, layers: 5, new_layers: random}]"});
    const std::string name = policy.substr(0, 13) + micro;
    test::run_to_end(tiny, name, edits);
    const state::TrainingState end = test::end_of(tiny, name);
    const std::vector<std::int64_t> ran =
        steps_run(tiny.plan(edits), micro == "batch.micro=2" ? 2 : 1);
    const arch::ParamTable table = arch::param_table(end.model);
    int skipped = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table[i].layer < 1) continue;
      CAPTURE(policy, micro, table[i].name);
      const std::int64_t expected = ran[static_cast<std::size_t>(table[i].layer)];
      CHECK(end.progress.step - end.histories[i].age.start == expected);
      if (expected < 10) ++skipped;
    }
    CHECK(skipped > 0);
  }
}

TEST_CASE("the log tells executed FLOPs and layers, and evaluation runs all layers") {
  const test::TinyRun tiny;
  const Edits edits = edits_with("layer_path={layers: 2}");
  test::run_to_end(tiny, "run", edits);
  const plan::RunPlan p = tiny.plan(edits);
  const state::TrainingState end = test::end_of(tiny, "run");
  CHECK(end.progress.flops == Approx(p.flops).epsilon(1e-12));
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  CHECK(log.stages.at(0).policy == "");
  CHECK(log.stages.at(1).policy == "layer_path");
  CHECK(log.stages.at(1).expected_flops_per_token ==
        plan::expected_flops_per_token(p.stages[1]).total);
  REQUIRE(log.growths.size() == 1);
  CHECK(log.growths[0].loss_after == Approx(log.growths[0].loss_before).epsilon(1e-6));
  CHECK(log.steps.back().at.flops - log.steps[5].at.flops ==
        Approx(10.0 * 64 * arch::mean_flops_per_token(p.final_model, 2).total));
}

TEST_CASE("training a path of the first and the last layer is training these two layers alone") {
  const arch::ModelConfig whole =
      arch::resolved({.layers = 4, .width = 32, .heads = 4, .vocab = 61, .context = 24});
  arch::ModelConfig two = whole;
  two.layers = 2;
  for (const model::Kernels kernels : {model::Kernels::fused, model::Kernels::reference}) {
    const auto model = test::make_filled(whole, {.kernels = kernels});
    const auto alone = model::make_model(two, {.kernels = kernels});
    model::ParamBuffer &params = model->params(), &others = alone->params();
    const auto name_in_whole = [&](const arch::ParamSpec& spec) {
      return spec.layer < 0 ? spec.name : arch::layer_name(spec.layer * 3, spec.key);
    };
    for (std::size_t i = 0; i < others.table().size(); ++i)
      others.view(others.weights(), i)
          .copy_(params.view(params.weights(), name_in_whole(others.table()[i])));
    std::vector<state::TensorHistory> none(params.table().size());
    params.set_histories(none, 0, {.layers = {false, true, true, false}});
    model->set_work(arch::scaled_layers({1, 0, 0, 1}));
    for (std::int64_t step = 1; step <= 5; ++step) {
      const at::Tensor tokens = test::random_tokens(61, 4, 25, static_cast<std::uint64_t>(step));
      model->loss_and_backward(tokens, 1, 1);
      alone->loss_and_backward(tokens, 1, 1);
      train::adamw_step(params, {}, 0.01, step, 1);
      train::adamw_step(others, {}, 0.01, step, 1);
    }
    for (std::size_t i = 0; i < others.table().size(); ++i) {
      const std::string name = name_in_whole(others.table()[i]);
      CAPTURE(name);
      CHECK(params.view(params.weights(), name).equal(others.view(others.weights(), i)));
      CHECK(params.view(params.exp_avg_sq(), name).equal(others.view(others.exp_avg_sq(), i)));
    }
  }
}
