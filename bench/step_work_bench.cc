// Times steps that train some layers or run some layers, beside whole steps of the same model, in
// turns in one process. Prints one line of JSON for each kind: milliseconds, and the shares of time
// and of FLOPs that it takes of a whole step.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/step_flops.h"
#include "model/model.h"
#include "optim/adamw.h"
#include "text/json.h"
#include "train/decisions.h"

namespace stagedtrain {
namespace {

struct Options {
  arch::ModelConfig model{.layers = 8, .width = 256, .heads = 4, .vocab = 256, .context = 128};
  std::int64_t batch = 16, rounds = 15;
  int threads = 2;
  bool reference = false;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("times training steps that train or run some layers only");
  app.add_option("--architecture", o.model.architecture);
  app.add_option("--layers", o.model.layers, "a multiple of 4");
  app.add_option("--width", o.model.width);
  app.add_option("--heads", o.model.heads);
  app.add_option("--vocab", o.model.vocab);
  app.add_option("--context", o.model.context);
  app.add_option("--batch", o.batch)->check(CLI::PositiveNumber);
  app.add_option("--rounds", o.rounds)->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads)->check(CLI::PositiveNumber);
  app.add_flag("--reference", o.reference, "reference kernels, which can drop tokens");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  o.model = arch::resolved(o.model);
  return o;
}

// Histories under which every fourth layer is trained and all else is frozen, as llama_pro with one
// new layer after each three old ones and train_only: new.
std::vector<state::TensorHistory> every_fourth(const arch::ParamTable& table) {
  std::vector<state::TensorHistory> histories;
  for (const arch::ParamSpec& spec : table)
    histories.push_back({.generation = spec.layer >= 0 && spec.layer % 4 == 3 ? 1 : 0});
  return histories;
}

struct Kind {
  const char* name;
  bool frozen = false;         // three of four layers, embeddings and head
  bool all_gradients = false;  // are made, though the optimizer uses those of trained tensors only
  arch::StepWork work = {};
  double flops = 0;
  std::vector<double> seconds = {};
};

void step_of(model::Model& model, const Kind& kind, const at::Tensor& tokens_BS,
             std::int64_t step) {
  model::ParamBuffer& params = model.params();
  const std::vector<state::TensorHistory> histories = every_fourth(params.table());
  params.set_histories(histories, kind.frozen && !kind.all_gradients ? 1 : 0);
  model.set_work(kind.work);
  model.loss_and_backward(tokens_BS, 1.0, 0);
  params.set_histories(histories, kind.frozen ? 1 : 0);
  const double norm = train::gradient_norm(params).item<double>();
  train::adamw_step(params, {}, 1e-4, step, train::clip_factor(norm, 1.0));
}

std::vector<Kind> kinds_of(const arch::ModelConfig& config, bool reference) {
  std::vector<double> half;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) half.push_back(layer % 2 ? 0 : 1);
  std::vector<bool> frozen;
  for (const state::TensorHistory& one : every_fourth(arch::param_table(config)))
    frozen.push_back(one.generation == 0);
  const double whole = arch::flops_per_token(config);
  const arch::TrainedParts trained = arch::trained_parts(config, frozen);
  const auto priced = [&](const char* name, const arch::StepWork& work) {
    return Kind{
        .name = name, .work = work, .flops = arch::step_flops_per_token(config, work).total};
  };
  arch::StepWork quarter{.layers = arch::StepWork{}.list(config.layers)}, twice, tokens = quarter;
  for (arch::LayerWork& one : *quarter.layers) one.ffn = config.ffn / 4;
  twice.layers.emplace();
  for (std::int64_t i = 0; i < config.layers; ++i)
    twice.layers->push_back({.layer = i / 2, .use = i % 2});
  for (std::size_t i = 1; i + 1 < tokens.layers->size(); ++i)
    (*tokens.layers)[i].tokens = config.context / 4;
  std::vector<Kind> kinds = {{.name = "whole", .flops = whole},
                             {.name = "3 of 4 layers frozen, all gradients made",
                              .frozen = true,
                              .all_gradients = true,
                              .flops = whole},
                             {.name = "3 of 4 layers frozen",
                              .frozen = true,
                              .flops = arch::step_flops_per_token(config, {}, trained).total},
                             priced("half of the layers run", arch::scaled_layers(half)),
                             priced("a quarter of the hidden units runs", quarter),
                             priced("half of the layers run twice", twice)};
  if (reference) kinds.push_back(priced("a quarter of the tokens in the middle layers", tokens));
  return kinds;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void run(const Options& o) {
  at::set_num_threads(o.threads);
  const auto kernels = o.reference ? model::Kernels::reference : model::Kernels::automatic;
  const auto model = model::make_model(o.model, {.kernels = kernels});
  at::manual_seed(1);
  model->params().weights().normal_(0, 0.02);
  const at::Tensor tokens_BS =
      at::randint(o.model.vocab, {o.batch, o.model.context + 1}, at::kLong);
  std::vector<Kind> kinds = kinds_of(o.model, o.reference);
  std::int64_t step = 0;
  for (std::int64_t round = 0; round <= o.rounds; ++round)
    for (Kind& kind : kinds) {
      const auto start = std::chrono::steady_clock::now();
      step_of(*model, kind, tokens_BS, ++step);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      if (round > 0) kind.seconds.push_back(taken.count());
    }
  const double whole = median(kinds[0].seconds);
  for (const Kind& kind : kinds)
    std::puts(Json{{"step", kind.name},
                   {"kernels", model->kernels_name()},
                   {"layers", o.model.layers},
                   {"width", o.model.width},
                   {"step_ms", 1e3 * median(kind.seconds)},
                   {"best_step_ms", 1e3 * *std::ranges::min_element(kind.seconds)},
                   {"share_of_time", median(kind.seconds) / whole},
                   {"share_of_flops", kind.flops / kinds[0].flops}}
                  .dump()
                  .c_str());
}

}  // namespace
}  // namespace stagedtrain

int main(int argc, char** argv) {
  try {
    stagedtrain::run(stagedtrain::parse(argc, argv));
    return 0;
  } catch (const stagedtrain::Error& error) {
    std::fprintf(stderr, "step_work_bench: %s\n%s\n", error.what(), error.hint().c_str());
    return error.exit_code();
  }
}
