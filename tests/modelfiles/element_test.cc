// How numbers are packed: each conversion against the definition of its format.
#include "modelfiles/element.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"
#include "support/catch.h"

using namespace stagedtrain;
using hub::Element;

namespace {

float bits(std::uint32_t value) { return std::bit_cast<float>(value); }

// A half's value by its definition.
double half_value(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double size = exponent == 0    ? std::ldexp(mantissa, -24)
                      : exponent == 31 ? (mantissa ? NAN : HUGE_VAL)
                                       : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -size : size;
}

std::vector<float> decoded(Element element, const std::vector<std::byte>& bytes, std::size_t count) {
  std::vector<float> out(count);
  hub::decode(element, bytes, out);
  return out;
}

}  // namespace

TEST_CASE("every half is read as its definition says, and written back") {
  for (int i = 0; i < 1 << 16; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const double value = half_value(half);
    INFO("half " << i);
    if (std::isnan(value)) {
      CHECK(std::isnan(hub::half_to_float(half)));
    } else {
      REQUIRE(static_cast<double>(hub::half_to_float(half)) == value);
      REQUIRE(hub::float_to_half(static_cast<float>(value)) == half);
    }
  }
}

TEST_CASE("a float becomes the nearest half, and of two the even one") {
  const CounterRng rng(5, 1);
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const int exponent = static_cast<int>(rng.below(2 * i, 42)) - 26;  // subnormal halves too
    const auto value =
        static_cast<float>(std::ldexp(1 + rng.uniform(2 * i + 1), exponent) * (i % 2 ? 1 : -1));
    const std::uint16_t half = hub::float_to_half(value);
    const double off = std::fabs(half_value(half) - static_cast<double>(value));
    for (const int step : {-1, 1}) {
      const auto other = static_cast<std::uint16_t>(half + step);
      if ((other & 0x8000) != (half & 0x8000) || (other & 0x7fff) > 0x7c00) continue;
      const double other_off = std::fabs(half_value(other) - static_cast<double>(value));
      INFO(value);
      REQUIRE(off <= other_off);
      if (off == other_off) REQUIRE(half % 2 == 0);
    }
  }
  CHECK(hub::float_to_half(65519.99f) == 0x7bff);
  CHECK(hub::float_to_half(65520.0f) == 0x7c00);
  CHECK(hub::float_to_half(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(std::isnan(hub::half_to_float(hub::float_to_half(NAN))));
}

TEST_CASE("bf16 is rounded to the nearest even") {
  const std::vector<float> in = {bits(0x3f808000), bits(0x3f818000), bits(0x3f808001), -2.5f};
  std::vector<std::byte> out(8);
  hub::encode(Element::bf16, in, out);
  std::uint16_t halves[4];
  std::memcpy(halves, out.data(), 8);
  CHECK(halves[0] == 0x3f80);
  CHECK(halves[1] == 0x3f82);
  CHECK(halves[2] == 0x3f81);
  CHECK(decoded(Element::bf16, out, 4)[3] == -2.5f);
}

TEST_CASE("q4_0 and q4_1 have their low nibbles first") {
  std::vector<std::byte> block(18);
  const std::uint16_t two = hub::float_to_half(2), half = hub::float_to_half(.5);
  std::memcpy(block.data(), &two, 2);
  for (int i = 0; i < 16; ++i) block[2 + i] = static_cast<std::byte>(i | (15 - i) << 4);
  const std::vector<float> q4_0 = decoded(Element::q4_0, block, 32);
  block.insert(block.begin() + 2, 2, std::byte{0});
  std::memcpy(block.data() + 2, &half, 2);
  const std::vector<float> q4_1 = decoded(Element::q4_1, block, 32);
  for (int i = 0; i < 32; ++i) {
    const int q = i < 16 ? i : 31 - i;
    CHECK(q4_0[static_cast<std::size_t>(i)] == 2.0f * static_cast<float>(q - 8));
    CHECK(q4_1[static_cast<std::size_t>(i)] == 2.0f * static_cast<float>(q) + .5f);
  }
}

TEST_CASE("q8_0 is within half a step of each number, and exact on its own values") {
  const CounterRng rng(9, 2);
  std::vector<float> in(32 * 5000);
  for (std::size_t i = 0; i < in.size(); ++i)
    in[i] = i < 64 ? 0.0f : static_cast<float>(rng.normal(i) * std::exp(rng.normal(i / 32)));
  std::vector<std::byte> out(34 * 5000), again(34 * 5000);
  hub::encode(Element::q8_0, in, out);
  const std::vector<float> back = decoded(Element::q8_0, out, in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    float largest = 0;
    for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
      largest = std::max(largest, std::fabs(in[j]));
    REQUIRE(std::fabs(back[i] - in[i]) <= largest * (.5f / 127 + 1e-3f));
  }
}

TEST_CASE("q8_0 has the bytes of ggml's definition, for any floats at all") {
  const CounterRng rng(11, 3);
  std::vector<float> in(32 * 4000);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto word = static_cast<std::uint32_t>(rng.below(i, std::uint64_t{1} << 32));
    const std::size_t block = i / 32;
    if (block % 4 == 0) in[i] = bits(word);               // NaNs and infinities too
    if (block % 4 == 1) in[i] = bits(word & 0x807fffff);  // subnormal numbers
    if (block % 4 == 2)                                   // halves between two codes
      in[i] = std::ldexp(static_cast<float>(static_cast<int>(word % 255) - 127) / 2,
                         static_cast<int>(block % 40) - 20);
    if (block % 4 == 3) in[i] = static_cast<float>(rng.normal(i));
    if (i % 32 == 0 && block % 4 == 2) in[i] = std::ldexp(63.5f, static_cast<int>(block % 40) - 20);
  }
  std::vector<std::byte> out(34 * 4000);
  hub::encode(Element::q8_0, in, out);
  for (std::size_t block = 0; block < in.size() / 32; ++block) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      const float size = std::fabs(in[32 * block + i]);
      if (size > largest) largest = size;  // not for a NaN
    }
    const float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
    std::uint16_t half;
    std::memcpy(&half, out.data() + 34 * block, 2);
    REQUIRE(half == hub::float_to_half(d));
    for (std::size_t i = 0; i < 32; ++i) {
      const float q = std::round(in[32 * block + i] * inverse);
      const int wanted = std::fabs(q) <= 127 ? static_cast<int>(q) : 0;
      INFO("block " << block << ", number " << in[32 * block + i]);
      REQUIRE(static_cast<int>(static_cast<std::int8_t>(out[34 * block + 2 + i])) == wanted);
    }
  }
}

TEST_CASE("sizes that overflow or split a block are none") {
  const std::int64_t huge = std::int64_t{1} << 40;
  CHECK_FALSE(hub::product(std::vector<std::int64_t>{huge, huge}));
  CHECK_FALSE(hub::product(std::vector<std::int64_t>{2, -1}));
  CHECK(hub::product(std::vector<std::int64_t>{}) == 1u);
  CHECK(hub::product(std::vector<std::int64_t>{0, huge}) == 0u);
  CHECK_FALSE(hub::encoded_bytes(Element::q8_0, 33));
  CHECK(hub::encoded_bytes(Element::q4_1, 64) == 40u);
}
