// How are documents read from JSON lines? One object per line, one of whose fields is the text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// Takes a file in pieces of any size and calls use(text) with the chosen field of each line. Blank
// lines are skipped. Documents with empty text are skipped and counted.
class JsonLines {
 public:
  using Use = std::function<void(std::string_view)>;
  JsonLines(std::string name, std::string field, Use use)
      : name_(std::move(name)), field_(std::move(field)), use_(std::move(use)) {}
  // Both throw Error(input), with a message that starts with name:line, if a line is not a JSON
  // object with that field or if the field is not a string.
  void feed(std::string_view piece);
  void finish();  // the last line may lack its newline
  std::int64_t without_text() const { return without_text_; }

 private:
  void take(std::string_view line);
  std::string name_, field_;
  Use use_;
  std::string begun_;  // the start of a line whose end has not been fed yet
  std::int64_t line_ = 0, without_text_ = 0;
};

}  // namespace stagedtrain::data
