// Parses JSON strictly, in one pass: a document is built from the events of nlohmann's parser, and
// given up at the first duplicate key or level too deep.
#include "text/strict_json.h"

#include <vector>

#include "text/printable.h"

namespace stagedtrain {
namespace {

// Receives the events of nlohmann's parser, which does not recurse. Returning false stops it.
class Builder final : public nlohmann::json_sax<SortedJson> {
 public:
  explicit Builder(int most_depth) : most_depth_(most_depth) {}
  const std::string& fault() const { return fault_; }
  SortedJson take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(std::size_t) override { return open(SortedJson::object()); }
  bool start_array(std::size_t) override { return open(SortedJson::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    const auto [member, is_new] = open_.back()->emplace(key, nullptr);
    member_ = &*member;
    if (!is_new) fault_ = "the key '" + printable(key) + "' appears twice, expected once";
    return is_new;
  }
  bool parse_error(std::size_t place, const std::string&,
                   const nlohmann::detail::exception&) override {
    fault_ = fmt::format("not valid JSON at byte {}", place);
    return false;
  }

 private:
  // Puts a value where it belongs: at the top, at the end of a list, or at the key that came last.
  SortedJson& put(SortedJson value) {
    if (open_.empty()) return root_ = std::move(value);
    if (!open_.back()->is_array()) return *member_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }
  bool add(SortedJson value) {
    put(std::move(value));
    return true;
  }
  bool open(SortedJson value) {
    if (static_cast<int>(open_.size()) == most_depth_) {
      fault_ = fmt::format("is nested deeper than {} levels", most_depth_);
      return false;
    }
    open_.push_back(&put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  int most_depth_;
  SortedJson root_;
  std::vector<SortedJson*> open_;  // objects and lists; only the last one changes, so none moves
  SortedJson* member_ = nullptr;   // the value of the key that came last
  std::string fault_;
};

}  // namespace

SortedJson parse_strict_json(std::string_view text, const std::string& where, int most_depth) {
  if (const std::size_t place = text.find('\0'); place != std::string_view::npos)
    throw input_error("{}: not valid JSON: a null character at byte {}", where, place);
  Builder builder(most_depth);
  if (!SortedJson::sax_parse(text.begin(), text.end(), &builder))
    throw input_error("{}: {}", where, builder.fault());
  return builder.take();
}

}  // namespace stagedtrain
