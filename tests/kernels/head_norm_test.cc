// Norms of queries and keys against fp64, and their gradients against differences in fp64.
#include "kernels/head_norm.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

constexpr std::int64_t kRows = 4, kHeads = 3, kKeys = 2, kDim = 6;
constexpr std::int64_t kQk = (kHeads + kKeys) * kDim, kStride = kQk + kKeys * kDim;
constexpr double kEps = 1e-3;

// The norm of one row in fp64. Its groups are heads, or all queries and all keys.
void normalise(const double* x, const Doubles& query_gain, const Doubles& key_gain, bool each,
               double* y) {
  const std::int64_t queries = kHeads * kDim;
  for (std::int64_t begin = 0; begin < kQk;) {
    const bool query = begin < queries;
    const std::int64_t all = query ? queries : kKeys * kDim, size = each ? kDim : all;
    double squares = 0;
    for (std::int64_t c = begin; c < begin + size; ++c) squares += x[c] * x[c];
    const double rstd = 1 / std::sqrt(squares / static_cast<double>(size) + kEps);
    for (std::int64_t c = 0; c < size; ++c)
      y[begin + c] = x[begin + c] * rstd * (query ? query_gain : key_gain)[c];
    begin += size;
  }
}

}  // namespace

TEST_CASE("queries and keys are normalised by heads or together, and values stay") {
  const bool each = GENERATE(true, false);
  const Floats qkv = random_floats(kRows * kStride, 1), dqkv = random_floats(kRows * kStride, 4);
  const Floats query_gain = random_floats(each ? kDim : kHeads * kDim, 2),
               key_gain = random_floats(each ? kDim : kKeys * kDim, 3);
  const auto output = [&](const Doubles& x, const Doubles& of_queries, const Doubles& of_keys) {
    Doubles y = x;
    for (std::int64_t r = 0; r < kRows; ++r)
      normalise(x.data() + r * kStride, of_queries, of_keys, each, y.data() + r * kStride);
    return y;
  };
  const Doubles x = in_double(qkv), queries = in_double(query_gain), keys = in_double(key_gain);
  const auto objective = [&](const Doubles& y) {
    double sum = 0;
    for (std::int64_t r = 0; r < kRows; ++r)
      for (std::int64_t c = 0; c < kQk; ++c) sum += y[r * kStride + c] * dqkv[r * kStride + c];
    return sum;
  };
  const auto differences = [&](const Doubles& values, const auto& outputs) {
    Doubles slopes(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      Doubles moved = values;
      moved[i] += 1e-5;
      const double above = objective(outputs(moved));
      moved[i] -= 2e-5;
      slopes[i] = (above - objective(outputs(moved))) / 2e-5;
    }
    return slopes;
  };
  Doubles dx = differences(x, [&](const Doubles& v) { return output(v, queries, keys); });
  for (std::int64_t r = 0; r < kRows; ++r)  // the gradients of values are not touched
    for (std::int64_t c = kQk; c < kStride; ++c) dx[r * kStride + c] = dqkv[r * kStride + c];
  const Doubles dqueries =
      differences(queries, [&](const Doubles& v) { return output(x, v, keys); });
  const Doubles dkeys = differences(keys, [&](const Doubles& v) { return output(x, queries, v); });
  on_every_target([&] {
    const kernels::HeadNorm norm{
        query_gain.data(), key_gain.data(), kHeads, kKeys, kDim, kStride, each, kEps};
    Floats y = qkv, raw(kRows * kQk), back = dqkv;
    kernels::head_norm(norm, 0, 1, y.data(), raw.data());
    kernels::head_norm(norm, 1, kRows, y.data(), raw.data());
    CHECK(error_of(y, output(x, queries, keys)) < 1e-6);
    Floats of_queries(query_gain.size()), of_keys(key_gain.size());
    kernels::head_norm_backward(norm, raw.data(), 0, kRows, back.data(), of_queries.data(),
                                of_keys.data());
    CHECK(error_of(back, dx) < 2e-6);
    CHECK(error_of(of_queries, dqueries) < 2e-6);
    CHECK(error_of(of_keys, dkeys) < 2e-6);
  });
}

}  // namespace stagedtrain::test
