// Encodes and decodes numbers of foreign element types.
//
// The block formats are ggml's (ggml-quants.c): 32 numbers share a scale d, stored as a half. q8_0
// is d * q with signed bytes q; q4_0 is d * (q - 8) and q4_1 is d * q + m with 4-bit q. The low
// nibbles hold the first 16 numbers, the high nibbles the last 16.
#include "modelfiles/element.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/parallel.h"

namespace stagedtrain::hub {
namespace {

constexpr std::int64_t kBlock = 32;       // numbers per block
// Numbers that one thread claims at a time. Encoding a thousand takes less than a microsecond, so
// fewer would not be worth a thread's start and, on a busy machine, the wait for its end.
constexpr std::int64_t kDecoded = 1 << 16, kEncoded = 1 << 20;

struct Info {
  const char* name;
  std::int64_t numbers, bytes;
};
const Info& info(Element element) {
  static constexpr Info kTable[] = {{"f64", 1, 8},       {"f32", 1, 4},       {"f16", 1, 2},
                                    {"bf16", 1, 2},      {"q8_0", kBlock, 34}, {"q4_0", kBlock, 18},
                                    {"q4_1", kBlock, 20}, {"other", 1, 1}};
  return kTable[static_cast<int>(element)];
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

float bfloat_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
std::uint16_t float_to_bfloat(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) bits = (bits & 0xffff0000) | 0x400000;  // a quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// ---- Single blocks.

void decode_q8(const std::byte* in, float* out) {
  const float d = half_to_float(load<std::uint16_t>(in));
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(load<std::int8_t>(in + 2 + i));
}
void decode_q4(const std::byte* nibbles, float d, float shift, float m, float* out) {
  for (int i = 0; i < kBlock / 2; ++i) {
    const int byte = std::to_integer<int>(nibbles[i]);
    out[i] = d * (static_cast<float>(byte & 15) - shift) + m;
    out[i + kBlock / 2] = d * (static_cast<float>(byte >> 4) - shift) + m;
  }
}

// Encodes whole blocks. Rounds halves away from zero, as ggml does. Non-finite numbers have no code
// and become 0. The loops compare and select bits as integers, because compilers vectorize no
// comparison of floats that might trap.
[[gnu::always_inline]] inline void encode_q8(const float* in, std::byte* out, std::int64_t count) {
  constexpr std::uint32_t kSign = 0x80000000;
  constexpr std::int32_t kInfinity = 0x7f800000;
  constexpr auto kTooLarge = std::bit_cast<std::uint32_t>(127.5f);
  // Added to a number before it is truncated, rounds halves away from zero, as +-0.5 would, except
  // that the largest float below 0.5 stays below 1.
  constexpr auto kAlmostHalf = std::bit_cast<std::uint32_t>(0.5f) - 1;
  for (; count > 0; count -= kBlock, in += kBlock, out += 34) {
    std::int32_t largest = 0;
    for (int i = 0; i < kBlock; ++i) {
      const std::int32_t size =
          std::bit_cast<std::int32_t>(in[i]) & ~std::bit_cast<std::int32_t>(kSign);
      largest = std::max(largest, size > kInfinity ? 0 : size);  // without NaNs
    }
    const float d = std::bit_cast<float>(largest) / 127;
    const float inverse = d == 0 ? 0 : 1 / d;
    store(out, float_to_half(d));
    std::int8_t codes[kBlock];
    for (int i = 0; i < kBlock; ++i) {
      const auto scaled = std::bit_cast<std::uint32_t>(in[i] * inverse);
      const std::uint32_t kept = (scaled & ~kSign) < kTooLarge ? scaled : 0;
      const auto half = std::bit_cast<float>((scaled & kSign) | kAlmostHalf);
      codes[i] =
          static_cast<std::int8_t>(static_cast<std::int32_t>(std::bit_cast<float>(kept) + half));
    }
    std::memcpy(out + 2, codes, sizeof codes);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void encode_q8_avx2(const float* in, std::byte* out,
                                                    std::int64_t count) {
  encode_q8(in, out, count);
}
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) void encode_q8_avx512(
    const float* in, std::byte* out, std::int64_t count) {
  encode_q8(in, out, count);
}
#endif

void encode_q8_blocks(const float* in, std::byte* out, std::int64_t count) {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const bool fast = __builtin_cpu_supports("avx2");
  if (wide) return encode_q8_avx512(in, out, count);
  if (fast) return encode_q8_avx2(in, out, count);
#endif
  encode_q8(in, out, count);
}

// ---- Ranges of whole blocks.

void decode_some(Element element, const std::byte* in, float* out, std::int64_t count) {
  switch (element) {
    case Element::f64:
      for (std::int64_t i = 0; i < count; ++i)
        out[i] = static_cast<float>(load<double>(in + 8 * i));
      return;
    case Element::f32:
      std::memcpy(out, in, static_cast<std::size_t>(count) * 4);
      return;
    case Element::f16:
      for (std::int64_t i = 0; i < count; ++i)
        out[i] = half_to_float(load<std::uint16_t>(in + 2 * i));
      return;
    case Element::bf16:
      for (std::int64_t i = 0; i < count; ++i)
        out[i] = bfloat_to_float(load<std::uint16_t>(in + 2 * i));
      return;
    case Element::q8_0:
      for (std::int64_t i = 0; i < count; i += kBlock, in += 34) decode_q8(in, out + i);
      return;
    case Element::q4_0:
      for (std::int64_t i = 0; i < count; i += kBlock, in += 18)
        decode_q4(in + 2, half_to_float(load<std::uint16_t>(in)), 8, 0, out + i);
      return;
    case Element::q4_1:
      for (std::int64_t i = 0; i < count; i += kBlock, in += 20)
        decode_q4(in + 4, half_to_float(load<std::uint16_t>(in)), 0,
                  half_to_float(load<std::uint16_t>(in + 2)), out + i);
      return;
    case Element::other:
      break;
  }
  ST_CHECK(false, "decoding an unknown type");
}

void encode_some(Element element, const float* in, std::byte* out, std::int64_t count) {
  switch (element) {
    case Element::f32:
      std::memcpy(out, in, static_cast<std::size_t>(count) * 4);
      return;
    case Element::f16:
      for (std::int64_t i = 0; i < count; ++i) store(out + 2 * i, float_to_half(in[i]));
      return;
    case Element::bf16:
      for (std::int64_t i = 0; i < count; ++i) store(out + 2 * i, float_to_bfloat(in[i]));
      return;
    case Element::q8_0:
      encode_q8_blocks(in, out, count);
      return;
    default:
      break;
  }
  ST_CHECK(false, "no encoder for {}", element_name(element));
}

}  // namespace

const char* element_name(Element element) { return info(element).name; }
std::int64_t block_numbers(Element element) { return info(element).numbers; }
std::int64_t block_bytes(Element element) { return info(element).bytes; }

std::optional<std::uint64_t> encoded_bytes(Element element, std::uint64_t numbers) {
  const auto per_block = static_cast<std::uint64_t>(block_numbers(element));
  const auto bytes = static_cast<std::uint64_t>(block_bytes(element));
  if (numbers % per_block != 0 || numbers / per_block > (std::uint64_t{1} << 62) / bytes) return {};
  return numbers / per_block * bytes;
}

std::optional<std::uint64_t> product(std::span<const std::int64_t> shape) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) return {};
    if (size > 0 && count > kMost / static_cast<std::uint64_t>(size)) return {};
    count *= static_cast<std::uint64_t>(size);
  }
  return count;
}

void decode(Element element, std::span<const std::byte> in, std::span<float> out) {
  ST_CHECK(encoded_bytes(element, out.size()) == in.size(), "{} bytes for {} numbers of {}",
           in.size(), out.size(), element_name(element));
  in_parallel(static_cast<std::int64_t>(out.size()), kDecoded,
              [&](std::int64_t begin, std::int64_t end) {
                const std::int64_t first = begin / block_numbers(element) * block_bytes(element);
                decode_some(element, in.data() + first, out.data() + begin, end - begin);
              });
}

void encode(Element element, std::span<const float> in, std::span<std::byte> out) {
  ST_CHECK(encoded_bytes(element, in.size()) == out.size(), "{} bytes for {} numbers of {}",
           out.size(), in.size(), element_name(element));
  in_parallel(static_cast<std::int64_t>(in.size()), kEncoded,
              [&](std::int64_t begin, std::int64_t end) {
                const std::int64_t first = begin / block_numbers(element) * block_bytes(element);
                encode_some(element, in.data() + begin, out.data() + first, end - begin);
              });
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = (half >> 10) & 31, mantissa = half & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: multiples of 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

std::uint16_t float_to_half(float value) {
  const auto all = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((all >> 16) & 0x8000);
  std::uint32_t bits = all & 0x7fffffff;
  if (bits > 0x7f800000)  // NaN
    return static_cast<std::uint16_t>(sign | 0x7e00 | ((bits >> 13) & 0x3ff));
  if (bits >= 0x477ff000) return sign | 0x7c00;  // 65520 and above round to infinity
  if (bits < 0x38800000)                         // below 2^-14: a multiple of 2^-24
    return static_cast<std::uint16_t>(sign | std::lrint(std::fabs(value) * 0x1p24f));
  bits += 0xfff + ((bits >> 13) & 1);
  return static_cast<std::uint16_t>(sign | (bits - 0x38000000) >> 13);
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

}  // namespace stagedtrain::hub
