// Finite numbers are told from NaN and infinities, wherever in a tensor they are.
#include "state/finite.h"

#include <cstring>
#include <limits>

#include "support/catch.h"

using namespace stagedtrain;

namespace {

template <class T>
bool all_finite(const std::vector<T>& values) {
  return state::all_finite(std::as_bytes(std::span(values)), state::dtype_of<T>());
}

template <class T>
void check_type() {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> finite = {
      0, -T{0}, 1, -1, Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min()};
  CHECK(all_finite(finite));
  CHECK(all_finite(std::vector<T>{}));
  for (const T value : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                        -Limits::quiet_NaN(), Limits::signaling_NaN()})
    for (std::size_t place = 0; place < 37; ++place) {
      std::vector<T> values(37, T{1});
      values[place] = value;
      CHECK_FALSE(all_finite(values));
    }
}

template <class T>
void check_negative() {
  using Limits = std::numeric_limits<T>;
  const auto accepted = [](const std::vector<T>& values) {
    return state::all_finite_and_not_negative(std::as_bytes(std::span(values)),
                                              state::dtype_of<T>());
  };
  CHECK(accepted({0, -T{0}, 1, Limits::max(), Limits::denorm_min()}));
  for (const T value : {T{-1}, -Limits::denorm_min(), Limits::lowest(), Limits::infinity(),
                        -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN()})
    CHECK_FALSE(accepted({1, value, 2}));
}

}  // namespace

TEST_CASE("a second moment may be zero of either sign, and nothing below") {
  check_negative<float>();
  check_negative<double>();
}

TEST_CASE("a NaN or an infinity is found at every place, and no finite number is taken for one") {
  check_type<float>();
  check_type<double>();
}

TEST_CASE("elements may begin at any byte") {
  std::vector<std::byte> bytes(1 + 8 * sizeof(float), std::byte{0});
  const std::span<const std::byte> elements = std::span(bytes).subspan(1);
  CHECK(state::all_finite(elements, state::DType::f32));
  const float infinity = std::numeric_limits<float>::infinity();
  std::memcpy(bytes.data() + 1 + 7 * sizeof(float), &infinity, sizeof infinity);
  CHECK_FALSE(state::all_finite(elements, state::DType::f32));
}
