// A small SentencePiece model made by hand, so that no test needs a trained one.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace stagedtrain::test {

// The few protobuf records that a model is made of (sentencepiece_model.proto names the fields).
class ProtoText {
 public:
  ProtoText& number(int field, std::uint64_t value) { return key(field, 0).varint(value); }
  ProtoText& text(int field, const std::string& value) {
    key(field, 2).varint(value.size());
    bytes += value;
    return *this;
  }
  ProtoText& real(int field, float value) {
    key(field, 5);
    char raw[4];
    std::memcpy(raw, &value, 4);
    bytes.append(raw, 4);
    return *this;
  }
  std::string bytes;

 private:
  ProtoText& key(int field, int kind) {
    return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<unsigned>(kind));
  }
  ProtoText& varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes += static_cast<char>(value % 128 + 128);
    bytes += static_cast<char>(value);
    return *this;
  }
};

// What a model is made of besides its words: the numbers are those of its protobuf.
struct SentencePieceKind {
  std::uint64_t method =
      1;              // 1: unigram, 2: bpe, which merges pairs that are words, the first first
  bool bytes = true;  // pieces for all bytes
  bool space_prefix = false;
  bool removes_spaces = false;
};

// A model of these words and all bytes: 3 + 256 + words.size() ids. With bytes, every UTF-8 text
// decodes to itself. A space in a word is written "\u2581" (U+2581), as SentencePiece does.
inline std::string sentencepiece_model(const std::vector<std::string>& words,
                                       const SentencePieceKind& made = {}) {
  enum Kind { normal = 1, unknown = 2, control = 3, byte = 6 };
  ProtoText model;
  const auto piece = [&](const std::string& text, Kind kind, float score) {
    model.text(1, ProtoText().text(1, text).real(2, score).number(3, kind).bytes);
  };
  piece("<unk>", unknown, 0);
  piece("<s>", control, 0);
  piece("</s>", control, 0);
  for (int b = 0; made.bytes && b < 256; ++b) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    piece(std::string("<0x") + kDigits[b / 16] + kDigits[b % 16] + ">", byte, 0);
  }
  for (std::size_t i = 0; i < words.size(); ++i)
    piece(words[i], normal, -1.0f - 0.01f * static_cast<float>(i));
  model.text(2, ProtoText().number(3, made.method).number(35, made.bytes).bytes);
  model.text(3, ProtoText()
                    .text(1, "identity")
                    .number(3, made.space_prefix)
                    .number(4, made.removes_spaces)
                    .number(5, 1)
                    .bytes);
  return model.bytes;
}

}  // namespace stagedtrain::test
