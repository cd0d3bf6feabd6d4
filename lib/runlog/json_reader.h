// How is a JSON object of a log read with types? Missing values are unknown, and values of the
// wrong type are errors that say where they are.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arch/model_config.h"
#include "text/json_fwd.h"

namespace stagedtrain::runlog {

class JsonReader {
 public:
  // Throws Error(input) unless json is an object. json must outlive the reader.
  JsonReader(const Json& json, std::string where);

  const std::string& where() const { return where_; }
  bool has(const char* key) const;  // present and not null
  // Returns NaN if the key is missing or null (a NaN is written as null). Throws Error(input) if
  // the value is not a number.
  double number(const char* key) const;
  // Returns nothing if number() is not finite.
  std::optional<double> maybe(const char* key) const;
  std::string text(const char* key) const;   // "" if missing
  bool flag(const char* key) const;          // false if missing
  JsonReader object(const char* key) const;  // empty if missing
  // Returns a list of objects; empty if missing.
  std::vector<JsonReader> list(const char* key) const;
  // Returns all keys with their values, in the log's order.
  std::vector<std::pair<std::string, Json>> members() const;
  // Returns a model's configuration. Fields that are missing keep their defaults.
  arch::ModelConfig model(const char* key) const;

 private:
  const Json* find(const char* key) const;
  Error wrong(const char* key, const Json& found, const char* expected) const;
  const Json* json_;
  std::string where_;
};

}  // namespace stagedtrain::runlog
