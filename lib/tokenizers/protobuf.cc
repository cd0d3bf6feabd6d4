// Reads and writes the wire format of protobuf: a key with the kind of its value, then the value.
#include "tokenizers/protobuf.h"

#include <optional>

namespace stagedtrain::data {
namespace {

std::optional<std::uint64_t> take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return {};
}

std::optional<std::uint64_t> take_fixed(std::string_view& rest, std::size_t size) {
  if (rest.size() < size) return {};
  std::uint64_t value = 0;
  std::memcpy(&value, rest.data(), size);
  rest.remove_prefix(size);
  return value;
}

std::optional<std::string_view> take_text(std::string_view& rest) {
  const auto size = take_varint(rest);
  if (!size || *size > rest.size()) return {};
  const std::string_view text = rest.substr(0, *size);
  rest.remove_prefix(*size);
  return text;
}

std::optional<ProtoField> take_field(std::string_view& rest) {
  using WireType = ProtoField::WireType;
  const auto key = take_varint(rest);
  if (!key) return {};
  ProtoField field{*key >> 3, static_cast<WireType>(*key & 7), 0, {}};
  if (field.kind == WireType::text) {
    const auto text = take_text(rest);
    if (!text) return {};
    field.text = *text;
    return field;
  }
  const auto number = field.kind == WireType::varint    ? take_varint(rest)
                      : field.kind == WireType::fixed64 ? take_fixed(rest, 8)
                      : field.kind == WireType::fixed32 ? take_fixed(rest, 4)
                                                        : std::nullopt;
  if (!number) return {};
  field.number = *number;
  return field;
}

}  // namespace

bool each_proto_field(std::string_view message, const std::function<bool(const ProtoField&)>& use) {
  while (!message.empty()) {
    const auto field = take_field(message);
    if (!field || !use(*field)) return false;
  }
  return true;
}

void ProtoWriter::varint(std::uint64_t value) {
  for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value % 128 + 128);
  bytes_ += static_cast<char>(value);
}

void ProtoWriter::begin(std::uint64_t key, ProtoField::WireType kind) {
  varint(key << 3 | static_cast<std::uint64_t>(kind));
}

ProtoWriter& ProtoWriter::number(std::uint64_t key, std::uint64_t value) {
  begin(key, ProtoField::WireType::varint);
  varint(value);
  return *this;
}

ProtoWriter& ProtoWriter::real(std::uint64_t key, float value) {
  begin(key, ProtoField::WireType::fixed32);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  return *this;
}

ProtoWriter& ProtoWriter::text(std::uint64_t key, std::string_view value) {
  begin(key, ProtoField::WireType::text);
  varint(value.size());
  bytes_ += value;
  return *this;
}

}  // namespace stagedtrain::data
