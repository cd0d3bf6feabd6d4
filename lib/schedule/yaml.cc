// Parses YAML with yaml-cpp, builds a Tree of its events, and adds the limits that yaml-cpp lacks.
#include "schedule/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <optional>
#include <sstream>

#include "text/text.h"

namespace stagedtrain::schedule {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 20000;

// Returns how much an alias to this value adds to the number of values. Long texts count as
// several.
std::size_t count_values(const Tree& tree) {
  std::size_t count = 1 + tree.text.size() / 64;
  for (const Tree& item : tree.items) count += count_values(item);
  for (const TreeEntry& entry : tree.entries) count += 1 + count_values(entry.value);
  return count;
}

using Name = std::shared_ptr<const std::string>;  // the file's name, for messages

// Builds the Tree of a document from the events of yaml-cpp.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::shared_ptr<const std::string> file) : file_(std::move(file)) {}
  Tree take() { return std::move(root_); }
  // Returns where the last quoted text starts. Only that one can lack its closing quote.
  const YAML::Mark& last_quote() const { return last_quote_; }

  void OnDocumentStart(const YAML::Mark& at) override {
    if (documents_++ > 0)
      throw make(Tree::Kind::none, at).error("a second document starts here, expected one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& at, YAML::anchor_t anchor) override {
    put(make(Tree::Kind::none, at), anchor);
  }
  void OnScalar(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Tree tree = make(Tree::Kind::scalar, at);
    refuse_tag(tree, tag);
    tree.text = value;
    tree.quoted = tag == "!";
    if (tree.quoted) last_quote_ = at;
    if (tag == "?" && (value == "~" || value == "null")) tree = make(Tree::Kind::none, at);
    put(std::move(tree), anchor);
  }
  void OnAlias(const YAML::Mark& at, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end())
      throw make(Tree::Kind::none, at)
          .error("found an alias inside the value that it names, expected it only outside");
    values_ += count_values(known->second);
    put(known->second, 0);
  }
  void OnSequenceStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(Tree::Kind::list, at), tag, anchor);
  }
  void OnMapStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(Tree::Kind::map, at), tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  // A list or map whose end has not been reached, and the key whose value comes next.
  struct Open {
    Tree tree;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    Mark key_mark;
  };

  Tree make(Tree::Kind kind, const YAML::Mark& at) const {
    Tree tree;
    tree.kind = kind;
    tree.mark = {file_, at.line + 1, at.column + 1};
    return tree;
  }

  // yaml-cpp's own tags are "?" and, for quoted text, "!". Any other tag was written by the user.
  static void refuse_tag(const Tree& at, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw at.error("found a tag ({}), expected plain values", tag);
  }

  void open(Tree tree, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(tree, tag);
    if (stack_.size() >= kMaxDepth) throw tree.error("nested deeper than {} levels", kMaxDepth);
    stack_.push_back({std::move(tree), anchor, false, "", {}});
  }

  void close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    refuse_decimal_comma(done.tree);
    put(std::move(done.tree), done.anchor);
  }

  // Refuses numbers with a decimal comma: YAML reads {peak: 0,003} as two keys, of which 003 has no
  // value.
  static void refuse_decimal_comma(const Tree& map) {
    for (std::size_t i = 1; i < map.entries.size(); ++i) {
      const TreeEntry &before = map.entries[i - 1], &entry = map.entries[i];
      if (entry.value.kind != Tree::Kind::none || !parse_number("0." + entry.key) ||
          before.value.kind != Tree::Kind::scalar || !parse_number(before.value.text))
        continue;
      throw before.value.error(
          "{0}: found '{1},{2}'; expected a number such as {1}.{2} (decimal point, not comma)",
          before.key, before.value.text, entry.key);
    }
  }

  void put(Tree tree, YAML::anchor_t anchor) {
    if (++values_ > kMaxValues)
      throw tree.error("more than {} values (aliases count each time)", kMaxValues);
    if (anchor) anchors_[anchor] = tree;
    if (stack_.empty()) {
      root_ = std::move(tree);
    } else if (stack_.back().tree.kind == Tree::Kind::list) {
      stack_.back().tree.items.push_back(std::move(tree));
    } else if (!stack_.back().has_key) {
      take_key(tree);
    } else {
      Open& map = stack_.back();
      map.tree.entries.push_back({std::move(map.key), map.key_mark, std::move(tree)});
      map.has_key = false;
    }
  }

  void take_key(const Tree& tree) {
    Open& map = stack_.back();
    if (tree.kind != Tree::Kind::scalar)
      throw tree.error("found {} as a key, expected a word", tree.describe());
    for (const TreeEntry& entry : map.tree.entries)
      if (entry.key == tree.text)
        throw tree.error("key '{}' appears twice; the first is at line {}", tree.text,
                         entry.mark.line);
    map.has_key = true;
    map.key = tree.text;
    map.key_mark = tree.mark;
  }

  std::shared_ptr<const std::string> file_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Tree> anchors_;
  std::size_t values_ = 0;
  int documents_ = 0;
  YAML::Mark last_quote_ = YAML::Mark::null_mark();
  Tree root_;
};

// Returns whether the quoted text that starts at pos has a closing quote. Without one, yaml-cpp
// silently takes the rest of the file as text.
bool is_closed(std::string_view text, int pos) {
  const auto start = static_cast<std::size_t>(pos);
  if (pos < 0 || start >= text.size()) return true;
  const char quote = text[start];
  if (quote != '\'' && quote != '"') return true;  // in other encodings a position is not a byte
  for (std::size_t i = start + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return true;
    }
  }
  return false;
}

// Returns an error that points to the first tab in the indentation, or nothing if there is none. A
// tab looks like the spaces that YAML requires, and yaml-cpp's own message does not name it.
std::optional<Error> tab_in_indentation(std::string_view text, const Name& name) {
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    const std::size_t first = line.find_first_not_of(' ');
    if (first != std::string::npos && line[first] == '\t')
      return Error(ErrorKind::usage,
                   to_string(Mark{name, number, static_cast<int>(first) + 1}) +
                       "found a tab; expected spaces: YAML indents with spaces only");
  }
  return {};
}

}  // namespace

Tree parse_yaml(std::string_view text, const std::string& file) {
  const auto name = std::make_shared<const std::string>(file);
  const Tree whole{.mark = {name, 0, 0}};
  if (text.size() > kMaxBytes)
    throw whole.error("is {}, expected at most 1 MiB",
                      short_bytes(static_cast<double>(text.size())));
  if (text.find('\0') != std::string_view::npos)
    throw whole.error("is not text: byte {} is zero", text.find('\0'));
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(name);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::Exception& error) {
    if (const auto tab = tab_in_indentation(text, name)) throw *tab;
    throw Error(ErrorKind::usage,
                to_string(Mark{name, error.mark.line + 1, error.mark.column + 1}) +
                    "not YAML: " + error.msg,
                "write key: value with a space after the colon, and indent with spaces");
  }
  if (const YAML::Mark& at = builder.last_quote(); !is_closed(text, at.pos))
    throw Error(ErrorKind::usage, to_string(Mark{name, at.line + 1, at.column + 1}) +
                                      "not YAML: a quote that is never closed");
  Tree root = builder.take();
  if (!root.mark.file) root.mark = whole.mark;  // an empty document has no place
  return root;
}

}  // namespace stagedtrain::schedule
