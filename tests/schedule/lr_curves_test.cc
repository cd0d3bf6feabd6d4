// Laws that hold for every curve of the table, over shapes of many lengths.
#include "schedule/lr_curves.h"

#include <algorithm>
#include <numbers>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using schedule::LrCurve;
using schedule::LrShape;

namespace {

// Every curve of the table with each of these lengths. triangle, which rises after the warm-up too,
// has a test of its own.
std::vector<LrShape> shapes() {
  std::vector<LrShape> all;
  for (const LrCurve& curve : schedule::lr_curves())
    if (curve.name != std::string("triangle"))
      for (double floor : {0.0, 0.1, 1.0})
        for (std::int64_t warmup : {0, 1, 100})
          for (std::int64_t decay : {0, 1, 200, 5000})
            all.push_back({curve.name, 3e-3, floor, warmup, decay, 1000});
  return all;
}

}  // namespace

TEST_CASE("a warm-up rises evenly and ends at the peak") {
  for (const LrShape& s : shapes()) {
    for (std::int64_t step = 0; step < s.warmup; ++step)
      CHECK(schedule::lr_at(s, step) ==
            Approx(s.peak * static_cast<double>(step + 1) / static_cast<double>(s.warmup)));
    CHECK(schedule::lr_at(s, s.warmup) == Approx(s.peak));
  }
}

TEST_CASE("after the warm-up a rate never rises, and stays between floor and peak") {
  for (const LrShape& s : shapes()) {
    double before = s.peak;
    bool falls = true;
    for (std::int64_t step = s.warmup; step < s.total + 100; ++step) {
      const double rate = schedule::lr_at(s, step);
      falls = falls && rate <= before + 1e-15 && rate >= s.peak * s.floor - 1e-15;
      before = rate;
    }
    INFO(s.curve << " floor " << s.floor << " warm-up " << s.warmup << " decay " << s.decay);
    CHECK(falls);
  }
}

TEST_CASE("a curve that decays ends one step above its floor, any other at its peak") {
  for (const LrShape& s : shapes()) {
    const double span = static_cast<double>(s.total - s.warmup), low = s.peak * s.floor;
    const double end = schedule::lr_at(s, s.total - 1);
    const double slope = s.curve == "wsd" ? std::min(span, static_cast<double>(s.decay)) : span;
    INFO(s.curve << " floor " << s.floor << " warm-up " << s.warmup << " decay " << s.decay);
    if (schedule::find_lr_curve(s.curve).decays && slope > 0) {
      CHECK(end >= low);
      CHECK(end - low <= (s.peak - low) / slope * (1 + 1e-9));
      CHECK(schedule::lr_at(s, s.total) == Approx(low).margin(1e-15));
    } else {
      CHECK(end == s.peak);
    }
  }
}

TEST_CASE("a rate has no jumps") {
  for (const LrShape& s : shapes()) {
    const double span = static_cast<double>(s.total - s.warmup);
    const double shortest =
        std::min({s.warmup ? static_cast<double>(s.warmup) : span,
                  s.decay ? static_cast<double>(s.decay) : span, span * 2 / std::numbers::pi});
    double largest = 0;
    for (std::int64_t step = 1; step < s.total; ++step)
      largest =
          std::max(largest, std::abs(schedule::lr_at(s, step) - schedule::lr_at(s, step - 1)));
    INFO(s.curve << " floor " << s.floor << " warm-up " << s.warmup << " decay " << s.decay);
    CHECK(largest <= s.peak / shortest * (1 + 1e-9));
  }
}

TEST_CASE("a run shorter than its warm-up is all warm-up") {
  for (const LrCurve& curve : schedule::lr_curves())
    CHECK(schedule::lr_at({curve.name, 1.0, 0, 100, 20, 50}, 49) == Approx(0.5));
}

TEST_CASE("wsd runs of two lengths share all but the decay of the shorter") {
  const LrShape shorter{"wsd", 1e-3, 0.1, 50, 200, 1000}, longer{"wsd", 1e-3, 0.1, 50, 400, 2000};
  bool same = true;
  for (std::int64_t step = 0; step <= 800; ++step)
    same = same && schedule::lr_at(shorter, step) == schedule::lr_at(longer, step);
  CHECK(same);
  CHECK(schedule::lr_at(shorter, 801) < schedule::lr_at(longer, 801));
}

TEST_CASE("triangle rises from a quarter of the peak for three quarters of the run, then falls") {
  const LrShape s{"triangle", 2.0, 0, 0, 0, 1000};
  CHECK(schedule::lr_at(s, 0) == Approx(0.5));
  CHECK(schedule::lr_at(s, 250) == Approx(1.0));
  CHECK(schedule::lr_at(s, 750) == Approx(2.0));
  CHECK(schedule::lr_at(s, 875) == Approx(1.0));
  CHECK(schedule::lr_at(s, 1000) == Approx(0).margin(1e-15));
}

TEST_CASE("a cosine is half-way down in the middle") {
  CHECK(schedule::lr_at({"cosine", 1.0, 0.2, 0, 0, 1000}, 500) == Approx(0.6));
  CHECK(schedule::lr_at({"linear", 1.0, 0.0, 0, 0, 1000}, 250) == Approx(0.75));
}

TEST_CASE("a re-warm-up rises evenly to 1 and stays there") {
  CHECK(schedule::rewarm_factor(0, 4) == 0.25);
  CHECK(schedule::rewarm_factor(3, 4) == 1.0);
  CHECK(schedule::rewarm_factor(1000, 4) == 1.0);
  CHECK(schedule::rewarm_factor(0, 0) == 1.0);
}

TEST_CASE("an unknown curve is refused with the nearest name") {
  const std::string said =
      test::refusal(ErrorKind::usage, [] { schedule::find_lr_curve("cosin"); });
  CHECK(test::contains(said, "did you mean 'cosine'?"));
}
