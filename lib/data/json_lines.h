// JSON lines: one object a line, of which one field is the text of a document.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// Takes the file in pieces of any size and hands over the text of each line's field. Lines of spaces
// are skipped, and so are documents without text, which are counted.
class JsonLines {
 public:
  using Use = std::function<void(std::string_view)>;
  JsonLines(std::string name, std::string field, Use use)
      : name_(std::move(name)), field_(std::move(field)), use_(std::move(use)) {}
  // Both throw Error(input), beginning with name:line, for a line that is not an object in JSON with
  // that field, or whose field is not a string.
  void feed(std::string_view piece);
  void finish();  // the last line may lack its line end
  std::int64_t without_text() const { return without_text_; }

 private:
  void take(std::string_view line);
  std::string name_, field_;
  Use use_;
  std::string begun_;  // the start of a line whose end has not come yet
  std::int64_t line_ = 0, without_text_ = 0;
};

}  // namespace stagedtrain::data
