// Speeds, head starts and drops, out of logs.
#include "plan/learn.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "law/bootstrap.h"
#include "plan/fit_laws.h"

namespace stagedtrain::plan {
namespace {

using runlog::kUnknown;
constexpr std::size_t kFewestLines = 4, kWindow = 10;
constexpr double kLastShare = 0.05;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// A stage's logged curve with its fit; nothing where it cannot be fitted.
struct Fitted {
  LoggedCurve logged;
  FittedCurve fit;
};
std::optional<Fitted> fitted(const runlog::Run& run, std::size_t stage) {
  try {
    LoggedRuns logged;
    read_run(run, run.name, logged);
    const LoggedCurve& curve = logged.curves.at(stage);
    return Fitted{curve, fit_logged_curve(curve, {})};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    return {};
  }
}

double drop_of(const Fitted& last) {
  const std::vector<law::LoggedStep>& steps = last.logged.steps;
  const double end = steps.back().step;
  if (!(end > last.fit.last_step)) return kUnknown;  // no decay
  const double from = end - kLastShare * (end - last.fit.begin);
  double sum = 0, count = 0;
  for (const law::LoggedStep& step : steps)
    if (step.step > from) sum += step.loss, ++count;
  return last.fit.law.loss(last.fit.last_x + end - last.fit.last_step) - sum / count;
}

// Where a curve comes to a loss, in steps at its peak; NaN if never.
double x_at(const law::StageCurve& law, double loss) {
  return loss > law.E ? std::pow(law.B / (loss - law.E), 1 / law.b) - law.x0 : kUnknown;
}

// Where a stage stood on its size's curve from scratch, in steps at the peak: of the fit, and of
// its bootstraps. Empty where that is not known.
struct Stand {
  double at = kUnknown;
  std::vector<double> samples;
};

// Of a grown stage at its begin: where its size from scratch comes to the loss that it ended with,
// less what it trained itself.
Stand begin_of(const Fitted& grown, const Fitted& own) {
  const double trained = grown.fit.last_x;
  const auto start = [&](const law::StageCurve& a, const law::StageCurve& b) {
    return x_at(b, a.loss(trained)) - trained;
  };
  Stand stand{start(grown.fit.law, own.fit.law), {}};
  const std::size_t count = std::min(grown.fit.samples.size(), own.fit.samples.size());
  for (std::size_t i = 0; i < count; ++i)
    stand.samples.push_back(start(grown.fit.samples[i], own.fit.samples[i]));
  return stand;
}

// After `trained` steps more.
Stand after(Stand stand, double trained) {
  stand.at += trained;
  for (double& sample : stand.samples) sample += trained;
  return stand;
}

void find_rho(const Stand& before, const Stand& begin, LearnedGrowth& growth) {
  if (!(begin.at > 0 && before.at > 0)) return;
  std::vector<double> rhos;
  for (std::size_t i = 0; i < begin.samples.size(); ++i) {
    const double from =
        before.samples.empty() ? before.at : before.samples[i % before.samples.size()];
    if (begin.samples[i] > 0 && from > 0) rhos.push_back(from / begin.samples[i]);
  }
  if (rhos.empty()) return;
  growth.rho = before.at / begin.at;
  const law::Interval interval = law::interval(std::move(rhos));
  growth.rho_low = interval.low;
  growth.rho_high = interval.high;
}

double mixing_time(const Fitted& grown, const Fitted& scratch) {
  const std::vector<law::LoggedStep>& steps = grown.logged.steps;
  const double lost = scratch.fit.last_step - scratch.fit.last_x;  // to the warm-up
  const double noise = grown.fit.noise / std::sqrt(double{kWindow});
  for (std::size_t i = 0; i + kWindow <= steps.size(); ++i) {
    if (steps[i + kWindow - 1].step > grown.fit.last_step) break;
    double loss = 0, at = 0;
    for (std::size_t j = i; j < i + kWindow; ++j) {
      loss += steps[j].loss / kWindow;
      at += steps[j].step / kWindow;
    }
    if (loss < scratch.fit.law.loss(at - lost) * (1 + 2 * noise))
      return (at - grown.fit.begin) * grown.logged.tokens_per_step;
  }
  return kUnknown;
}

bool starts_fresh(const runlog::Run& run) {
  if (run.stages.empty() || run.steps.size() < 2) return false;
  const double first = run.steps[0].at.step, second = run.steps[1].at.step;
  return first <= 2 * (second - first);
}

// The longest first stage of this model out of fresh weights, at this peak rate.
std::optional<Fitted> from_scratch(const std::vector<const runlog::Run*>& runs,
                                   const arch::ModelConfig& model, double peak) {
  std::optional<Fitted> longest;
  for (const runlog::Run* run : runs) {
    if (!starts_fresh(*run) || !(run->stages[0].model == model)) continue;
    auto found = fitted(*run, 0);
    if (!found || found->fit.peak_rate != peak) continue;
    if (!longest || found->fit.last_x > longest->fit.last_x) longest = std::move(found);
  }
  return longest;
}

// Follows the stages along their sizes' own curves, as far as these are known.
class Walk {
 public:
  Walk(const runlog::Run& staged, const std::vector<const runlog::Run*>& scratch)
      : staged_(staged), scratch_(scratch) {
    if (scratch.empty()) return;
    if (const auto first = fitted(staged, 0)) stand_ = {first->fit.last_x, {}};
  }
  // Into stage i, after all the stages before it.
  void learn(std::size_t i, LearnedGrowth& growth) {
    const Stand before = std::exchange(stand_, {});
    if (scratch_.empty()) return;
    const auto grown = fitted(staged_, i);
    if (!grown) return;
    const auto own = from_scratch(scratch_, staged_.stages[i].model, grown->fit.peak_rate);
    if (!own) return;
    growth.mixing_tokens = mixing_time(*grown, *own);
    const Stand begin = begin_of(*grown, *own);
    find_rho(before, begin, growth);
    if (i > 1 && before.at > 0) growth.tokens_before = before.at * grown->logged.tokens_per_step;
    stand_ = after(begin, grown->fit.last_x);
  }

 private:
  const runlog::Run& staged_;
  const std::vector<const runlog::Run*>& scratch_;
  Stand stand_;  // of the stage before, at its end
};

const runlog::Growth* growth_into(const runlog::Run& run, const std::string& stage) {
  for (const runlog::Growth& growth : run.growths)
    if (growth.stage == stage) return &growth;
  return nullptr;
}

std::string interval_words(double low, double high) {
  return std::isfinite(low) ? fmt::format(" (80%: {:.2f} to {:.2f})", low, high) : "";
}

}  // namespace

std::vector<Measurement> speeds_of(const RunPlan& plan, const runlog::Run& run) {
  std::vector<Measurement> speeds;
  for (const StagePlan& stage : plan.stages) {
    std::vector<double> each;
    const runlog::StepPoint* before = nullptr;
    for (const runlog::StepPoint& point : run.steps) {
      if (point.stage != stage.name) continue;
      const double tokens = before ? point.at.tokens - before->at.tokens : 0;
      if (tokens > 0) each.push_back((point.at.seconds - before->at.seconds) / tokens);
      before = &point;
    }
    if (each.size() + 1 < kFewestLines) continue;
    Measurement speed{.key = measurement_key(plan, stage), .peak_bytes = kUnknown};
    speed.key.device = device_name(run.device);
    speed.key.threads = run.device == "cpu" ? run.threads.value_or(0) : 0;
    speed.seconds_per_token = median(each);
    speed.steps = static_cast<double>(each.size());
    speed.time = time_now();
    speed.source = run.name;
    if (speed.seconds_per_token > 0) speeds.push_back(std::move(speed));
  }
  return speeds;
}

std::vector<LearnedGrowth> growths_of(const runlog::Run& staged,
                                      const std::vector<const runlog::Run*>& scratch) {
  std::vector<LearnedGrowth> learned;
  Walk walk(staged, scratch);
  for (std::size_t i = 1; i < staged.stages.size(); ++i) {
    const runlog::Growth* growth = growth_into(staged, staged.stages[i].name);
    if (!growth) continue;
    LearnedGrowth one{.run = staged.name,
                      .stage = growth->stage,
                      .time = time_now(),
                      .operators = growth->operators,
                      .from = staged.stages[i - 1].model,
                      .to = staged.stages[i].model,
                      .rho = kUnknown,
                      .rho_low = kUnknown,
                      .rho_high = kUnknown,
                      .tokens_before = growth->at.tokens,
                      .mixing_tokens = kUnknown,
                      .decay_drop = kUnknown};
    if (i + 1 == staged.stages.size() && staged.end && staged.end->decayed)
      if (const auto last = fitted(staged, i)) one.decay_drop = drop_of(*last);
    walk.learn(i, one);
    learned.push_back(std::move(one));
  }
  return learned;
}

std::vector<std::string> words_of(const std::vector<LearnedGrowth>& growths) {
  std::vector<std::string> words;
  for (const LearnedGrowth& g : growths) {
    const std::string name = fmt::format("growing into {}", g.stage);
    if (std::isfinite(g.rho))
      words.push_back(fmt::format("{}: rho {:.2f}{}: {} tokens of the smaller model counted as {}",
                                  name, g.rho, interval_words(g.rho_low, g.rho_high),
                                  short_count(g.tokens_before),
                                  short_count(g.tokens_before / g.rho)));
    if (std::isfinite(g.mixing_tokens))
      words.push_back(fmt::format("{}: it met the run from scratch after {} tokens", name,
                                  short_count(g.mixing_tokens)));
    if (std::isfinite(g.decay_drop))
      words.push_back(fmt::format("the decay gained {:.4f} nats", g.decay_drop));
  }
  return words;
}

}  // namespace stagedtrain::plan
