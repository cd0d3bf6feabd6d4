// Chooses device, kernels and threads.
#include "replicas/device_options.h"

#include <ATen/Parallel.h>

#include "arch/routed_layers.h"
#include "base/parallel.h"
#include "dist/place.h"
#include "io/terminal.h"
#include "plan/stage_policy.h"
#include "text/text.h"

namespace stagedtrain::train {

DeviceRequest device_of_rank(DeviceRequest request) {
  const dist::Place place = dist::place_of_this_process();
  if (place.alone() || (request.device != "auto" && request.device != "cuda")) return request;
  const at::Device device = model::parse_device(request.device);
  if (device.is_cuda()) request.device = "cuda:" + std::to_string(place.local_rank);
  return request;
}

// OpenMP ends the process if it cannot start a thread, so it gets only as many as the system
// grants.
void use_threads(int asked) {
  const int wanted = asked > 0 ? asked : at::get_num_threads();
  const int had = threads_to_be_had(wanted);
  if (had < wanted)
    print_to_stderr(fmt::format(
        "warning: the system grants {} of {} threads (ulimit -u, or a container's limit); "
        "computing on {}\n",
        had, wanted, had));
  if (asked > 0 || had < wanted) at::set_num_threads(had);
}

model::ModelOptions model_options(const DeviceRequest& request, model::Precision precision) {
  use_threads(request.threads);
  model::ModelOptions options{.device = model::parse_device(request.device),
                              .precision = precision};
  const std::string& word = request.kernels;
  if (word == "reference") {
    options.kernels = model::Kernels::reference;
  } else if (word == "fused") {
    options.kernels = model::Kernels::fused;
  } else if (word != "auto") {
    throw usage_error("--kernels '{}'{}", word, suggestion(word, {"auto", "reference", "fused"}));
  }
  return options;
}

model::ModelOptions options_of(const plan::RunPlan& plan, const DeviceRequest& request) {
  const auto precision = static_cast<model::Precision>(plan.schedule.precision);
  model::ModelOptions options = model_options(request, precision);
  options.dropout = plan.schedule.dropout;
  options.z_loss = plan.schedule.z_loss;
  options.recompute = static_cast<model::Recompute>(plan.schedule.batch.recompute);
  const auto routes = [](const plan::StagePlan& s) { return arch::has_routed_layers(s.model); };
  const auto needs_reference = std::ranges::find_if(plan.stages, [&](const plan::StagePlan& s) {
    return s.policies.token_dropping || s.policies.teacher || routes(s);
  });
  if (!options.device.is_cpu() || needs_reference == plan.stages.end()) return options;
  if (options.kernels == model::Kernels::fused)
    throw usage_error(
        "--kernels fused: found a stage with {}, expected none",
        routes(*needs_reference) ? "routed layers" : plan::policy_key(*needs_reference))
        .with_hint("leave out --kernels; the run then uses reference kernels");
  options.kernels = model::Kernels::reference;
  return options;
}

}  // namespace stagedtrain::train
