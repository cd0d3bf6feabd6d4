// Measures speeds and outcomes of growths; outcomes_from_logs.h defines them. Losses are compared
// at equal steps of two runs on the same batches, whose noise therefore cancels (paired.h).
#include "outcomes/outcomes_from_logs.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "fit/fit_laws.h"
#include "outcomes/paired.h"
#include "statistics/bootstrap.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using runlog::kUnknown;
constexpr std::size_t kFewestLines = 4;
// A lag is found by halving, over kPlaces steps. A model may be ahead by kMostLead times its steps.
constexpr std::size_t kPlaces = 24;
constexpr int kHalvings = 50;
constexpr double kMostLead = 3;
// The last parts of the time at the peak rate, and of the run, that rho and the drop are read from.
constexpr double kWindow = 0.5, kLastShare = 0.05;
// Two estimates of a lag may differ by so many standard errors, plus this share of the tokens.
constexpr double kErrors = 3, kSlack = 0.1;
// A mixing time needs differences that are known to this share of the loss.
constexpr double kFinest = 2.5e-3;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::string step_text(double step) { return grouped(std::llround(step)); }

LoggedCurve logged_curve(const runlog::Run& run, std::size_t stage) {
  LoggedRuns logged;
  read_run(run, run.name, logged);
  return logged.curves.at(stage);
}

// A measured number with its 80% interval, or the reason why it is not known.
struct Found {
  double value = kUnknown, low = kUnknown, high = kUnknown;
  std::string why;
};

// A run of one size from scratch: its log, and the curve fitted to it.
struct Scratch {
  const runlog::Run* run = nullptr;
  LoggedCurve logged;
  FittedCurve fit;
  double lost() const { return fit.last_step - fit.last_x; }  // the steps that its warm-up lost
};

// The number of steps at the peak by which a model is behind one from scratch. The samples
// cover the error of the paired losses and the curve's bootstraps.
struct Lag {
  double steps = kUnknown;
  std::vector<double> samples;
};

// Returns the lag at which the curve has this mean difference over these x; NaN if there is none.
double lag_on(const scaling::StageCurve& law, const std::vector<double>& x, double difference) {
  const auto excess = [&](double lag) {
    double sum = 0;
    for (const double at : x) sum += law.loss(at - lag) - law.loss(at);
    return sum / static_cast<double>(x.size()) - difference;
  };
  double low = -kMostLead * x.back(), high = x.front() + std::min(0.0, law.x0);
  high -= 1e-6 * std::fabs(high);
  if (!(excess(low) < 0 && excess(high) > 0)) return kUnknown;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (excess(middle) < 0 ? low : high) = middle;
  }
  return low;
}

Lag lag_of(const PairedLosses& pairs, const PairedMean& mean, const Scratch& own) {
  std::vector<double> x;
  const std::size_t stride = std::max<std::size_t>(1, pairs.size() / kPlaces);
  for (std::size_t i = stride / 2; i < pairs.size(); i += stride)
    x.push_back(pairs.steps[i] - own.lost());
  Lag found{lag_on(own.fit.law, x, mean.difference), {}};
  const CounterRng rng(1, 0);
  for (std::size_t i = 0; i < own.fit.samples.size(); ++i)
    found.samples.push_back(
        lag_on(own.fit.samples[i], x, mean.difference + mean.error * rng.normal(i)));
  std::erase_if(found.samples, [](double steps) { return !std::isfinite(steps); });
  return found;
}

// The position of a stage on its size's curve from scratch, in steps at the peak. NaN: not known.
struct Stand {
  double at = kUnknown;
  std::vector<double> samples;
};

Stand moved(const Lag& lag, double x) {
  Stand stand{x - lag.steps, lag.samples};
  for (double& sample : stand.samples) sample = x - sample;
  return stand;
}

Found rho_of(const Stand& before, const Stand& begin) {
  if (!(before.at > 0)) return {.why = "the stage before has no known position on its curve"};
  if (!(begin.at > 0) || begin.samples.empty())
    return {.why = "after the growth the model was behind fresh weights of its size"};
  std::vector<double> rhos;
  for (std::size_t i = 0; i < begin.samples.size(); ++i) {
    const double from =
        before.samples.empty() ? before.at : before.samples[i % before.samples.size()];
    if (begin.samples[i] > 0 && from > 0) rhos.push_back(from / begin.samples[i]);
  }
  if (rhos.empty()) return {.why = "the losses are too noisy"};
  const scaling::Interval range = scaling::interval(std::move(rhos));
  const Found rho{before.at / begin.at, range.low, range.high, ""};
  if (!is_likely_rho(rho.value))
    return {.why = fmt::format("rho {:.2f} is not between {} and {}", rho.value, kLeastOutcomeRho,
                               kMostOutcomeRho)};
  return rho;
}

// Measures the lag again, from validation losses. Returns "" if they agree with training losses.
std::string disagreement(const runlog::Run& staged, const Scratch& own, const PairedMean& mean,
                         const Lag& lag, double from, double to, double tokens_before) {
  const PairedLosses pairs = paired_evaluations(staged, *own.run, from, to);
  if (pairs.size() < 2) return "";
  double difference = 0;
  for (const double each : pairs.difference) difference += each / static_cast<double>(pairs.size());
  const Lag other = lag_of(pairs, {0, difference, mean.error}, own);
  const scaling::Interval range = scaling::interval(lag.samples);
  const double allowed = kErrors * (range.high - range.low) / 2 + kSlack * tokens_before;
  if (std::fabs(other.steps - lag.steps) <= allowed) return "";
  return fmt::format(
      "training losses put the grown model {} steps behind the run from scratch, validation losses "
      "{}: they must agree",
      step_text(lag.steps), std::isfinite(other.steps) ? step_text(other.steps) : "endlessly many");
}

// Finds the first pair after which the mean difference is 0 within two standard errors.
Found mixing_of(const PairedLosses& pairs, double begin, const LoggedCurve& grown) {
  const auto rest = mean_of(pairs, pairs.size() / 2);
  if (!rest) return {.why = "too few steps are in both logs"};
  const double loss = grown.steps.back().loss;
  if (rest->error > kFinest * loss) return {.why = "the losses are too noisy"};
  if (rest->difference > 2 * rest->error)
    return {.why =
                fmt::format("not mixed within {} steps: {:.4f} nats (standard error {:.4f}) "
                            "above the run from scratch",
                            step_text(pairs.steps.back() - begin), rest->difference, rest->error)};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto mean = mean_of(pairs, i);
    if (!mean) break;
    if (mean->difference <= 2 * mean->error)
      return {(pairs.steps[i] - begin) * grown.tokens_per_step, 0, 0, ""};
  }
  return {.why = "the losses are too noisy"};
}

// Measures what the decay gained: its last losses against those of a run that was still at the peak
// rate at these steps, or else against the extrapolated curve before the decay.
Found drop_of(const LoggedCurve& last, const std::vector<Scratch>& others,
              const std::optional<FittedCurve>& own) {
  const scaling::CurvePoints peak = scaling::near_peak(last.steps, last.begin);
  const double end = last.steps.back().step, from = end - kLastShare * (end - last.begin);
  if (!(end > peak.last_step)) return {.why = "the rate did not decay"};
  for (const Scratch& other : others) {
    if (other.fit.last_step < end) continue;
    if (const auto mean = mean_of(paired_losses(other.logged, last, from, end)))
      return {mean->difference, mean->difference - 1.28 * mean->error,
              mean->difference + 1.28 * mean->error, ""};
  }
  if (!own) return {.why = "no curve could be fitted to the losses before the decay"};
  double sum = 0, count = 0;
  for (const scaling::LoggedStep& step : last.steps)
    if (step.step > from) sum += step.loss, ++count;
  const double x =
      own->last_x + (1 - kLastShare / 2) * (end - last.begin) - (own->last_step - last.begin);
  std::vector<double> drops;
  for (const scaling::StageCurve& sample : own->samples)
    drops.push_back(sample.loss(x) - sum / count);
  const scaling::Interval range = scaling::interval(std::move(drops));
  const Found drop{own->law.loss(x) - sum / count, range.low, range.high, ""};
  if (!(range.high - range.low < drop.value / 2))
    return {.why = fmt::format("the curve before the decay is too uncertain ({:.3f} to {:.3f} "
                               "nats)",
                               range.low, range.high)};
  return drop;
}

std::optional<FittedCurve> fitted(const LoggedCurve& curve, bool needs_floor, std::string& why) {
  try {
    return fit_logged_curve(curve, {.needs_floor = needs_floor});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    why = error.what();
    return {};
  }
}

bool starts_fresh(const runlog::Run& run) {
  if (run.stages.empty() || run.steps.size() < 2) return false;
  const double first = run.steps[0].at.step, second = run.steps[1].at.step;
  return first <= 2 * (second - first);
}

bool same_data(const runlog::Run& a, const runlog::Run& b) {
  return a.train_fingerprint == b.train_fingerprint && a.seed == b.seed;
}

// Returns the first stages of this model from fresh weights, with the same peak rate and batches,
// the longest first. Sets `why` to the reason for the last rejected run.
std::vector<Scratch> from_scratch(const runlog::Run& staged,
                                  const std::vector<const runlog::Run*>& runs,
                                  const arch::ModelConfig& model, const LoggedCurve& grown,
                                  std::string& why) {
  std::vector<Scratch> found;
  const double peak = scaling::near_peak(grown.steps, grown.begin).peak;
  why = "no run of this size from scratch was named";
  for (const runlog::Run* run : runs) {
    if (run->stages.empty() || !(run->stages[0].model == model)) continue;
    if (!starts_fresh(*run)) {
      why = run->name + " continues another run, whose log was not found";
    } else if (!same_data(*run, staged)) {
      why = run->name + " saw other data or another order of it";
    } else {
      LoggedCurve logged = logged_curve(*run, 0);
      std::string not_fitted;
      const auto fit = fitted(logged, false, not_fitted);
      if (!fit)
        why = not_fitted;
      else if (fit->peak_rate != peak)
        why = run->name + " has another peak learning rate";
      else if (std::fabs(logged.tokens_per_step / grown.tokens_per_step - 1) > 1e-6)
        why = run->name + " has other batches";
      else
        found.push_back({run, std::move(logged), *fit});
    }
  }
  std::ranges::stable_sort(found, std::greater<>(), [](const Scratch& s) { return s.fit.last_x; });
  return found;
}

// Follows the stages along the curves of their sizes from scratch, as far as these are known.
class Walk {
 public:
  Walk(const runlog::Run& staged, const std::vector<const runlog::Run*>& scratch)
      : staged_(staged), scratch_(scratch) {
    if (staged.steps.empty()) return;
    const scaling::CurvePoints points = scaling::near_peak(logged_curve(staged, 0).steps, 0);
    if (!points.points.empty()) stand_ = {points.last_x, {}};
  }

  // Measures the growth into stage i. Call it for the stages in order.
  void measure(std::size_t i, GrowthOutcome& growth) {
    const Stand before = std::exchange(stand_, {});
    const LoggedCurve grown = logged_curve(staged_, i);
    if (grown.steps.size() < kFewestLines) return growth.why.push_back("its log has too few steps");
    std::string why;
    const std::vector<Scratch> own =
        from_scratch(staged_, scratch_, staged_.stages[i].model, grown, why);
    measure_drop(i, grown, own, growth);
    if (own.empty()) return growth.why.push_back("rho and mixing time: " + why);
    measure_pairs(i, grown, own[0], before, growth);
  }

 private:
  void measure_drop(std::size_t i, const LoggedCurve& grown, const std::vector<Scratch>& own,
                    GrowthOutcome& growth) {
    if (i + 1 != staged_.stages.size() || !staged_.end || !staged_.end->decayed) return;
    std::string why;
    const Found drop = drop_of(grown, own, fitted(grown, true, why));
    if (drop.why.empty() && is_likely_drop(drop.value))
      growth.decay_drop = drop.value;
    else
      growth.why.push_back("decay: " + (drop.why.empty() ? "it gained nothing" : drop.why));
  }

  void measure_pairs(std::size_t i, const LoggedCurve& grown, const Scratch& own,
                     const Stand& before, GrowthOutcome& growth) {
    const scaling::CurvePoints peak = scaling::near_peak(grown.steps, grown.begin);
    const double end = std::min(peak.last_step, own.fit.last_step);
    const PairedLosses pairs = paired_losses(grown, own.logged, grown.begin + 1, end);
    const Found mixing = mixing_of(pairs, grown.begin, grown);
    if (mixing.why.empty())
      growth.mixing_tokens = mixing.value;
    else
      growth.why.push_back("mixing time: " + mixing.why);
    const double from = grown.begin + kWindow * (end - grown.begin);
    const PairedLosses late = paired_losses(grown, own.logged, from, end);
    const auto mean = mean_of(late);
    if (!mean)
      return growth.why.push_back(
          fmt::format("rho: {} steps at the peak rate are in both logs after the growth, expected "
                      "more; the run "
                      "from scratch is at its peak to step {}",
                      pairs.size(), step_text(own.fit.last_step)));
    const Lag lag = lag_of(late, *mean, own);
    const Stand begin = moved(lag, grown.begin - own.lost());
    Found rho = rho_of(before, begin);
    if (rho.why.empty()) rho.why = disagreement(staged_, own, *mean, lag, from, end, before.at);
    if (!rho.why.empty()) return growth.why.push_back("rho: " + rho.why);
    growth.rho = rho.value;
    growth.rho_low = rho.low;
    growth.rho_high = rho.high;
    if (i > 1) growth.tokens_before = before.at * grown.tokens_per_step;
    stand_ = moved(lag, peak.last_step - own.lost());
  }

  const runlog::Run& staged_;
  const std::vector<const runlog::Run*>& scratch_;
  Stand stand_;  // the position at the end of the stage before
};

const runlog::LoggedGrowth* growth_into(const runlog::Run& run, const std::string& stage) {
  for (const runlog::LoggedGrowth& growth : run.growths)
    if (growth.stage == stage) return &growth;
  return nullptr;
}

std::string interval_text(double low, double high) {
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
    if (each.size() + 1 < kFewestLines || !stage.is_whole()) continue;
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

std::vector<GrowthOutcome> growths_of(const runlog::Run& staged,
                                      const std::vector<const runlog::Run*>& scratch) {
  std::vector<GrowthOutcome> outcomes;
  Walk walk(staged, scratch);
  for (std::size_t i = 1; i < staged.stages.size(); ++i) {
    const runlog::LoggedGrowth* growth = growth_into(staged, staged.stages[i].name);
    if (!growth) continue;
    GrowthOutcome one{.run = staged.name,
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
    walk.measure(i, one);
    outcomes.push_back(std::move(one));
  }
  return outcomes;
}

std::vector<std::string> messages_of(const std::vector<GrowthOutcome>& growths) {
  std::vector<std::string> messages;
  for (const GrowthOutcome& g : growths) {
    const std::string name = fmt::format("growing into {}", g.stage);
    if (std::isfinite(g.rho))
      messages.push_back(
          fmt::format("{}: rho {:.2f}{}: {} tokens of the smaller model counted as {}", name, g.rho,
                      interval_text(g.rho_low, g.rho_high), short_count(g.tokens_before),
                      short_count(g.tokens_before / g.rho)));
    if (std::isfinite(g.mixing_tokens))
      messages.push_back(fmt::format("{}: it caught up with the run from scratch after {} tokens",
                                     name, short_count(g.mixing_tokens)));
    if (std::isfinite(g.decay_drop))
      messages.push_back(fmt::format("the decay gained {:.4f} nats", g.decay_drop));
    for (const std::string& why : g.why)
      messages.push_back(fmt::format("{}: not stored: {}", name, why));
  }
  return messages;
}

}  // namespace stagedtrain::plan
