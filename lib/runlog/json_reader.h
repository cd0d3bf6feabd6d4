// Typed reading of one JSON object from a log: what is missing is unknown, what has the wrong type
// is refused with its place.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arch/model_config.h"
#include "base/json.h"

namespace stagedtrain::runlog {

class JsonReader {
 public:
  // Throws Error(input) unless json is an object. json outlives the reader.
  JsonReader(const Json& json, std::string where);

  bool has(const char* key) const;  // there and not null
  // NaN when missing or null (a NaN is written as null). Throws Error(input) if it is not a number.
  double number(const char* key) const;
  std::optional<double> maybe(const char* key) const;
  std::string text(const char* key) const;   // "" when missing
  bool flag(const char* key) const;          // false when missing
  JsonReader object(const char* key) const;  // empty when missing
  std::vector<JsonReader> list(const char* key) const;
  // All keys with their values, in the log's order.
  std::vector<std::pair<std::string, Json>> members() const;
  // A model's fields; those that are missing keep their defaults.
  arch::ModelConfig model(const char* key) const;

 private:
  const Json* find(const char* key) const;
  Error wrong(const char* key, const Json& found, const char* expected) const;
  const Json* json_;
  std::string where_;
};

}  // namespace stagedtrain::runlog
