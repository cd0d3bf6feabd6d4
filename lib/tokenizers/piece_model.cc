// Reads and writes the fields of sentencepiece_model.proto that decide how a model encodes.
#include "tokenizers/piece_model.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizers/protobuf.h"

namespace stagedtrain::data {
namespace {

// Numbers of fields.
constexpr std::uint64_t kPieces = 1, kTrainer = 2, kNormalizer = 3;
namespace piece {
constexpr std::uint64_t kText = 1, kScore = 2, kType = 3;
}
namespace trainer {
constexpr std::uint64_t kMethod = 3, kSize = 4, kSuffix = 24, kByteFallback = 35, kUnknownId = 40,
                        kBeginId = 41, kEndId = 42, kPadId = 43, kUnknown = 45, kBegin = 46,
                        kEnd = 47, kPad = 48;
}
namespace normalizer {
constexpr std::uint64_t kName = 1, kCharsmap = 2, kPrefix = 3, kRemove = 4, kEscape = 5;
}

bool read_piece(std::string_view message, PieceModel& model) {
  ModelPiece& found = model.pieces.emplace_back();
  return each_proto_field(message, [&](const ProtoField& field) {
    if (field.key == piece::kText) found.text = field.text;
    if (field.key == piece::kScore) found.score = field.real();
    if (field.key == piece::kType) {
      if (field.number < 1 || field.number > 6) return false;
      found.type = static_cast<PieceType>(field.number);
    }
    return true;
  });
}

bool read_trainer(std::string_view message, PieceModel& model) {
  return each_proto_field(message, [&](const ProtoField& field) {
    switch (field.key) {
      case trainer::kMethod:
        if (field.number < 1 || field.number > 4) return false;
        model.method = static_cast<PieceModel::Method>(field.number);
        break;
      case trainer::kSuffix:
        model.spaces_as_suffix = field.number != 0;
        break;
      case trainer::kByteFallback:
        model.byte_fallback = field.number != 0;
        break;
      case trainer::kUnknown:
        model.unknown = field.text;
        break;
      case trainer::kBegin:
        model.begin = field.text;
        break;
      case trainer::kEnd:
        model.end = field.text;
        break;
      case trainer::kPad:
        model.pad = field.text;
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_normalizer(std::string_view message, PieceModel& model) {
  return each_proto_field(message, [&](const ProtoField& field) {
    if (field.key == normalizer::kCharsmap) model.maps_characters = !field.text.empty();
    if (field.key == normalizer::kPrefix) model.space_prefix = field.number != 0;
    if (field.key == normalizer::kRemove) model.removes_spaces = field.number != 0;
    if (field.key == normalizer::kEscape) model.escapes_spaces = field.number != 0;
    return true;
  });
}

std::uint64_t proto_int(std::int32_t value) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));  // -1 is sign-extended
}

}  // namespace

std::int32_t PieceModel::id_of(const std::string& text, PieceType type) const {
  const auto found = std::ranges::find_if(
      pieces, [&](const ModelPiece& one) { return one.type == type && one.text == text; });
  return found == pieces.end() ? -1 : static_cast<std::int32_t>(found - pieces.begin());
}

PieceModel parse_piece_model(const std::string& model, const std::string& where) {
  PieceModel found;
  const bool sound = each_proto_field(model, [&](const ProtoField& field) {
    return field.key == kPieces       ? read_piece(field.text, found)
           : field.key == kTrainer    ? read_trainer(field.text, found)
           : field.key == kNormalizer ? read_normalizer(field.text, found)
                                      : true;
  });
  if (!sound)
    throw input_error("{}: expected a SentencePiece model, found {} other bytes", where,
                      model.size());
  return found;
}

std::string serialized(const PieceModel& model) {
  ST_CHECK(!model.maps_characters, "a character map is not serialized");
  ProtoWriter out;
  for (const ModelPiece& one : model.pieces)
    out.text(kPieces, ProtoWriter()
                          .text(piece::kText, one.text)
                          .real(piece::kScore, one.score)
                          .number(piece::kType, static_cast<std::uint64_t>(one.type))
                          .bytes());
  out.text(
      kTrainer,
      ProtoWriter()
          .number(trainer::kMethod, static_cast<std::uint64_t>(model.method))
          .number(trainer::kSize, model.pieces.size())
          .number(trainer::kSuffix, model.spaces_as_suffix)
          .number(trainer::kByteFallback, model.byte_fallback)
          .number(trainer::kUnknownId, proto_int(model.id_of(model.unknown, PieceType::unknown)))
          .number(trainer::kBeginId, proto_int(model.id_of(model.begin, PieceType::control)))
          .number(trainer::kEndId, proto_int(model.id_of(model.end, PieceType::control)))
          .number(trainer::kPadId, proto_int(model.id_of(model.pad, PieceType::control)))
          .text(trainer::kUnknown, model.unknown)
          .text(trainer::kBegin, model.begin)
          .text(trainer::kEnd, model.end)
          .text(trainer::kPad, model.pad)
          .bytes());
  out.text(kNormalizer, ProtoWriter()
                            .text(normalizer::kName, "identity")
                            .number(normalizer::kPrefix, model.space_prefix)
                            .number(normalizer::kRemove, model.removes_spaces)
                            .number(normalizer::kEscape, model.escapes_spaces)
                            .bytes());
  return out.bytes();
}

}  // namespace stagedtrain::data
