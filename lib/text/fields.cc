// Reads scalar fields, with error messages, and formats ranges and defaults for the reference.
#include "text/fields.h"

#include <algorithm>

namespace stagedtrain {
namespace {

const std::string& scalar_text(const Tree& tree, const char* expected) {
  if (tree.kind != Tree::Kind::scalar)
    throw usage_error("found {}, expected {}", tree.describe(), expected);
  return tree.text;
}

std::string bounds(const FieldInfo& info) {
  const bool low = std::isfinite(info.min), high = std::isfinite(info.max);
  if (low && high && !info.above_min && !info.below_max)
    return fmt::format("from {} to {}", format_number(info.min), format_number(info.max));
  std::string text;
  if (low) text = (info.above_min ? "above " : "at least ") + format_number(info.min);
  if (low && high) text += ", ";
  if (high) text += (info.below_max ? "below " : "at most ") + format_number(info.max);
  return text;
}

// Completes messages about a value that would be accepted without its quotes.
const char* without_quotes(const Tree& tree) { return tree.quoted ? " without quotes" : ""; }

// Refuses 0,003 and 1,000,000: a comma is neither a decimal point nor accepted between thousands.
void refuse_comma(const Tree& tree, bool whole) {
  const std::size_t comma = tree.text.find(',');
  if (tree.quoted || comma == std::string::npos) return;
  std::string point = tree.text, plain = tree.text;
  point[comma] = '.';
  std::erase(plain, ',');
  if (!whole && tree.text.find(',', comma + 1) == std::string::npos && parse_number(point))
    throw usage_error("found {}; expected a number such as {} (decimal point, not comma)",
                      tree.describe(), point);
  if (parse_number(plain))
    throw usage_error("found {}; expected a {}number such as {} (without commas)", tree.describe(),
                      whole ? "whole " : "", plain);
}

void refuse_percent(const Tree& tree) {
  if (tree.quoted || !tree.text.ends_with('%')) return;
  const auto percent = parse_number(trim(tree.text.substr(0, tree.text.size() - 1)));
  if (percent)
    throw usage_error("found {}; expected a number such as {}", tree.describe(),
                      format_number(*percent / 100));
}

// Names that keys and values have in other programs, and their names here.
constexpr std::pair<const char*, const char*> kOtherNames[] = {
    {"bfloat16", "bf16"},         {"mixed", "bf16"},          {"fp16", "bf16"},
    {"float16", "bf16"},          {"half", "bf16"},           {"float32", "fp32"},
    {"float", "fp32"},            {"single", "fp32"},         {"float64", "fp64"},
    {"double", "fp64"},           {"cos", "cosine"},          {"trapezoidal", "wsd"},
    {"warmup_stable_decay", "wsd"}, {"gpt", "gpt2"},          {"gpt-2", "gpt2"},
    {"llama2", "llama"},          {"llama3", "llama"},        {"learning_rate", "lr"},
    {"batch_size", "batch"},      {"batch_size", "sequences"}, {"size", "sequences"},
    {"max_lr", "peak"},           {"max", "peak"},            {"value", "peak"},
    {"schedule", "curve"},        {"type", "curve"},          {"warmup_steps", "warmup"},
    {"min_lr", "floor"},          {"steps", "for"},           {"length", "for"},
    {"duration", "for"},          {"max_steps", "for"},       {"tokens", "for"},
    {"epochs", "for"},            {"n_layer", "layers"},      {"n_layers", "layers"},
    {"num_layers", "layers"},     {"num_hidden_layers", "layers"}, {"depth", "layers"},
    {"d_model", "width"},         {"n_embd", "width"},        {"hidden_size", "width"},
    {"dim", "width"},             {"n_head", "heads"},        {"n_heads", "heads"},
    {"num_heads", "heads"},       {"num_attention_heads", "heads"}, {"vocab_size", "vocab"},
    {"block_size", "context"},    {"seq_len", "context"},     {"sequence_length", "context"},
    {"context_length", "context"}, {"max_seq_len", "context"}, {"intermediate_size", "ffn"},
    {"grad_clip", "clip"},        {"max_grad_norm", "clip"},  {"wd", "weight_decay"},
    {"epsilon", "eps"},           {"val", "validation"},      {"valid", "validation"},
    {"test", "validation"},       {"eval", "evaluate"},       {"save", "checkpoint"},
    {"interval", "every"},        {"dtype", "precision"},     {"op", "operator"},
    {"resume", "from"},           {"init_from", "from"},      {"micro_batch_size", "micro"}};

// Suggests the name that another program's word has here, or the nearest word.
std::string meant_word(const std::string& word, const std::vector<std::string>& choices) {
  const std::string said = lower(word);
  for (const auto& [other, name] : kOtherNames)
    if (said == other && std::find(choices.begin(), choices.end(), name) != choices.end())
      return fmt::format("; did you mean '{}'?", name);
  return suggestion(word, choices);
}

void check_range(double value, const Tree& tree, const FieldInfo& info) {
  if (value < info.min || value > info.max || (info.above_min && value == info.min) ||
      (info.below_max && value == info.max))
    throw usage_error("found {}, expected {}", tree.describe(), bounds(info));
}

}  // namespace

bool read_bool(const Tree& tree) {
  const std::string& text = scalar_text(tree, "true or false");
  if (!tree.quoted && text == "true") return true;
  if (!tree.quoted && text == "false") return false;
  const std::string said = lower(text);
  for (const char* yes : {"yes", "on", "y", "1", "true"})
    if (said == yes) throw usage_error("found {}, expected true or false{}; write true",
                                       tree.describe(), without_quotes(tree));
  for (const char* no : {"no", "off", "n", "0", "false"})
    if (said == no) throw usage_error("found {}, expected true or false{}; write false",
                                      tree.describe(), without_quotes(tree));
  throw usage_error("found {}, expected true or false", tree.describe());
}

std::int64_t read_count(const Tree& tree, const FieldInfo& info) {
  const auto value = tree.quoted ? std::nullopt : parse_count(scalar_text(tree, "a whole number"));
  if (!value) {
    const auto number = tree.quoted ? std::nullopt : parse_number(tree.text);
    if (number && std::abs(*number) > 0x1p53)
      throw usage_error("found {}, expected a whole number of at most 2^53", tree.describe());
    if (tree.quoted && parse_count(tree.text))
      throw usage_error("found {}, expected a whole number{}", tree.describe(),
                        without_quotes(tree));
    refuse_comma(tree, true);
    throw usage_error("found {}, expected a whole number (such as 4096, 64K or 1e6)",
                      tree.describe());
  }
  check_range(static_cast<double>(*value), tree, info);
  return *value;
}

double read_number(const Tree& tree, const FieldInfo& info) {
  const auto value = tree.quoted ? std::nullopt : parse_number(scalar_text(tree, "a number"));
  if (!value && tree.quoted && parse_number(tree.text))
    throw usage_error("found {}, expected a number{}", tree.describe(), without_quotes(tree));
  if (!value) refuse_comma(tree, false);
  if (!value) refuse_percent(tree);
  if (!value) throw usage_error("found {}, expected a number", tree.describe());
  check_range(*value, tree, info);
  return *value;
}

std::string read_word(const Tree& tree, const std::vector<std::string>& choices) {
  const std::string& text = scalar_text(tree, "text");
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end())
    return text;
  throw usage_error("found '{}'{}", text, meant_word(text, choices));
}

Duration read_duration(const Tree& tree) { return parse_duration(scalar_text(tree, "a duration")); }

const Tree& expect_map(const Tree& tree, const std::string& where) {
  static const Tree empty = Tree::map();
  if (tree.kind == Tree::Kind::map) return tree;
  if (tree.kind == Tree::Kind::none) return empty;
  throw tree.error("{}: found {}, expected keys and values", where.empty() ? "document" : where,
                   tree.describe());
}

void refuse_unknown_keys(const Tree& tree, const std::vector<std::string>& known,
                         const std::string& where) {
  for (const TreeEntry& entry : tree.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string path = where.empty() ? entry.key : where + "." + entry.key;
    throw Error(ErrorKind::usage,
                to_string(entry.mark) +
                    fmt::format("unknown key '{}'{}", path, meant_word(entry.key, known)));
  }
}

void FieldReader::finish(const std::vector<std::string>& also_known) const {
  std::vector<std::string> known = known_;
  known.insert(known.end(), also_known.begin(), also_known.end());
  refuse_unknown_keys(tree_, known, path_);
  if (!missing_.empty())
    throw tree_.error("{}key '{}' is missing", path_.empty() ? "" : path_ + ": ", missing_.front());
}

std::string FieldDocumenter::default_text(const Tree& tree) {
  std::string text = to_yaml(tree);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return tree.kind == Tree::Kind::none || text == "\"\"" ? "none" : text;
}

std::string FieldDocumenter::range_text(const FieldInfo& info) {
  const std::string text = bounds(info);
  return text.empty() ? "" : ", " + text;
}

}  // namespace stagedtrain
