// What does a SentencePiece model consist of? Formats that store it in another way need its parts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stagedtrain::data {

// The values are those of sentencepiece_model.proto, and of GGUF's token types.
enum class PieceType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct ModelPiece {
  std::string text;  // UTF-8, with U+2581 for a space
  float score = 0;   // pairs that make the piece of the highest score are merged first
  PieceType type = PieceType::normal;
  bool operator==(const ModelPiece&) const = default;
};

// The fields of a serialized model that decide how it encodes, with the library's defaults.
struct PieceModel {
  enum class Method { unigram = 1, bpe = 2, word = 3, character = 4 };
  Method method = Method::unigram;
  std::vector<ModelPiece> pieces;  // indexed by id
  bool byte_fallback = false;      // characters without a piece become those of their bytes
  bool space_prefix = true;        // a text is encoded as if it began with a space
  bool removes_spaces = true;      // at both ends of a text, and all but one of several
  bool escapes_spaces = true;      // spaces become U+2581
  bool spaces_as_suffix = false;   // a space belongs to the word before it
  bool maps_characters = false;    // has a character map, as for Unicode's normal forms
  // Texts of the pieces with a meaning; their ids are those of the pieces.
  std::string unknown = "<unk>", begin = "<s>", end = "</s>", pad = "<pad>";

  // Returns the id of the piece with this text and type, or -1.
  std::int32_t id_of(const std::string& text, PieceType type) const;
};

// Throws Error(input), which begins with `where`, if the bytes are no such message.
PieceModel parse_piece_model(const std::string& model, const std::string& where);
// Returns a model that the library encodes with as this one says. Requires !maps_characters.
std::string serialized(const PieceModel& model);

}  // namespace stagedtrain::data
