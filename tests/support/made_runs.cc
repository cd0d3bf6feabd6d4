// Made-up run logs.
#include "support/made_runs.h"

#include <algorithm>
#include <cmath>

#include "arch/cost.h"
#include "base/rng.h"
#include "support/text_file.h"
#include "text/json.h"

namespace stagedtrain::test {
namespace {

constexpr double kTokensPerStep = 2048, kDecayShare = 0.2, kUndecayed = 0.075;

arch::ModelConfig model_of(int layers) {
  return arch::resolved({.layers = layers, .width = 128, .heads = 4, .vocab = 256, .context = 128});
}

Json model_json(const MadeStage& stage) {
  const arch::ModelConfig model = model_of(stage.layers);
  return {{"architecture", model.architecture},
          {"layers", model.layers},
          {"width", model.width},
          {"heads", model.heads},
          {"kv_heads", model.kv_heads},
          {"head_dim", model.head_dim},
          {"ffn", model.ffn},
          {"vocab", model.vocab},
          {"context", model.context},
          {"tied", model.tied},
          {"norm_eps", model.norm_eps}};
}

double params_of(int layers) {
  return static_cast<double>(arch::count_params(model_of(layers)).total);
}

// The loss that a model trained from scratch comes to in this many steps, decayed.
double power_law(int layers, double steps) {
  const double lift = layers >= 6 ? 0 : 0.045 * (6 - layers);
  return 1.20 + lift + 6.0 * std::pow(std::max(steps, 1.0), -0.32);
}

// Writes the lines of one run, keeping its place.
class Writer {
 public:
  explicit Writer(const MadeRun& run) : run_(run) {
    for (const MadeStage& stage : run.stages) total_ += stage.steps;
  }

  std::string write() {
    start();
    for (std::size_t i = 0; i < run_.stages.size() && step_ < run_.stop; ++i) {
      if (i > 0) grow(i);
      train(i);
      if (step_ >= run_.stop && step_ < total_) break;
      add("stage_end", evaluation(i));
      if (step_ >= total_) end(i);
    }
    return text_;
  }

 private:
  void add(const char* event, const Json& rest) {
    Json line{{"event", event}};
    line.update(rest);
    text_ += line.dump() + "\n";
  }

  Json place(const std::string& stage) const {
    return {{"step", step_},
            {"tokens", step_ * kTokensPerStep},
            {"flops", flops_},
            {"seconds", seconds_},
            {"stage", stage}};
  }

  double decay() const {
    const double begin = total_ * (1 - kDecayShare);
    return run_.decayed ? std::clamp((step_ - begin) / (total_ - begin), 0.0, 1.0) : 0;
  }

  // After growth the loss comes down to that of a scratch run a little younger.
  double loss(std::size_t stage) const {
    const int layers = run_.stages[stage].layers;
    double value = power_law(layers, step_);
    if (stage > 0) {
      const double before = power_law(run_.stages[stage - 1].layers, grown_at_);
      const double settled = power_law(layers, 0.86 * step_);
      value = settled + (before - settled) * std::exp(-(step_ - grown_at_) / 120);
    }
    value += run_.worse;
    return value + kUndecayed * (1 - decay()) * std::min(1.0, step_ / 300);
  }

  double noise() const {
    return 2 * CounterRng(static_cast<std::uint64_t>(run_.seed), 0)
                   .uniform(static_cast<std::uint64_t>(step_)) -
           1;
  }

  Json evaluation(std::size_t stage) const {
    Json event = place(run_.stages[stage].name);
    event.update(
        {{"loss", loss(stage)}, {"stderr", 0.0042}, {"windows", 512}, {"eval_seconds", 1.1}});
    return event;
  }

  void start() {
    Json stages = Json::array();
    for (const MadeStage& stage : run_.stages)
      stages.push_back({{"name", stage.name},
                        {"grow", &stage == &run_.stages.front() ? "" : "depth zero_output"},
                        {"model", model_json(stage)},
                        {"params", params_of(stage.layers)},
                        {"non_embedding", params_of(stage.layers) - (256 + 128) * 128},
                        {"flops_per_token", arch::flops_per_token(model_of(stage.layers))},
                        {"steps", stage.steps}});
    add("start", {{"version", "0.1.0"},
                  {"time", "2026-11-25T12:00:00Z"},
                  {"role", run_.role},
                  {"schedule", "made"},
                  {"device", run_.device},
                  {"threads", 2},
                  {"seed", run_.seed},
                  {"curve", run_.curve},
                  {"total_steps", total_},
                  {"final_model", model_json(run_.stages.back())},
                  {"data",
                   {{"train", run_.train},
                    {"validation", run_.validation},
                    {"train_fingerprint", "1234abcd"},
                    {"validation_fingerprint", "5678abcd"},
                    {"tokenizer", "bytes"}}},
                  {"settings",
                   {{"batch.sequences", "16"},
                    {"lr.curve", run_.curve},
                    {"lr.peak", "0.003"},
                    {"lr.floor", "0"},
                    {"lr.warmup", "100 steps"},
                    {"lr.decay", "20%"},
                    {"optimizer.betas", "[0.9, 0.95]"},
                    {"optimizer.eps", "0.00000001"},
                    {"optimizer.weight_decay", "0.1"},
                    {"optimizer.clip", "1"},
                    {"precision", "fp32"},
                    {"dropout", "0"},
                    {"z_loss", "0"},
                    {"evaluate.tokens", "65536"}}},
                  {"stages", stages}});
  }

  void grow(std::size_t i) {
    grown_at_ = step_;
    const double before = loss(i - 1) + 0.011;
    Json event = place(run_.stages[i].name);
    event.update({{"operators", "depth zero_output"},
                  {"from", run_.stages[i - 1].name},
                  {"to", run_.stages[i].name},
                  {"params_before", params_of(run_.stages[i - 1].layers)},
                  {"params_after", params_of(run_.stages[i].layers)},
                  {"loss_before", before},
                  {"loss_after", before},
                  {"grow_seconds", 0.04}});
    add("grow", event);
  }

  void train(std::size_t i) {
    const MadeStage& stage = run_.stages[i];
    const double flops = arch::flops_per_token(model_of(stage.layers)) * kTokensPerStep;
    for (double n = 0; n < stage.steps && step_ < run_.stop; ++n) {
      step_ += 1;
      flops_ += flops;
      seconds_ += 0.004 + flops / 2.1e11;
      if (std::fmod(step_, 10) != 0) continue;
      Json event = place(stage.name);
      event.update({{"loss", loss(i) - 0.02 + run_.noise * noise()},
                    {"grad_norm", 0.35 + 6 / std::sqrt(step_) + 0.08 * noise()},
                    {"lr", 3e-3 * std::min(1.0, step_ / 100) * (1 - decay())}});
      add("step", event);
      if (std::fmod(step_, 100) == 0) add("evaluate", evaluation(i));
    }
  }

  void end(std::size_t stage) {
    Json event = place(run_.stages[stage].name);
    event.update({{"loss", loss(stage)},
                  {"stderr", 0.0042},
                  {"bits_per_byte", loss(stage) / std::log(2.0)},
                  {"decayed", run_.decayed}});
    add("end", event);
  }

  const MadeRun& run_;
  std::string text_;
  double total_ = 0, step_ = 0, flops_ = 0, seconds_ = 0, grown_at_ = 0;
};

}  // namespace

std::string made_log(const MadeRun& run) { return Writer(run).write(); }

void write_run(const std::filesystem::path& folder, const MadeRun& run) {
  std::filesystem::create_directories(folder);
  write_text(folder / "run.jsonl", made_log(run));
}

void write_made_runs(const std::filesystem::path& folder) {
  write_run(folder / "staged",
            {.role = "staged", .stages = {{"shallow", 2, 2100}, {"full", 6, 900}}});
  for (const double steps : {1500.0, 2100.0, 3000.0})
    write_run(folder / "scratch" / ("budget-" + std::to_string(static_cast<int>(steps))),
              {.stages = {{"full", 6, steps}}});
}

}  // namespace stagedtrain::test
