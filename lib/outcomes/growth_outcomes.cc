// Reads and writes growths.json, the measured outcomes of growths, and looks them up.
#include "outcomes/growth_outcomes.h"

#include <algorithm>
#include <cmath>

#include "cost/cache_list.h"
#include "grow/operator.h"
#include "runlog/run_log.h"
#include "text/json.h"

namespace stagedtrain::plan {

template <class V>
void members(V& v, GrowthOutcome& g) {
  v("run", g.run), v("stage", g.stage), v("time", g.time), v("operators", g.operators);
  v("from", g.from), v("to", g.to);
  v("rho", g.rho), v("rho_low", g.rho_low), v("rho_high", g.rho_high);
  v("tokens_before", g.tokens_before), v("mixing_tokens", g.mixing_tokens);
  v("decay_drop", g.decay_drop);
}

namespace {

constexpr CacheFormat kOutcomesFormat = {
    "stagedtrain growths", 1, "growths",
    "remove the file; train and report --store-outcomes create it again"};
constexpr double kAlike = 0.25;  // relative difference of two growths' factors of FLOPs

double factor(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  return arch::flops_per_token(to) / arch::flops_per_token(from);
}

bool alike(const GrowthOutcome& g, const std::string& operators, const arch::ModelConfig& from,
           const arch::ModelConfig& to) {
  return operator_names(g.operators) == operator_names(operators) &&
         std::fabs(factor(g.from, g.to) / factor(from, to) - 1) <= kAlike;
}

void keep_known(double& now, double before) {
  if (!std::isfinite(now)) now = before;
}

}  // namespace

std::vector<std::string> operator_names(const std::string& operators) {
  std::vector<std::string> known, found;
  for (const grow::OperatorEntry& entry : grow::operators()) known.push_back(entry.name);
  std::string word;
  for (const char c : operators + " ") {
    if ((c >= 'a' && c <= 'z') || c == '_') {
      word += c;
      continue;
    }
    if (std::ranges::find(known, word) != known.end()) found.push_back(word);
    word.clear();
  }
  return found;
}

const GrowthOutcome* GrowthOutcomes::rho_of(const std::string& operators,
                                            const arch::ModelConfig& from,
                                            const arch::ModelConfig& to) const {
  for (auto g = all_.rbegin(); g != all_.rend(); ++g)
    if (g->rho > 0 && alike(*g, operators, from, to)) return &*g;
  return nullptr;
}

const GrowthOutcome* GrowthOutcomes::mixing_of(const std::string& operators,
                                               const arch::ModelConfig& from,
                                               const arch::ModelConfig& to) const {
  for (auto g = all_.rbegin(); g != all_.rend(); ++g)
    if (g->mixing_tokens >= 0 && alike(*g, operators, from, to)) return &*g;
  return nullptr;
}

void GrowthOutcomes::put(GrowthOutcome growth) {
  const double unknown = runlog::kUnknown;
  if (!is_likely_rho(growth.rho)) growth.rho = growth.rho_low = growth.rho_high = unknown;
  if (!(growth.mixing_tokens >= 0)) growth.mixing_tokens = unknown;
  if (!is_likely_drop(growth.decay_drop)) growth.decay_drop = unknown;
  const auto old = std::ranges::find_if(all_, [&](const GrowthOutcome& other) {
    return other.run == growth.run && other.stage == growth.stage;
  });
  if (old != all_.end()) {
    if (!(growth.rho > 0)) {
      growth.rho = old->rho;
      growth.rho_low = old->rho_low;
      growth.rho_high = old->rho_high;
    }
    keep_known(growth.mixing_tokens, old->mixing_tokens);
    keep_known(growth.decay_drop, old->decay_drop);
    all_.erase(old);
  }
  all_.push_back(std::move(growth));
}

GrowthOutcomes read_outcomes(const Path& path) {
  GrowthOutcomes known;
  for (GrowthOutcome& growth : read_list<GrowthOutcome>(path, kOutcomesFormat))
    known.put(std::move(growth));
  return known;
}

void add_outcomes(const Path& path, const std::vector<GrowthOutcome>& growths) {
  if (growths.empty() || path.empty()) return;
  GrowthOutcomes known = read_outcomes(path);
  for (const GrowthOutcome& growth : growths) known.put(growth);
  write_list(path, kOutcomesFormat, known.all());
}

Json to_json(const std::vector<GrowthOutcome>& growths) { return list_json(growths); }

}  // namespace stagedtrain::plan
