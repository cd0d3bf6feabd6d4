// How are the fields of a protobuf message read and written without its schema
// (protobuf.dev/programming-guides/encoding)?
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// A field. Numbers, also fixed ones, have their bits in `number` and an empty text.
struct ProtoField {
  enum class WireType { varint = 0, fixed64 = 1, text = 2, fixed32 = 5 };
  std::uint64_t key = 0;  // the schema's number of the field
  WireType kind = WireType::varint;
  std::uint64_t number = 0;
  std::string_view text;  // the value of a string or nested message

  float real() const {
    const auto bits = static_cast<std::uint32_t>(number);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

// Calls use(field) for each field of a message, which may be any bytes at all. Returns false if the
// message is malformed, or as soon as use returns false.
bool each_proto_field(std::string_view message, const std::function<bool(const ProtoField&)>& use);

// Appends fields to a message.
class ProtoWriter {
 public:
  ProtoWriter& number(std::uint64_t key, std::uint64_t value);
  ProtoWriter& real(std::uint64_t key, float value);
  ProtoWriter& text(std::uint64_t key, std::string_view value);
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  void begin(std::uint64_t key, ProtoField::WireType kind);
  std::string bytes_;
};

}  // namespace stagedtrain::data
