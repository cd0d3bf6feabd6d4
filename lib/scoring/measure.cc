// Times optimizer steps, and measures the peak of memory.
#include "scoring/measure.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>

#include "arch/routed_layers.h"
#include "base/rng.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "optim/gradients.h"
#include "optim/optimizer.h"
#include "replicas/device_options.h"
#include "runfolder/device_state.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kFewest = 3;
// On a GPU the fourth pass is recorded as a graph (model/recorded_passes.cc), which belongs to the
// warm-up.
std::int64_t warm_up(at::Device device) { return device.is_cpu() ? 2 : 5; }

// Resets the kernel's record of this process's peak memory. If that fails, the peak is that of all
// stages so far.
void forget_host_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
double host_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return 1024 * std::atof(line.c_str() + 6);
  return std::numeric_limits<double>::quiet_NaN();
}

void forget_peak(at::Device device) {
  if (device.is_cpu()) return forget_host_peak();
  c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}
double peak_bytes(at::Device device) {
  if (device.is_cpu()) return host_peak();
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  return static_cast<double>(stats.reserved_bytes[0].peak);
}

data::Batch made_up_batch(const plan::RunPlan& plan, const arch::ModelConfig& model) {
  const CounterRng rng(1, hash_name("measure"));
  data::Batch batch{plan.schedule.batch.sequences, model.context, {}};
  batch.tokens.resize(static_cast<std::size_t>(batch.rows * (batch.length + 1)));
  for (std::size_t i = 0; i < batch.tokens.size(); ++i)
    batch.tokens[i] =
        static_cast<std::int32_t>(rng.below(i, static_cast<std::uint64_t>(model.vocab)));
  return batch;
}

// Takes the step of run_stage at learning rate 0: moments change, weights do not.
void take_step(const plan::RunPlan& plan, DeviceState& live, StepGradient& gradient,
               Optimizer& optimizer, const data::Batch& batch, std::int64_t step) {
  const at::Tensor tokens_BS = model::to_device(batch, live.options.device);
  gradient.add_up(*live.model, tokens_BS,
                  {rows_at_once(plan.schedule.batch), live.header.seed, step});
  gradient_norm(live.model->params()).item<double>();
  optimizer.step(live.model->params(), 0, step + 1, 1);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Gives the routers of routed layers values. With those of a fresh model, 0, all tokens have equal
// scores, and the chosen ones would be whole rows instead of a share of each row.
void fill_routers(model::ParamBuffer& params) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < params.table().size(); ++i)
    if (arch::is_token_router(params.table()[i])) params.view(params.weights(), i).fill_(1);
}

plan::Measurement measure_stage(const plan::RunPlan& plan, const plan::StagePlan& stage,
                                const model::ModelOptions& options, const MeasureRequest& request) {
  forget_peak(options.device);
  DeviceState live = fresh_live(stage.model, 1, options);
  fill_routers(live.model->params());
  const data::Batch batch = made_up_batch(plan, stage.model);
  dist::Ranks alone;
  StepGradient gradient(alone);
  Optimizer optimizer(plan.schedule);
  std::vector<double> seconds;
  const std::int64_t first = warm_up(options.device);
  const auto begin = Clock::now();
  for (std::int64_t step = 0; step < first + request.steps; ++step) {
    stop_point("measuring");
    const auto start = Clock::now();
    take_step(plan, live, gradient, optimizer, batch, step);
    if (step >= first) seconds.push_back(seconds_since(start));
    const bool enough = static_cast<std::int64_t>(seconds.size()) >= kFewest;
    if (enough && seconds_since(begin) > request.most_seconds) break;
  }
  plan::Measurement measured;
  measured.key = plan::measurement_key(plan, stage);
  measured.key.device = plan::device_name(options.device.str());
  measured.key.threads = options.device.is_cpu() ? at::get_num_threads() : 0;
  measured.kernels = live.model->kernels_name();
  measured.seconds_per_token = median(seconds) / static_cast<double>(batch.rows * batch.length);
  measured.peak_bytes = peak_bytes(options.device);
  measured.steps = static_cast<double>(seconds.size());
  measured.time = plan::time_now();
  measured.source = "plan --measure";
  return measured;
}

}  // namespace

std::vector<plan::Measurement> measure(const plan::RunPlan& plan, const MeasureRequest& request,
                                       const std::function<void(const std::string&)>& on_stage) {
  const model::ModelOptions options = options_of(plan, request.device);
  std::vector<plan::Measurement> measured;
  for (const plan::StagePlan& stage : plan.stages) {
    on_stage(stage.name);
    measured.push_back(measure_stage(plan, stage, options, request));
  }
  return measured;
}

}  // namespace stagedtrain::train
