// Times whole training steps of stagedtrain on one device and prints one line of JSON, with the
// keys of bench/pytorch_step.py: forward, backward, clipping to 1, AdamW, zeroing, the loss read
// each step.
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <numeric>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "model/model.h"
#include "optim/adamw.h"
#include "text/json.h"
#include "train/decisions.h"

namespace stagedtrain {
namespace {

struct Options {
  arch::ModelConfig model{.layers = 4, .width = 128, .heads = 4, .vocab = 256, .context = 128};
  std::int64_t batch = 16, steps = 50, warmup = 3;
  int threads = 2;
  double seconds = 60, dropout = 0, mask = 1;
  std::string device = "cpu", kernels = "automatic", precision = "fp32", recompute = "none";
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("times training steps of stagedtrain");
  app.add_option("--architecture", o.model.architecture);
  app.add_option("--layers", o.model.layers);
  app.add_option("--width", o.model.width);
  app.add_option("--heads", o.model.heads);
  app.add_option("--kv-heads", o.model.kv_heads);
  app.add_option("--ffn", o.model.ffn);
  app.add_option("--experts", o.model.experts);
  app.add_option("--vocab", o.model.vocab);
  app.add_option("--context", o.model.context);
  app.add_option("--batch", o.batch)->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps)->check(CLI::PositiveNumber);
  app.add_option("--warmup", o.warmup)->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads)->check(CLI::PositiveNumber);
  app.add_option("--seconds", o.seconds, "time no longer than this");
  app.add_option("--dropout", o.dropout)->check(CLI::Range(0.0, 0.99));
  app.add_option("--mask", o.mask, "how visible the second half of the width is, from 0 to 1");
  app.add_option("--device", o.device, "cpu, cuda");
  app.add_option("--precision", o.precision)->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_option("--recompute", o.recompute)->check(CLI::IsMember({"none", "norms", "blocks"}));
  app.add_option("--kernels", o.kernels)->check(CLI::IsMember({"automatic", "reference", "fused"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  o.model = arch::resolved(o.model);
  return o;
}

model::ModelOptions model_options(const Options& o) {
  model::ModelOptions options;
  options.device = model::parse_device(o.device);
  options.dropout = o.dropout;
  if (o.precision == "bf16") options.precision = model::Precision::bf16;
  if (o.recompute == "norms") options.recompute = model::Recompute::norms;
  if (o.recompute == "blocks") options.recompute = model::Recompute::blocks;
  if (o.kernels == "reference") options.kernels = model::Kernels::reference;
  if (o.kernels == "fused") options.kernels = model::Kernels::fused;
  return options;
}

void fill_weights(model::Model& model) {
  at::manual_seed(1);
  model::ParamBuffer& params = model.params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::Init& init = params.table()[i].init;
    at::Tensor weight = params.view(params.weights(), i);
    if (init.kind == arch::Init::Kind::normal)
      weight.normal_(0, init.value);
    else
      weight.fill_(init.value);
  }
  model.weights_changed();
}

double train_step(model::Model& model, const at::Tensor& tokens_BS, std::int64_t step) {
  model::ParamBuffer& params = model.params();
  const at::Tensor loss = model.loss_and_backward(tokens_BS, 1.0, static_cast<std::uint64_t>(step));
  const double norm = train::gradient_norm(params).item<double>();
  train::adamw_step(params, {}, 1e-3, step, train::clip_factor(norm, 1.0));
  return loss.item<double>();
}

struct Timing {
  std::vector<double> seconds;
  double first = 0, loss = 0, best_cpu = 1e9;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Timing time_steps(model::Model& model, const Options& o) {
  std::vector<at::Tensor> batches;
  for (int i = 0; i < 8; ++i)
    batches.push_back(at::randint(o.model.vocab, {o.batch, o.model.context + 1},
                                  at::TensorOptions(at::kLong).device(model.options().device)));
  Timing timing;
  double spent = 0;
  for (std::int64_t step = 1; step <= o.warmup + o.steps && spent < o.seconds; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const double cpu_start = cpu_seconds();
    timing.loss = train_step(model, batches[static_cast<std::size_t>(step) % 8], step);
    const double taken =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (step == 1) timing.first = taken;
    if (step <= o.warmup) continue;
    timing.seconds.push_back(taken);
    timing.best_cpu = std::min(timing.best_cpu, cpu_seconds() - cpu_start);
    spent += taken;
  }
  std::sort(timing.seconds.begin(), timing.seconds.end());
  return timing;
}

// Of the process, in MiB: with LibTorch loaded and no model yet, as a comparison for the peak.
std::int64_t resident_mib() {
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE) >> 20;
}

double rounded(double x) { return std::round(x * 100) / 100; }

Json describe(const Options& o, const model::Model& model, const Timing& t, std::int64_t start) {
  const std::size_t count = t.seconds.size();
  const double median = (t.seconds[(count - 1) / 2] + t.seconds[count / 2]) / 2;
  const double total = std::accumulate(t.seconds.begin(), t.seconds.end(), 0.0);
  const double tokens = static_cast<double>(o.batch * o.model.context);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Json{{"impl", std::string("stagedtrain ") + model.kernels_name()},
              {"layers", o.model.layers},
              {"width", o.model.width},
              {"heads", o.model.heads},
              {"batch", o.batch},
              {"context", o.model.context},
              {"vocab", o.model.vocab},
              {"threads", o.threads},
              {"params", arch::param_table(o.model).total_count()},
              {"flops_per_token", arch::flops_per_token(o.model)},
              {"steps", count},
              {"tokens_per_second", rounded(tokens / median)},
              {"tokens_per_second_mean", rounded(tokens * static_cast<double>(count) / total)},
              {"step_ms", rounded(median * 1e3)},
              {"best_step_ms", rounded(t.seconds.front() * 1e3)},
              {"best_cpu_ms", rounded(t.best_cpu * 1e3)},
              {"first_step_ms", rounded(t.first * 1e3)},
              {"loss", t.loss},
              {"peak_rss_mib", usage.ru_maxrss / 1024},
              {"start_rss_mib", start}};
}

void run(const Options& o) {
  at::set_num_threads(o.threads);
  const std::int64_t start = resident_mib();
  const auto model = model::make_model(o.model, model_options(o));
  fill_weights(*model);
  if (o.mask < 1) {
    arch::ModelConfig before = o.model;
    before.width /= 2;
    model->set_mask({before, o.mask});
  }
  const Timing timing = time_steps(*model, o);
  std::puts(describe(o, *model, timing, start).dump().c_str());
}

}  // namespace
}  // namespace stagedtrain

int main(int argc, char** argv) {
  try {
    stagedtrain::run(stagedtrain::parse(argc, argv));
    return 0;
  } catch (const stagedtrain::Error& error) {
    std::fprintf(stderr, "train_bench: %s\n%s\n", error.what(), error.hint().c_str());
    return error.exit_code();
  }
}
