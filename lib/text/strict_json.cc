// Parses JSON strictly: a first pass checks depth and duplicate keys, and only then a document is
// built.
#include "text/strict_json.h"

#include <unordered_set>
#include <vector>

#include "text/printable.h"

namespace stagedtrain {
namespace {

// Receives the events of nlohmann's parser, which does not recurse. Returning false stops it.
class Checker final : public nlohmann::json_sax<SortedJson> {
 public:
  explicit Checker(int most_depth) : most_depth_(most_depth) {}
  const std::string& fault() const { return fault_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    objects_.emplace_back();
    return deeper();
  }
  bool key(string_t& key) override {
    if (objects_.back().insert(key).second) return true;
    fault_ = "the key '" + printable(key) + "' appears twice, expected once";
    return false;
  }
  bool end_object() override {
    objects_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t place, const std::string&,
                   const nlohmann::detail::exception&) override {
    fault_ = fmt::format("not valid JSON at byte {}", place);
    return false;
  }

 private:
  bool deeper() {
    if (++depth_ <= most_depth_) return true;
    fault_ = fmt::format("is nested deeper than {} levels", most_depth_);
    return false;
  }

  int most_depth_, depth_ = 0;
  std::vector<std::unordered_set<std::string>> objects_;  // the keys of the open objects
  std::string fault_;
};

}  // namespace

SortedJson parse_strict_json(std::string_view text, const std::string& where, int most_depth) {
  if (const std::size_t place = text.find('\0'); place != std::string_view::npos)
    throw input_error("{}: not valid JSON: a null character at byte {}", where, place);
  Checker checker(most_depth);
  if (!SortedJson::sax_parse(text.begin(), text.end(), &checker))
    throw input_error("{}: {}", where, checker.fault());
  try {
    return SortedJson::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, printable(error.what()));
  }
}

}  // namespace stagedtrain
