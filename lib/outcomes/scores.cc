// Reads and writes the file of scores, and computes the factor by which they widen intervals.
#include "outcomes/scores.h"

#include <algorithm>
#include <cmath>

#include "cost/cache_list.h"
#include "statistics/fit_joint.h"
#include "text/json.h"

namespace stagedtrain::plan {

template <class V>
void members(V& v, ScoredNumber& n) {
  v("predicted", n.predicted), v("low", n.low), v("high", n.high), v("widened", n.widened);
  v("measured", n.measured), v("stderr", n.error);
}
template <class V>
void members(V& v, ScoredRun& r) {
  v("run", r.run), v("time", r.time), v("law", r.law), v("assumption", r.assumption);
  v("loss", r.loss), v("saving", r.saving), v("seconds", r.seconds);
}

namespace {

constexpr CacheFormat kScoresFormat = {
    "stagedtrain scores", 1, "runs",
    "remove the file; train and report --store-outcomes make it anew"};
constexpr std::size_t kMostRuns = 1000;
constexpr double kMostZ = 100, kMostLoss = 1000, kLeastSaving = -100, kMostSeconds = 1e10;

// Drops numbers outside the range: one impossible value would spoil every later interval.
void keep_likely(ScoredNumber& n, double least, double most) {
  const auto likely = [&](double value) { return value > least && value < most; };
  if (!likely(n.predicted) || !likely(n.measured)) n = {};
  const double bound = std::max(std::abs(least), most);
  if (!(n.low <= n.high && n.low > -bound && n.high < bound)) n.low = n.high = runlog::kUnknown;
  if (!(n.error >= 0)) n.error = runlog::kUnknown;
  if (!(n.widened >= 1 && n.widened <= kMostWidening)) n.widened = 1;
}

void keep_known(ScoredNumber& now, const ScoredNumber& before) {
  if (!now.known()) now = before;
}

double widening(const std::vector<ScoredRun>& runs, ScoredNumber ScoredRun::*number) {
  double squares = 0;
  std::size_t count = 0;
  for (const ScoredRun& run : runs) {
    const double z = std::clamp((run.*number).z(), -kMostZ, kMostZ);
    if (!std::isfinite(z)) continue;
    squares += z * z;
    ++count;
  }
  if (count < kFewestScores) return 1;
  return std::clamp(std::sqrt(squares / static_cast<double>(count)), 1.0, kMostWidening);
}

ScoredNumber scored(const runlog::PredictedNumber& predicted, double measured, double error) {
  return {predicted.value, predicted.low, predicted.high, predicted.widened, measured, error};
}

// The run's absolute folder, which is the same from any working directory.
std::string place_of(const runlog::Run& run) {
  std::error_code none;
  const Path folder = std::filesystem::weakly_canonical(run.folder, none);
  return none || run.folder.empty() ? run.name : folder.string();
}

}  // namespace

bool ScoredNumber::known() const { return std::isfinite(predicted) && std::isfinite(measured); }

double ScoredNumber::z() const {
  if (!ranged()) return runlog::kUnknown;
  const double deviation = (high - low) / widened / 2 / scaling::kNormal80;
  return (measured - predicted) / std::hypot(deviation, error >= 0 ? error : 0);
}

void Scores::put(ScoredRun run) {
  keep_likely(run.loss, 0, kMostLoss);
  keep_likely(run.saving, kLeastSaving, 1);
  keep_likely(run.seconds, 0, kMostSeconds);
  const auto old = std::ranges::find(all_, run.run, &ScoredRun::run);
  if (old != all_.end()) {
    keep_known(run.loss, old->loss);
    keep_known(run.saving, old->saving);
    keep_known(run.seconds, old->seconds);
    all_.erase(old);
  }
  if (!run.loss.known() && !run.saving.known() && !run.seconds.known()) return;
  all_.push_back(std::move(run));
  if (all_.size() > kMostRuns) all_.erase(all_.begin());
}

double Scores::loss_widening() const { return widening(all_, &ScoredRun::loss); }
double Scores::saving_widening() const { return widening(all_, &ScoredRun::saving); }

std::optional<ScoredRun> score_of(const runlog::Run& run,
                                  const std::optional<MeasuredSaving>& saving) {
  const runlog::Prediction& p = run.prediction;
  if (!run.end || (!p.made() && !std::isfinite(p.seconds.value))) return {};
  ScoredRun score{
      .run = place_of(run), .time = time_now(), .law = p.law, .assumption = p.assumption};
  // Only laws fitted to the user's own runs have intervals. Those runs were evaluated on the same
  // validation windows, so the scatter of windows, run.end->se, is not an error of the comparison.
  score.loss = scored(p.loss, run.end->loss, runlog::kUnknown);
  if (saving) score.saving = scored(p.saving, saving->value, saving->error);
  if (!run.moved) score.seconds = scored(p.seconds, run.end->at.seconds, runlog::kUnknown);
  return score;
}

Scores read_scores(const Path& path) {
  Scores scores;
  for (ScoredRun& run : read_list<ScoredRun>(path, kScoresFormat)) scores.put(std::move(run));
  return scores;
}

void add_scores(const Path& path, const std::vector<ScoredRun>& runs) {
  if (runs.empty() || path.empty()) return;
  Scores scores = read_scores(path);
  for (const ScoredRun& run : runs) scores.put(run);
  write_list(path, kScoresFormat, scores.all());
}

Json to_json(const Scores& scores) {
  Json json = {{"loss_widening", scores.loss_widening()},
               {"saving_widening", scores.saving_widening()},
               {"runs", Json::array()}};
  for (const ScoredRun& run : scores.all()) {
    Json one = MemberWriter::of(run);
    for (const auto& [key, number] :
         {std::pair{"loss", &run.loss}, {"saving", &run.saving}, {"seconds", &run.seconds}}) {
      one[key]["z"] = std::isfinite(number->z()) ? Json(number->z()) : Json(nullptr);
      one[key]["inside"] = number->ranged() ? Json(number->inside()) : Json(nullptr);
    }
    json["runs"].push_back(std::move(one));
  }
  return json;
}

}  // namespace stagedtrain::plan
