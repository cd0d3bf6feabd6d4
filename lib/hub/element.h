// The element types of foreign model files: how numbers are packed, and how they are read as float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/printable.h"

namespace stagedtrain::hub {

// q8_0, q4_0 and q4_1 are ggml's block formats. other: a type that is known by its size only, of
// tensors that are skipped (integers, masks).
enum class Element { f64, f32, f16, bf16, q8_0, q4_0, q4_1, other };

// "f32", "bf16", "q8_0": as --dtype writes it.
const char* element_name(Element element);
// Numbers in a block and the bytes of a block; 1 and the element's size where there are no blocks.
// Requires element != other.
std::int64_t block_numbers(Element element);
std::int64_t block_bytes(Element element);

// Bytes of so many numbers; nothing where they are no whole blocks or the product overflows.
std::optional<std::uint64_t> encoded_bytes(Element element, std::uint64_t numbers);
// The product of the sizes, or nothing where it does not fit into 62 bits. Sizes are at least 0.
std::optional<std::uint64_t> product(std::span<const std::int64_t> shape);

// Requires whole blocks: in holds exactly encoded_bytes(element, out.size()). All cores.
void decode(Element element, std::span<const std::byte> in, std::span<float> out);
// Requires f32, f16, bf16 or q8_0, whole blocks, and out of the right size. Rounds to nearest even;
// q8_0 gives the very bytes of ggml's reference quantiser. All cores.
void encode(Element element, std::span<const float> in, std::span<std::byte> out);

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);

// "[49152, 576]"
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace stagedtrain::hub
