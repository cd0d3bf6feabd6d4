// Prints what several processes need, send and reach, as tables and as JSON.
#include <algorithm>

#include "cost/link_times.h"
#include "cost/run_cost.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using Rows = std::vector<std::vector<std::string>>;

// Prints a time that may be below a second; "?" if it is not known.
std::string step_text(double seconds) {
  if (seconds <= 0) return "?";
  return seconds < 1 ? fmt::format("{:.3g} ms", 1000 * seconds) : short_seconds(seconds);
}

std::string percent_text(double share) {
  return share > 0 ? fmt::format("{:.1f}%", 100 * share) : "?";
}

std::string sending_text(const StepExchange& exchange) {
  std::string text = step_text(exchange.seconds);
  if (exchange.hidden > 0) text += fmt::format(", {} hidden", step_text(exchange.hidden));
  return text;
}

double step_tokens(const RunPlan& plan, std::size_t stage) {
  return static_cast<double>(plan.schedule.batch.sequences * plan.stages[stage].model.context);
}

std::string stages_table(const RunPlan& plan, const RunCost& cost) {
  Rows rows = {{"stage", "memory", "sends", "to other nodes", "sending takes", "a step takes",
                "tokens/s", "efficiency"}};
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StageCost& c = cost.stages[i];
    const double each = c.seconds_per_token;
    rows.push_back({plan.stages[i].name, short_bytes(c.memory.total()),
                    short_bytes(c.exchange.sent.total()), short_bytes(c.exchange.sent.between),
                    sending_text(c.exchange), step_text(each * step_tokens(plan, i)),
                    each > 0 ? short_count(1 / each) : "?",
                    percent_text(efficiency(c, cost.processes))});
  }
  return text_table(rows, 1, "");
}

StepExchange largest_exchange(const RunCost& cost) {
  const auto more = [](const StageCost& a, const StageCost& b) {
    return a.exchange.sent.total() < b.exchange.sent.total();
  };
  return std::ranges::max_element(cost.stages, more)->exchange;
}

std::string shardings_table(const RunPlan& plan, const RunCost& cost) {
  Rows rows = {{"--sharding", "memory", "sends", "training", "efficiency"}};
  for (const RunCost& one : cost.shardings)
    rows.push_back({sharding_name(one.processes.sharding), short_bytes(largest_memory(one)),
                    short_bytes(largest_exchange(one).sent.total()),
                    one.timed ? short_seconds(one.total.training_seconds) : "?",
                    percent_text(efficiency(plan, one))});
  std::string text = text_table(rows, 1, "");
  const double limit = plan.schedule.machine.memory;
  const std::optional<Sharding> cheapest = cheapest_sharding(plan, cost);
  return text +
         fmt::format("  {}{}: {}\n", cost.timed ? "fastest" : "sends least",
                     limit > 0 ? fmt::format(" that fits in machine.memory, {}", short_bytes(limit))
                               : std::string(),
                     cheapest ? sharding_name(*cheapest) : "none of them");
}

// Says which bandwidths are missing, or "".
std::string missing_text(const Cluster& cluster) {
  if (is_sending_timed(cluster)) return "";
  return fmt::format("  the time of sending {}is not included: give machine.bandwidth\n",
                     cluster.node_bandwidth > 0 ? "within a node " : "");
}

}  // namespace

bool is_sending_timed(const Cluster& cluster) {
  const bool within = cluster.per_node > 1 || cluster.node_bandwidth == 0;
  return cluster.bandwidth > 0 || !within;
}

std::string processes_text(const RunPlan& plan, const RunCost& cost) {
  const Processes& processes = cost.processes;
  if (processes.count == 1) return "";
  constexpr const char* kDivided[] = {
      "with all weights, gradients and moments",
      "which divide moments and AdamW (--sharding optimizer)",
      "which divide weights, gradients and moments (--sharding full)"};
  const Cluster cluster = cluster_of(plan.schedule.machine, processes.count);
  std::string text = fmt::format(
      "\neach of {} processes{}, {}\n", processes.count,
      cluster.nodes() > 1 ? fmt::format(" on {} nodes", cluster.nodes()) : std::string(),
      kDivided[static_cast<int>(processes.sharding)]);
  text += stages_table(plan, cost) + shardings_table(plan, cost) + missing_text(cluster);
  if (const std::int64_t idle = step_share(plan.schedule, processes).idle; idle > 0)
    text += warning_text(fmt::format(
        "{} of {} processes have no work: a step has {} passes; make batch.micro smaller", idle,
        processes.count, processes.count - idle));
  return text;
}

Json exchange_json(const StageCost& stage, const Processes& processes) {
  const auto known = [](double number) { return number > 0 ? Json(number) : Json(nullptr); };
  const double each = stage.seconds_per_token;
  return {{"sent_bytes_per_step", stage.exchange.sent.total()},
          {"sent_to_other_nodes_bytes_per_step", stage.exchange.sent.between},
          {"sending_seconds_per_step", stage.exchange.seconds},
          {"hidden_seconds_per_step", stage.exchange.hidden},
          {"tokens_per_second", known(each > 0 ? 1 / each : 0)},
          {"efficiency", known(efficiency(stage, processes))}};
}

Json processes_json(const RunPlan& plan, const RunCost& cost) {
  Json json = {{"processes", cost.processes.count},
               {"nodes", cluster_of(plan.schedule.machine, cost.processes.count).nodes()},
               {"sharding", sharding_name(cost.processes.sharding)},
               {"shardings", Json::array()}};
  for (const RunCost& one : cost.shardings)
    json["shardings"].push_back(
        {{"sharding", sharding_name(one.processes.sharding)},
         {"memory_bytes", largest_memory(one)},
         {"fits", fits_memory(plan, one)},
         {"sent_bytes_per_step", largest_exchange(one).sent.total()},
         {"training_seconds", one.timed ? Json(one.total.training_seconds) : Json(nullptr)},
         {"efficiency", one.timed ? Json(efficiency(plan, one)) : Json(nullptr)}});
  const std::optional<Sharding> cheapest = cheapest_sharding(plan, cost);
  json["cheapest_sharding"] = cheapest ? Json(sharding_name(*cheapest)) : Json(nullptr);
  return json;
}

}  // namespace stagedtrain::plan
