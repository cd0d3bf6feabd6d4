// Collects facts about the runs and groups the runs by value.
#include "run_report/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "compare/seeds.h"
#include "figures/table.h"
#include "run_report/phrases.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

constexpr const char* kNotLogged = "not in the log";

std::string model_fact(const Run& run) {
  const std::string size =
      std::isfinite(run.params()) ? fmt::format(", {} parameters", whole_text(run.params())) : "";
  return describe(run.final_model) + size;
}

std::string data_fact(const std::string& path, const std::string& fingerprint) {
  if (path.empty()) return kNotLogged;
  return fingerprint.empty() ? path : fmt::format("{} (fingerprint {})", path, fingerprint);
}

std::string validation_fact(const Run& run) {
  std::string text = data_fact(run.validation_data, run.validation_fingerprint);
  const double windows = run.evaluations.empty() ? kUnknown : run.evaluations.back().windows;
  if (std::isfinite(windows))
    text += fmt::format(", {} window{} scored", whole_text(windows), windows == 1 ? "" : "s");
  return text;
}

std::string batch_fact(const Run& run) {
  const std::string sequences = run.setting("batch.sequences");
  if (sequences.empty()) return kNotLogged;
  std::string text = fmt::format("{} sequences of {} tokens", sequences, run.final_model.context);
  for (const char* ramp : {"size", "length"})
    if (const std::string start = run.setting(fmt::format("batch.{}_warmup.start", ramp));
        !start.empty())
      text += fmt::format(", {} warm-up from {} over {} steps", ramp, start,
                          run.setting(fmt::format("batch.{}_warmup.over", ramp)));
  return text;
}

std::string rate_fact(const Run& run) {
  if (run.setting("lr.peak").empty()) return run.curve.empty() ? kNotLogged : run.curve;
  std::string text =
      fmt::format("{}, peak {}, floor {} of the peak, warm-up {}", run.curve,
                  run.setting("lr.peak"), run.setting("lr.floor"), run.setting("lr.warmup"));
  if (run.curve == "wsd") text += ", decay " + run.setting("lr.decay");
  return text;
}

// Logs from before the optimizer could be chosen do not name it: it was AdamW.
std::string optimizer_fact(const Run& run) {
  if (run.setting("optimizer.clip").empty()) return kNotLogged;
  const std::string name = run.setting("optimizer.name");
  std::string text = name == "muon"   ? "Muon, else AdamW"
                     : name == "lion" ? "Lion"
                     : name == "sgd"  ? "SGD"
                                      : "AdamW";
  const auto add = [&](const char* words, const char* key) {
    if (const std::string value = run.setting(key); !value.empty())
      text += fmt::format(", {} {}", words, value);
  };
  add("momentum", "optimizer.momentum");
  add("Nesterov", "optimizer.nesterov");
  add("update scale", "optimizer.update_scale");
  add("AdamW's rate", "optimizer.adamw_lr");
  add("betas", "optimizer.betas");
  add("eps", "optimizer.eps");
  add("weight decay", "optimizer.weight_decay");
  add("clipping at", "optimizer.clip");
  return text;
}

std::string precision_fact(const Run& run) {
  if (run.setting("precision").empty()) return kNotLogged;
  return fmt::format("{}, dropout {}, z-loss {}", run.setting("precision"), run.setting("dropout"),
                     run.setting("z_loss"));
}

std::string policy_fact(const Run& run) {
  const std::string text = policies_text(run);
  return text.empty() ? "none" : text;
}

std::string or_not_logged(const std::string& text) { return text.empty() ? kNotLogged : text; }

std::string tokenizer_fact(const Run& run) { return or_not_logged(run.tokenizer); }
std::string train_fact(const Run& run) { return data_fact(run.train_data, run.train_fingerprint); }
std::string version_fact(const Run& run) {
  return run.version.empty() ? kNotLogged : "stagedtrain " + run.version;
}
std::string date_fact(const Run& run) { return or_not_logged(run.time.substr(0, 10)); }

// Returns, for instance, "0.003", or "0.003 (staged, budget-700); 0.01 (budget-1400)".
template <class ValueOf>
std::string grouped_values(const Report& report, ValueOf value_of) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const Run& run : report.runs) {
    const std::string value = value_of(run);
    const auto group = std::ranges::find_if(groups, [&](auto& one) { return one.first == value; });
    if (group == groups.end()) {
      groups.push_back({value, {run.label}});
    } else {
      group->second.push_back(run.label);
    }
  }
  if (groups.size() == 1) return groups[0].first;
  std::vector<std::string> parts;
  for (const auto& [value, runs] : groups)
    parts.push_back(fmt::format("{} ({})", value, join(runs, ", ")));
  return join(parts, "; ");
}

}  // namespace

std::vector<Fact> setup_facts(const Report& report) {
  struct Row {
    const char* what;
    std::string (*value)(const Run&);
  };
  static constexpr Row rows[] = {{"final model", model_fact},
                                 {"training data", train_fact},
                                 {"validation data", validation_fact},
                                 {"tokenizer", tokenizer_fact},
                                 {"batch", batch_fact},
                                 {"learning rate", rate_fact},
                                 {"optimizer", optimizer_fact},
                                 {"policies", policy_fact},
                                 {"precision", precision_fact},
                                 {"seeds", seeds_text},
                                 {"machine", machine_text},
                                 {"trained on", date_fact},
                                 {"version", version_fact}};
  std::vector<Fact> facts;
  for (const Row& row : rows) facts.push_back({row.what, grouped_values(report, row.value)});
  return facts;
}

std::string schedule_name(const Report& report) {
  std::string name;
  for (const Run& run : report.runs) {
    if (!name.empty() && run.schedule != name) return "";
    name = run.schedule;
  }
  return name;
}

std::string setup_html(const std::vector<Fact>& facts) {
  std::string html = "<div class=\"table\"><table class=\"setup\">\n";
  for (const Fact& fact : facts) {
    std::string value;
    for (const char c : escaped(fact.value))
      value += c == '/' ? std::string("/<wbr>") : std::string(1, c);
    html +=
        fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(fact.what), value);
  }
  return html + "</table></div>\n";
}

}  // namespace stagedtrain::report
