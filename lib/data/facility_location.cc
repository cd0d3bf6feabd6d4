// Computes cosines, then takes points from a queue of upper bounds.
#include "data/facility_location.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "base/error.h"

namespace stagedtrain::data {
namespace {

// A point and the most that it can raise f by. The best one is the largest.
struct Bound {
  double gain;
  std::int64_t point;
  bool operator<(const Bound& other) const {
    return gain < other.gain || (gain == other.gain && point > other.point);
  }
};

std::vector<double> unit_rows(std::span<const float> features, std::int64_t count,
                              std::int64_t width) {
  std::vector<double> rows(features.begin(), features.end());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span row = std::span(rows).subspan(static_cast<std::size_t>(i * width),
                                                  static_cast<std::size_t>(width));
    double square = 0;
    for (const double value : row) square += value * value;
    for (double& value : row) value = square > 0 ? value / std::sqrt(square) : 0;
  }
  return rows;
}

class Cosines {
 public:
  Cosines(std::span<const float> features, std::int64_t count, std::int64_t width)
      : count_(static_cast<std::size_t>(count)), values_(count_ * count_) {
    const std::vector<double> rows = unit_rows(features, count, width);
    const auto size = static_cast<std::size_t>(width);
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < size; ++k) sum += rows[i * size + k] * rows[j * size + k];
        values_[i * count_ + j] = values_[j * count_ + i] = static_cast<float>(std::max(0.0, sum));
      }
  }
  std::span<const float> of(std::int64_t point) const {
    return std::span(values_).subspan(static_cast<std::size_t>(point) * count_, count_);
  }

 private:
  std::size_t count_;
  std::vector<float> values_;
};

// covered: for each point its largest cosine with a taken one.
double gain_of(std::span<const float> cosines, const std::vector<float>& covered) {
  double sum = 0;
  for (std::size_t i = 0; i < cosines.size(); ++i)
    sum += std::max(0.0, static_cast<double>(cosines[i]) - static_cast<double>(covered[i]));
  return sum;
}

}  // namespace

Ranking rank_by_facility_location(std::span<const float> features, std::int64_t count,
                                  std::int64_t width) {
  ST_CHECK(std::ssize(features) == count * width, "{} features of {} x {}", features.size(), count,
           width);
  const Cosines cosines(features, count, width);
  std::vector<float> covered(static_cast<std::size_t>(count));
  std::priority_queue<Bound> bounds;
  for (std::int64_t i = 0; i < count; ++i) bounds.push({gain_of(cosines.of(i), covered), i});
  Ranking ranking;
  while (!bounds.empty()) {
    const std::int64_t point = bounds.top().point;
    bounds.pop();
    const Bound now{gain_of(cosines.of(point), covered), point};
    if (!bounds.empty() && now < bounds.top()) {
      bounds.push(now);
      continue;
    }
    ranking.order.push_back(point);
    ranking.gains.push_back(now.gain);
    const std::span<const float> row = cosines.of(point);
    for (std::size_t i = 0; i < row.size(); ++i) covered[i] = std::max(covered[i], row[i]);
  }
  return ranking;
}

}  // namespace stagedtrain::data
