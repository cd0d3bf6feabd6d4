// Reads one JSON object of a log with types.
#include "runlog/json_reader.h"

#include <cmath>
#include <concepts>
#include <limits>

#include "text/json.h"

namespace stagedtrain::runlog {
namespace {

const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

// Sets the members of a struct from the keys that are present. Numbers out of range are ignored.
struct ModelFiller {
  const JsonReader& reader;
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    if constexpr (std::same_as<T, bool>) {
      if (reader.has(key)) value = reader.flag(key);
    } else if constexpr (std::same_as<T, std::string>) {
      if (reader.has(key)) value = reader.text(key);
    } else if (const double number = reader.number(key); number >= info.min && number <= info.max) {
      value = static_cast<T>(number);
    }
  }
};

}  // namespace

JsonReader::JsonReader(const Json& json, std::string where)
    : json_(&json), where_(std::move(where)) {
  if (!json.is_object())
    throw input_error("{}: found {}, expected a JSON object", where_, json.type_name());
}

const Json* JsonReader::find(const char* key) const {
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

bool JsonReader::has(const char* key) const { return find(key) != nullptr; }

Error JsonReader::wrong(const char* key, const Json& found, const char* expected) const {
  return input_error("{}: '{}' is of type {}, expected {}", where_, key, found.type_name(),
                     expected);
}

double JsonReader::number(const char* key) const {
  const Json* found = find(key);
  if (!found) return std::numeric_limits<double>::quiet_NaN();
  if (!found->is_number()) throw wrong(key, *found, "a number");
  return found->get<double>();
}

std::optional<double> JsonReader::maybe(const char* key) const {
  const double value = number(key);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string JsonReader::text(const char* key) const {
  const Json* found = find(key);
  if (!found) return "";
  if (!found->is_string()) throw wrong(key, *found, "text");
  return found->get<std::string>();
}

bool JsonReader::flag(const char* key) const {
  const Json* found = find(key);
  if (!found) return false;
  if (!found->is_boolean()) throw wrong(key, *found, "true or false");
  return found->get<bool>();
}

JsonReader JsonReader::object(const char* key) const {
  const Json* found = find(key);
  return JsonReader(found ? *found : empty_object(), where_ + ": '" + key + "'");
}

std::vector<JsonReader> JsonReader::list(const char* key) const {
  const Json* found = find(key);
  if (!found) return {};
  if (!found->is_array()) throw wrong(key, *found, "a list");
  std::vector<JsonReader> items;
  for (const Json& item : *found) items.emplace_back(item, where_ + ": '" + key + "'");
  return items;
}

std::vector<std::pair<std::string, Json>> JsonReader::members() const {
  std::vector<std::pair<std::string, Json>> members;
  for (const auto& [key, value] : json_->items()) members.emplace_back(key, value);
  return members;
}

arch::ModelConfig JsonReader::model(const char* key) const {
  arch::ModelConfig config;
  const JsonReader reader = object(key);
  ModelFiller filler{reader};
  config.fields(filler);
  return config;
}

}  // namespace stagedtrain::runlog
