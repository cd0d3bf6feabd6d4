// Which element types do foreign model files use, and how are they converted to and from float?
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/printable.h"

namespace stagedtrain::hub {

// q8_0, q4_0 and q4_1 are ggml's block formats. other is any type whose size alone is known; only
// skipped tensors (integers, masks) have it.
enum class Element { f64, f32, f16, bf16, q8_0, q4_0, q4_1, other };

// Returns the name that --dtype uses, such as "f32", "bf16" or "q8_0".
const char* element_name(Element element);
// Return the numbers per block and the bytes per block; for types without blocks, 1 and the size of
// one element. Require element != other.
std::int64_t block_numbers(Element element);
std::int64_t block_bytes(Element element);

// Returns the bytes of this many numbers, or nothing if they do not fill whole blocks or the result
// overflows.
std::optional<std::uint64_t> encoded_bytes(Element element, std::uint64_t numbers);
// Returns the product of the sizes, or nothing if a size is negative or the product exceeds 2^62.
std::optional<std::uint64_t> product(std::span<const std::int64_t> shape);

// Decodes on all cores. Requires in.size() == encoded_bytes(element, out.size()).
void decode(Element element, std::span<const std::byte> in, std::span<float> out);
// Encodes on all cores. Requires f32, f16, bf16 or q8_0, whole blocks, and out of the right size.
// Rounds to nearest even, except q8_0, which gives exactly the bytes of ggml's reference quantiser.
void encode(Element element, std::span<const float> in, std::span<std::byte> out);

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);

// Returns, for instance, "[49152, 576]".
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace stagedtrain::hub
