// Converts tokenizer.ggml.tokens, scores and token_type to the pieces of a SentencePiece model and
// back.
#include "foreign/gguf_pieces.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "tokenizers/piece_model.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::hub {
namespace {

using data::ModelPiece;
using data::PieceModel;
using data::PieceType;

constexpr const char* kSpace = "\u2581";  // SentencePiece's space

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string pad_text(std::size_t id) { return fmt::format("[PAD{}]", id); }

// llama.cpp looks for user-defined tokens in the text before it replaces spaces.
std::string ggml_text(const ModelPiece& piece) {
  return piece.type == PieceType::user_defined ? replaced(piece.text, kSpace, " ") : piece.text;
}

std::vector<ModelPiece> read_pieces(const GgufKeys& keys) {
  const std::vector<std::string_view> tokens = keys.texts("tokenizer.ggml.tokens");
  const std::vector<double> scores = keys.numbers("tokenizer.ggml.scores");
  const std::vector<std::int64_t> types = keys.integers("tokenizer.ggml.token_type");
  if (scores.size() != tokens.size() || types.size() != tokens.size())
    throw input_error("{}: {} scores and {} token types for {} tokens", keys.where(), scores.size(),
                      types.size(), tokens.size());
  std::vector<ModelPiece> pieces;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] < 1 || types[id] > 6)
      throw input_error("{}: token {} has type {}, expected 1 to 6", keys.where(), id, types[id]);
    const auto type = static_cast<PieceType>(types[id]);
    std::string text(tokens[id]);
    if (type == PieceType::user_defined) text = replaced(text, " ", kSpace);
    pieces.push_back({std::move(text), static_cast<float>(scores[id]), type});
  }
  while (!pieces.empty() && pieces.back().type == PieceType::unused &&
         pieces.back().text == pad_text(pieces.size() - 1))
    pieces.pop_back();
  return pieces;
}

// Returns the piece with a meaning, or null. ggml has a default id for each.
ModelPiece* special_piece(const GgufKeys& keys, const char* name, std::int64_t otherwise,
                          std::vector<ModelPiece>& pieces) {
  const std::int64_t id = keys.count(fmt::format("tokenizer.ggml.{}_token_id", name), otherwise);
  return id < static_cast<std::int64_t>(pieces.size()) ? &pieces[static_cast<std::size_t>(id)]
                                                       : nullptr;
}

void read_specials(const GgufKeys& keys, PieceModel& model) {
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  ModelPiece* const unknown = special_piece(keys, "unknown", 0, model.pieces);
  if (unknown && std::ranges::count(model.pieces, PieceType::unknown, &ModelPiece::type) == 0)
    unknown->type = PieceType::unknown;
  if (unknown) model.unknown = unknown->text;
  if (const ModelPiece* begin = special_piece(keys, "bos", 1, model.pieces))
    model.begin = begin->text;
  if (const ModelPiece* end = special_piece(keys, "eos", 2, model.pieces)) model.end = end->text;
  if (const ModelPiece* pad = special_piece(keys, "padding", kNone, model.pieces))
    model.pad = pad->text;
}

// ---- Export.

void refuse_unsupported(const PieceModel& model) {
  const std::string what = "the checkpoint's tokenizer is a SentencePiece model ";
  if (model.method != PieceModel::Method::bpe)
    throw usage_error("{}of the kind {}, expected bpe: llama.cpp merges pairs by their scores",
                      what,
                      model.method == PieceModel::Method::unigram ? "unigram"
                      : model.method == PieceModel::Method::word  ? "word"
                                                                  : "char")
        .with_hint("--to hf writes it");
  if (std::ranges::count(model.pieces, PieceType::byte, &ModelPiece::type) != 256)
    throw usage_error(
        "{}without a piece for each byte, which llama.cpp needs for characters that "
        "are no piece",
        what)
        .with_hint("--to hf writes it; spm_train --byte_fallback makes such pieces");
  if (model.spaces_as_suffix || !model.escapes_spaces)
    throw usage_error(
        "{}that {}, which llama.cpp does not do", what,
        model.spaces_as_suffix ? "has spaces behind words" : "keeps spaces as they are")
        .with_hint("--to hf writes it");
}

void add_id(GgufHeader& header, const char* name, std::int32_t id) {
  if (id >= 0)
    header.add(fmt::format("tokenizer.ggml.{}_token_id", name), static_cast<std::uint32_t>(id));
}

}  // namespace

std::string read_gguf_pieces(const GgufKeys& keys) {
  PieceModel model;
  model.method = PieceModel::Method::bpe;
  model.pieces = read_pieces(keys);
  model.byte_fallback = std::ranges::count(model.pieces, PieceType::byte, &ModelPiece::type) > 0;
  model.space_prefix = keys.flag("tokenizer.ggml.add_space_prefix", true);
  model.removes_spaces = false;
  read_specials(keys, model);
  std::string spec = data::serialized(model);
  data::Tokenizer::from_spec(spec, keys.where());  // refuses what the library refuses
  return spec;
}

void add_gguf_pieces(GgufHeader& header, const std::string& spec, std::int64_t vocab,
                     std::vector<std::string>& notes) {
  const PieceModel model = data::parse_piece_model(spec, "the checkpoint's tokenizer");
  refuse_unsupported(model);
  const auto rows = static_cast<std::size_t>(vocab);
  if (model.pieces.size() > rows)
    throw usage_error("the checkpoint's tokenizer has {} pieces, its model {} rows",
                      model.pieces.size(), rows);
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (std::size_t id = 0; id < rows; ++id) {
    const ModelPiece piece = id < model.pieces.size()
                                 ? model.pieces[id]
                                 : ModelPiece{pad_text(id), -10000, PieceType::unused};
    tokens.push_back(ggml_text(piece));
    scores.push_back(piece.score);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  header.add("tokenizer.ggml.model", std::string_view("llama"));
  header.add("tokenizer.ggml.pre", std::string_view("default"));
  header.add("tokenizer.ggml.tokens", tokens);
  header.add("tokenizer.ggml.scores", scores);
  header.add("tokenizer.ggml.token_type", types);
  add_id(header, "unknown", model.id_of(model.unknown, PieceType::unknown));
  add_id(header, "bos", model.id_of(model.begin, PieceType::control));
  add_id(header, "eos", model.id_of(model.end, PieceType::control));
  add_id(header, "padding", model.id_of(model.pad, PieceType::control));
  header.add("tokenizer.ggml.add_bos_token", false);
  header.add("tokenizer.ggml.add_space_prefix", model.space_prefix);
  if (model.maps_characters || model.removes_spaces)
    notes.push_back(fmt::format(
        "The tokenizer {}, which llama.cpp does not do, so some texts have other ids there.",
        model.maps_characters ? "maps characters to a normal form" : "removes repeated spaces"));
}

}  // namespace stagedtrain::hub
