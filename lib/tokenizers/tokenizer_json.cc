// Parses and writes tokenizer.json.
#include "tokenizers/tokenizer_json.h"

#include <algorithm>
#include <map>

#include "text/printable.h"
#include "text/strict_json.h"
#include "tokenizers/byte_alphabet.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kMostHoles = 1 << 16;  // ids without a token
constexpr int kMostDepth = 12;

// Throws unless the member is absent, null or equal to this value.
void require(const SortedJson& json, const char* key, const SortedJson& value,
             const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null() || *found == value) return;
  throw input_error("{}: {} is {}, expected {}", where, key, printable(found->dump()),
                    value.dump());
}

std::string type_of(const SortedJson& json) {
  const bool typed = json.is_object() && json.contains("type") && json["type"].is_string();
  return typed ? json["type"].get<std::string>() : "";
}

// entries is the number of vocabulary entries. It bounds the id, because memory is allocated for
// all ids up to the largest.
std::int32_t id_of(const SortedJson& json, std::size_t entries, const std::string& where) {
  const std::size_t most = std::min(entries + kMostHoles, std::size_t{1} << 24);
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() >= most)
    throw input_error("{}: found the id {}, expected a whole number below {}", where,
                      printable(json.dump()), most);
  return json.get<std::int32_t>();
}

// ---- Pre-tokenizer.

[[noreturn]] void refuse_split(const SortedJson& json, const std::string& where) {
  throw input_error("{}: pre_tokenizer {} is not supported", where, printable(json.dump()))
      .with_hint("supported are ByteLevel and the patterns of GPT-2, Llama 3, Qwen 2 and SmolLM");
}

bool is_byte_level(const SortedJson& json, bool use_regex) {
  return type_of(json) == "ByteLevel" && !json.value("add_prefix_space", true) &&
         json.value("use_regex", true) == use_regex;
}

PreSplit split_of(const SortedJson& json, const std::string& where) try {
  if (is_byte_level(json, true)) return PreSplit::gpt2;
  if (is_byte_level(json, false)) return PreSplit::none;
  if (type_of(json) != "Sequence" || !json.contains("pretokenizers") ||
      !json["pretokenizers"].is_array() || json["pretokenizers"].size() != 2)
    refuse_split(json, where);
  const SortedJson &first = json["pretokenizers"][0], &second = json["pretokenizers"][1];
  if (type_of(first) == "Digits" && first.value("individual_digits", false) &&
      is_byte_level(second, true))
    return PreSplit::smollm;
  const bool split = type_of(first) == "Split" && first.value("behavior", "") == "Isolated" &&
                     !first.value("invert", false) && first.contains("pattern") &&
                     first["pattern"].is_object() && is_byte_level(second, false);
  if (!split) refuse_split(json, where);
  const auto found = find_split_pattern(first["pattern"].value("Regex", ""));
  if (!found) refuse_split(first["pattern"], where);
  return *found;
} catch (const nlohmann::json::exception&) {  // a member has another type
  refuse_split(json, where);
}

SortedJson byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

SortedJson split_json(PreSplit split) {
  if (split == PreSplit::gpt2 || split == PreSplit::none)
    return byte_level(split == PreSplit::gpt2);
  SortedJson first = {{"type", "Split"},
                      {"pattern", {{"Regex", split_pattern(split)}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  if (split == PreSplit::smollm) first = {{"type", "Digits"}, {"individual_digits", true}};
  return {{"type", "Sequence"},
          {"pretokenizers", {first, byte_level(split == PreSplit::smollm)}}};
}

// ---- Model.

std::pair<std::string, std::string> merge_of(const SortedJson& json, const std::string& where) {
  if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string())
    return {json[0].get<std::string>(), json[1].get<std::string>()};
  const std::string text = json.is_string() ? json.get<std::string>() : "";
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
    throw input_error("{}: found the merge {}, expected two tokens", where, printable(json.dump()));
  return {text.substr(0, space), text.substr(space + 1)};
}

void set_token(BpeDescription& found, std::int32_t id, const std::string& token,
               const std::string& where) {
  const auto place = static_cast<std::size_t>(id);
  if (found.tokens.size() <= place) found.tokens.resize(place + 1);
  if (!found.tokens[place].empty())
    throw input_error("{}: the id {} has two tokens", where, id);
  found.tokens[place] = token;
}

void read_model(const SortedJson& json, BpeDescription& found, const std::string& where) {
  if (!json.is_object() || !json.contains("vocab") || !json["vocab"].is_object() ||
      !json.contains("merges") || !json["merges"].is_array())
    throw input_error("{}: expected a BPE model with a vocab and merges", where);
  require(json, "type", "BPE", where);
  require(json, "continuing_subword_prefix", "", where);
  require(json, "end_of_word_suffix", "", where);
  require(json, "byte_fallback", false, where);
  require(json, "dropout", 0.0, where);
  found.ignore_merges = json.contains("ignore_merges") && json["ignore_merges"] == true;
  for (const auto& [token, id] : json["vocab"].items())
    set_token(found, id_of(id, json["vocab"].size(), where), token, where);
  for (const SortedJson& merge : json["merges"]) found.merges.push_back(merge_of(merge, where));
}

void read_added(const SortedJson& json, BpeDescription& found, const std::string& where) {
  if (json.is_null()) return;
  if (!json.is_array()) throw input_error("{}: expected a list", where);
  for (const SortedJson& entry : json) {
    if (!entry.is_object() || !entry.contains("id") || !entry.contains("content") ||
        !entry["content"].is_string() || entry["content"] == "")
      throw input_error("{}: expected entries with id and content", where);
    AddedToken token{id_of(entry["id"], found.tokens.size() + json.size(), where), entry["content"].get<std::string>(),
                     entry.contains("special") && entry["special"] == true};
    const std::string place = fmt::format("{}: '{}'", where, printable(token.content));
    for (const char* key : {"single_word", "lstrip", "rstrip"}) require(entry, key, false, place);
    if (static_cast<std::size_t>(token.id) < found.tokens.size())
      found.tokens[static_cast<std::size_t>(token.id)].clear();
    found.added.push_back(std::move(token));
  }
  std::ranges::sort(found.added, {}, &AddedToken::id);
  for (std::size_t i = 1; i < found.added.size(); ++i)
    if (found.added[i - 1].id == found.added[i].id)
      throw input_error("{}: the id {} appears twice", where, found.added[i].id);
}

// ---- Special token ids.

constexpr std::string_view kSpecialKey = R"({"stagedtrain_special_ids":[)";

}  // namespace

std::int64_t BpeDescription::vocab() const {
  const std::int64_t added_end = added.empty() ? 0 : std::int64_t{added.back().id} + 1;
  return std::max(static_cast<std::int64_t>(tokens.size()), added_end);
}

bool BpeDescription::spells_bytes() const {
  if (tokens.size() != 256 || !merges.empty() || !added.empty()) return false;
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (tokens[id] != character_of_byte(static_cast<unsigned char>(id))) return false;
  return true;
}

bool is_tokenizer_json(std::string_view spec) {
  const std::size_t first = spec.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && spec[first] == '{';
}

BpeDescription parse_tokenizer_json(std::string_view text, const std::string& where) {
  const SortedJson json = parse_strict_json(text, where, kMostDepth);
  if (!json.contains("model") || !json.contains("pre_tokenizer"))
    throw input_error("{}: has no model or no pre_tokenizer, expected a tokenizer.json", where);
  if (type_of(json["model"]) != "BPE" && type_of(json["model"]) != "")
    throw input_error("{}: model '{}' is not supported, expected BPE", where,
                      printable(type_of(json["model"])));
  require(json, "normalizer", nullptr, where);
  BpeDescription found;
  found.split = split_of(json["pre_tokenizer"], where);
  read_model(json["model"], found, where + ": model");
  if (json.contains("added_tokens"))
    read_added(json["added_tokens"], found, where + ": added_tokens");
  if (const auto ids = json.find("stagedtrain_special_ids");
      ids != json.end() && ids->is_array() && ids->size() == 3) {
    const auto id = [&](int i) {
      return (*ids)[i].is_number_unsigned()
                 ? id_of((*ids)[i], static_cast<std::size_t>(found.vocab()), where)
                 : -1;
    };
    found.begin = id(0);
    found.end = id(1);
    found.pad = id(2);
  }
  if (found.vocab() == 0) throw input_error("{}: has no tokens", where);
  return found;
}

std::string to_tokenizer_json(const BpeDescription& d) {
  Json added = Json::array();
  for (const AddedToken& token : d.added)
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", token.special}});
  SortedJson vocab = SortedJson::object();
  for (std::size_t id = 0; id < d.tokens.size(); ++id)
    if (!d.tokens[id].empty()) vocab[d.tokens[id]] = id;
  for (const AddedToken& token : d.added) vocab[token.content] = token.id;
  SortedJson merges = SortedJson::array();
  for (const auto& [left, right] : d.merges) merges.push_back({left, right});
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", d.ignore_merges}};
  // The large parts are sorted JSON, so they are inserted as text.
  std::string model_text = model.dump();
  model_text.back() = ',';
  model_text += "\"vocab\":" + vocab.dump() + ",\"merges\":" + merges.dump() + "}";
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" + added.dump() +
         R"(,"normalizer":null,"pre_tokenizer":)" + split_json(d.split).dump() +
         R"(,"post_processor":null,"decoder":)" + byte_level(true).dump() + ",\"model\":" +
         model_text + "}";
}

std::string with_special_ids(std::string_view text, std::int32_t begin, std::int32_t end,
                             std::int32_t pad) {
  const std::string plain = without_special_ids(text);
  const auto number = [](std::int32_t id) { return id < 0 ? "null" : std::to_string(id); };
  return fmt::format("{}{},{},{}],{}", kSpecialKey, number(begin), number(end), number(pad),
                     plain.substr(plain.find('{') + 1));
}

std::string without_special_ids(std::string_view text) {
  if (!text.starts_with(kSpecialKey)) return std::string(text);
  return "{" + std::string(text.substr(text.find(']') + 2));
}

}  // namespace stagedtrain::data
