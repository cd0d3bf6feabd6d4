// Writes GGUF headers, version 3.
#include "base/error.h"
#include "modelfiles/gguf.h"

namespace stagedtrain::hub {
namespace {

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void append_text(std::string& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

constexpr std::uint32_t kI32 = 5, kU32 = 4, kF32 = 6, kBool = 7, kText = 8, kList = 9;

std::uint32_t tensor_type(Element element) {
  switch (element) {
    case Element::f32: return 0;
    case Element::f16: return 1;
    case Element::q8_0: return 8;
    case Element::bf16: return 30;
    default: break;
  }
  ST_CHECK(false, "GGUF export of {}", element_name(element));
}

}  // namespace

void GgufHeader::key(const std::string& key, std::uint32_t type) {
  append_text(keys_, key);
  append(keys_, type);
  ++count_;
}

void GgufHeader::add(const std::string& name, std::uint32_t value) {
  key(name, kU32);
  append(keys_, value);
}
void GgufHeader::add(const std::string& name, float value) {
  key(name, kF32);
  append(keys_, value);
}
void GgufHeader::add(const std::string& name, bool value) {
  key(name, kBool);
  append(keys_, static_cast<std::uint8_t>(value));
}
void GgufHeader::add(const std::string& name, std::string_view value) {
  key(name, kText);
  append_text(keys_, value);
}

void GgufHeader::add(const std::string& name, const std::vector<std::string>& values) {
  key(name, kList);
  append(keys_, kText);
  append(keys_, static_cast<std::uint64_t>(values.size()));
  for (const std::string& value : values) append_text(keys_, value);
}
void GgufHeader::add(const std::string& name, const std::vector<std::int32_t>& values) {
  key(name, kList);
  append(keys_, kI32);
  append(keys_, static_cast<std::uint64_t>(values.size()));
  for (const std::int32_t value : values) append(keys_, value);
}

void GgufHeader::add(const std::string& name, const std::vector<float>& values) {
  key(name, kList);
  append(keys_, kF32);
  append(keys_, static_cast<std::uint64_t>(values.size()));
  for (const float value : values) append(keys_, value);
}

std::string GgufHeader::bytes(const std::vector<TensorOutline>& tensors) const {
  std::string out = "GGUF";
  append(out, std::uint32_t{3});
  append(out, static_cast<std::uint64_t>(tensors.size()));
  append(out, count_);
  out += keys_;
  std::uint64_t offset = 0;
  for (const TensorOutline& tensor : tensors) {
    append_text(out, tensor.name);
    append(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      append(out, static_cast<std::uint64_t>(*size));
    append(out, tensor_type(tensor.element));
    append(out, offset);
    offset = gguf_padded(offset + tensor.bytes());
  }
  out.append(gguf_padded(out.size()) - out.size(), '\0');
  return out;
}

}  // namespace stagedtrain::hub
