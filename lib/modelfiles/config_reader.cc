// Reads the keys of a JSON object one by one.
#include "modelfiles/config_reader.h"

#include <algorithm>
#include <cmath>

#include "modelfiles/element.h"
#include "text/json.h"

namespace stagedtrain::hub {
namespace {

std::string shown(const SortedJson& json) {
  return printable(json.dump(-1, ' ', true, SortedJson::error_handler_t::replace));
}

}  // namespace

ConfigReader::ConfigReader(const SortedJson& json, std::string where)
    : json_(json), where_(std::move(where)) {
  if (!json.is_object()) throw input_error("{}: expected a JSON object", where_);
}

const SortedJson* ConfigReader::find(const char* key) {
  read_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::has(const char* key) const {
  const auto found = json_.find(key);
  return found != json_.end() && !found->is_null();
}

std::int64_t ConfigReader::count(const char* key) {
  if (!has(key)) throw input_error("{}: {} is missing", where_, key);
  return count(key, 0);
}

std::int64_t ConfigReader::count(const char* key, std::int64_t otherwise) {
  const SortedJson* value = find(key);
  if (!value) return otherwise;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() < 1 ||
      value->get<std::uint64_t>() > kMost)
    throw input_error("{}: {} is {}, expected a whole number of at least 1", where_, key,
                      shown(*value));
  return value->get<std::int64_t>();
}

double ConfigReader::number(const char* key, double otherwise) {
  const SortedJson* value = find(key);
  if (!value) return otherwise;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    throw input_error("{}: {} is {}, expected a number", where_, key, shown(*value));
  return value->get<double>();
}

bool ConfigReader::flag(const char* key, bool otherwise) {
  const SortedJson* value = find(key);
  if (!value) return otherwise;
  if (!value->is_boolean())
    throw input_error("{}: {} is {}, expected true or false", where_, key, shown(*value));
  return value->get<bool>();
}

std::string ConfigReader::text(const char* key, const std::string& otherwise) {
  const SortedJson* value = find(key);
  if (!value) return otherwise;
  if (!value->is_string())
    throw input_error("{}: {} is {}, expected a string", where_, key, shown(*value));
  return value->get<std::string>();
}

const SortedJson* ConfigReader::object(const char* key) {
  const SortedJson* value = find(key);
  if (value && !value->is_object())
    throw input_error("{}: {} is {}, expected a JSON object", where_, key, shown(*value));
  return value;
}

std::vector<std::string> ConfigReader::texts(const char* key) {
  const SortedJson* value = find(key);
  std::vector<std::string> texts;
  if (!value) return texts;
  const auto is_text = [](const SortedJson& item) { return item.is_string(); };
  if (!value->is_array() || !std::ranges::all_of(*value, is_text))
    throw input_error("{}: {} is {}, expected a list of strings", where_, key, shown(*value));
  for (const SortedJson& item : *value) texts.push_back(item.get<std::string>());
  return texts;
}

void ConfigReader::require(const char* key, std::initializer_list<SortedJson> allowed,
                           const char* why) {
  const SortedJson* value = find(key);
  if (!value || std::ranges::find(allowed, *value) != allowed.end()) return;
  const SortedJson& first = *allowed.begin();
  throw input_error("{}: {} is {}, expected {}: {}", where_, key, shown(*value),
                    first.is_null() ? "null" : shown(first), why);
}

void ConfigReader::ignore(std::initializer_list<const char*> keys) {
  read_.insert(keys.begin(), keys.end());
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> unread;
  for (const auto& [key, value] : json_.items())
    if (!read_.contains(key)) unread.push_back(printable(key));
  return unread;
}

}  // namespace stagedtrain::hub
