// Routing: the sorted order, gathering and mixing, and the gradients of gates and routers against
// differences in fp64.
#include "kernels/experts.h"

#include <numeric>

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

using kernels::Routing;

// The memory of a routing of `rows` rows, with random logits.
struct Routed {
  std::int64_t rows, experts, each;
  Floats logits, gates;
  std::vector<std::int32_t> chosen, place, copy;
  std::vector<std::int64_t> first;
  Routing routing;

  Routed(std::int64_t r, std::int64_t e, std::int64_t k, bool normalised = true)
      : rows(r),
        experts(e),
        each(k),
        logits(random_floats(r * e, 4)),
        gates(static_cast<std::size_t>(r * k)),
        chosen(gates.size()),
        place(gates.size()),
        copy(gates.size()),
        first(static_cast<std::size_t>(e + 1)),
        routing{e,
                k,
                logits.data(),
                gates.data(),
                chosen.data(),
                place.data(),
                copy.data(),
                first.data(),
                normalised} {
    kernels::choose_experts(routing, 0, rows);
    kernels::sort_copies(routing, rows);
  }
  std::int64_t copies() const { return rows * each; }
};

// softmax over the logits of row r that `in` accepts, and 0 elsewhere
template <class In>
Doubles softmax_of(const Doubles& logits, std::int64_t r, std::int64_t experts, const In& in) {
  Doubles p(static_cast<std::size_t>(experts));
  double sum = 0;
  for (std::int64_t e = 0; e < experts; ++e)
    if (in(e))
      sum += p[static_cast<std::size_t>(e)] =
          std::exp(logits[static_cast<std::size_t>(r * experts + e)]);
  for (double& value : p) value /= sum;
  return p;
}

}  // namespace

TEST_CASE("copies are sorted by expert, and rows keep their order") {
  const Routed r(23, 5, GENERATE(1, 2, 5));
  CHECK(r.first.front() == 0);
  CHECK(r.first.back() == r.copies());
  for (std::int64_t e = 0; e < r.experts; ++e)
    for (std::int64_t m = r.first[e]; m < r.first[e + 1]; ++m) {
      CHECK(r.chosen[r.copy[m]] == e);
      CHECK(r.place[r.copy[m]] == m);
      if (m > r.first[e]) CHECK(r.copy[m - 1] < r.copy[m]);
    }
  for (std::int64_t row = 0; row < r.rows; ++row) {
    const float* gates = r.gates.data() + row * r.each;
    CHECK(std::accumulate(gates, gates + r.each, 0.0) == Approx(1).epsilon(1e-6));
    for (std::int64_t j = 1; j < r.each; ++j) CHECK(gates[j - 1] >= gates[j]);
  }
}

TEST_CASE("gates that are not normalised are the softmax over all experts") {
  const Routed r(5, 4, 2, false);
  for (std::int64_t row = 0; row < r.rows; ++row) {
    const Doubles p =
        softmax_of(in_double(r.logits), row, r.experts, [](std::int64_t) { return true; });
    for (std::int64_t j = 0; j < 2; ++j)
      CHECK(r.gates[row * 2 + j] == Approx(p[r.chosen[row * 2 + j]]).epsilon(1e-6));
  }
}

TEST_CASE("of equal logits the first experts are chosen, and NaN still chooses distinct ones") {
  Routed r(2, 4, 2);
  for (const float value : {0.5f, std::nanf("")}) {
    std::fill(r.logits.begin(), r.logits.end(), value);
    kernels::choose_experts(r.routing, 0, r.rows);
    CHECK(r.chosen == std::vector<std::int32_t>{0, 1, 0, 1});
  }
}

TEST_CASE("rows are gathered, mixed by their gates, and added back") {
  const Routed r(19, 4, 2);
  const std::int64_t width = GENERATE(1, 16, 45);
  const Floats x = random_floats(r.rows * width, 1), outputs = random_floats(r.copies() * width, 2);
  Doubles mixed(r.rows * width), added = in_double(x);
  for (std::int64_t c = 0; c < r.copies(); ++c)
    for (std::int64_t i = 0; i < width; ++i) {
      const double output = outputs[r.place[c] * width + i];
      mixed[c / 2 * width + i] += 0.5 * r.gates[c] * output;
      added[c / 2 * width + i] += output;
    }
  on_every_target([&] {
    Floats gathered(r.copies() * width), y(r.rows * width), sums = x;
    kernels::gather_rows(r.routing, x.data(), 0, r.copies(), width, gathered.data());
    for (std::int64_t m = 0; m < r.copies(); ++m)
      for (std::int64_t i = 0; i < width; ++i)
        REQUIRE(gathered[m * width + i] == x[r.copy[m] / 2 * width + i]);
    kernels::mix_rows(r.routing, outputs.data(), 0.5f, 0, r.rows, width, y.data());
    CHECK(error_of(y, mixed) < 1e-6);
    kernels::add_copies(r.routing, outputs.data(), 0, r.rows, width, sums.data());
    CHECK(error_of(sums, added) < 1e-6);
  });
}

TEST_CASE("the gradients of gates are dy (W hidden + b), and multiply what goes on") {
  const Routed r(7, 3, 2);
  const std::int64_t width = 5, ffn = 19, up = 38, m = r.copies();
  const Floats hidden = random_floats(m * ffn, 1), dhidden = random_floats(m * ffn, 2),
               bias = random_floats(width, 3), dy = random_floats(m * width, 4),
               dup = random_floats(m * up, 5);
  const float scale = 0.5f;
  Doubles dgates(m), gated_dy = in_double(dy), gated_dup = in_double(dup);
  for (std::int64_t i = 0; i < m; ++i) {
    const double gate = r.gates[r.copy[i]];
    for (std::int64_t c = 0; c < ffn; ++c)
      dgates[i] += static_cast<double>(hidden[i * ffn + c]) * dhidden[i * ffn + c];
    for (std::int64_t c = 0; c < width; ++c) {
      dgates[i] += static_cast<double>(scale) * dy[i * width + c] * bias[c];
      gated_dy[i * width + c] *= gate * scale;
    }
    for (std::int64_t c = 0; c < up; ++c) gated_dup[i * up + c] *= gate;
  }
  on_every_target([&] {
    Floats found(m), of_dy = dy, of_dup = dup;
    kernels::gate_backward(r.routing,
                           {width, ffn, up, hidden.data(), dhidden.data(), bias.data(), scale,
                            of_dy.data(), of_dup.data(), found.data()},
                           0, m);
    CHECK(error_of(found, dgates) < 1e-6);
    CHECK(error_of(of_dy, gated_dy) < 1e-6);
    CHECK(error_of(of_dup, gated_dup) < 1e-6);
  });
}

TEST_CASE("the gradients of the router's logits are those of gates and balance, by differences") {
  const Routed r(6, 5, GENERATE(1, 3), GENERATE(true, false));
  const Floats dgates = random_floats(r.copies(), 7), balance = random_floats(r.experts, 8);
  const bool balanced = GENERATE(true, false);
  const auto objective = [&](const Doubles& logits) {
    double sum = 0;
    for (std::int64_t row = 0; row < r.rows; ++row) {
      const auto begin = r.chosen.begin() + row * r.each, end = begin + r.each;
      const Doubles gates = softmax_of(logits, row, r.experts, [&](std::int64_t e) {
        return !r.routing.normalised || std::find(begin, end, e) != end;
      });
      const Doubles p = softmax_of(logits, row, r.experts, [](std::int64_t) { return true; });
      for (std::int64_t j = 0; j < r.each; ++j)
        sum += gates[begin[j]] * dgates[r.place[row * r.each + j]];
      for (std::int64_t e = 0; e < r.experts && balanced; ++e) sum += p[e] * balance[e];
    }
    return sum;
  };
  Doubles want(r.logits.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    Doubles logits = in_double(r.logits);
    logits[i] += 1e-5;
    const double above = objective(logits);
    logits[i] -= 2e-5;
    want[i] = (above - objective(logits)) / 2e-5;
  }
  Floats found(want.size());
  kernels::router_backward(r.routing, dgates.data(), balanced ? balance.data() : nullptr, 0, r.rows,
                           found.data());
  CHECK(error_of(found, want) < 2e-6);
}

}  // namespace stagedtrain::test
