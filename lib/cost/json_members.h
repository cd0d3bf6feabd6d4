// How are the project's structs written to JSON files and read back? One list of members serves
// both.
//
// The list of a struct is a function in namespace plan,
//   template <class V> void members(V& v, Struct& s),
// which calls v("key", s.member) for each member. Members may be double (NaN is written as null),
// bool, text, a model, structs with a list of their own, and vector<> or optional<> of these.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "plan/run_plan.h"
#include "runlog/json_reader.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::plan {

class MemberWriter {
 public:
  template <class T>
  void operator()(const char* key, T& value) {
    json_[key] = written(value);
  }
  template <class T>
  static Json of(T value) {
    MemberWriter writer;
    members(writer, value);
    return writer.json_;
  }

 private:
  static Json written(const std::string& text) { return text; }
  static Json written(bool value) { return value; }
  static Json written(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
  static Json written(const arch::ModelConfig& model) { return to_json(model); }
  template <class T>
  static Json written(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(written(value));
    return list;
  }
  template <class T>
  static Json written(const std::optional<T>& value) {
    return value ? written(*value) : Json(nullptr);
  }
  template <class T>
  static Json written(const T& value) {
    return of(value);
  }
  Json json_ = Json::object();
};

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// A strict reader: every key must be present (except optional ones) with its type, and no other key
// may be. Throws Error(input) that names `where` and the key, with the hint. Keeps a reference to
// the JSON.
class MemberReader {
 public:
  MemberReader(const Json& json, std::string where, const char* hint)
      : json_(json), where_(std::move(where)), hint_(hint) {
    if (!json.is_object()) throw wrong(where_, json, "a JSON object");
  }
  template <class T>
  void operator()(const char* key, T& value) {
    keys_.push_back(key);
    const auto found = json_.find(key);
    if (found == json_.end() && kIsOptional<T>) return;
    if (found == json_.end())
      throw input_error("{}: '{}' is missing", where_, key).with_hint(hint_);
    read(*found, fmt::format("{}: {}", where_, key), value);
  }
  template <class T>
  static T of(const Json& json, const std::string& where, const char* hint) {
    T value;
    MemberReader reader(json, where, hint);
    members(reader, value);
    reader.refuse_others();
    return value;
  }
  // Reads the keys "format" and "version", and throws Error(input) unless they have these values.
  void expect_format(const std::string& name, double version) {
    std::string found;
    double found_version = 0;
    (*this)("format", found);
    (*this)("version", found_version);
    if (found != name || found_version != version)
      throw input_error("{}: found '{}', version {}; expected '{}', version {}", where_, found,
                        found_version, name, version)
          .with_hint(hint_);
  }
  // Throws Error(input) if the object has a key that was not read.
  void refuse_others() const {
    for (const auto& [key, value] : json_.items())
      if (std::find(keys_.begin(), keys_.end(), key) == keys_.end())
        throw input_error("{}: unknown '{}'{}", where_, key, suggestion(key, keys_))
            .with_hint(hint_);
  }

 private:
  Error wrong(const std::string& where, const Json& found, const char* expected) const {
    return input_error("{}: found {}, expected {}", where, found.type_name(), expected)
        .with_hint(hint_);
  }
  void read(const Json& json, const std::string& where, double& value) const {
    if (!json.is_number() && !json.is_null()) throw wrong(where, json, "a number");
    value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
  }
  void read(const Json& json, const std::string& where, bool& value) const {
    if (!json.is_boolean()) throw wrong(where, json, "true or false");
    value = json.get<bool>();
  }
  void read(const Json& json, const std::string& where, std::string& value) const {
    if (!json.is_string()) throw wrong(where, json, "text");
    value = json.get<std::string>();
  }
  void read(const Json& json, const std::string& where, arch::ModelConfig& value) const {
    value = runlog::JsonReader(Json{{"model", json}}, where).model("model");
  }
  template <class T>
  void read(const Json& json, const std::string& where, std::vector<T>& values) const {
    if (!json.is_array()) throw wrong(where, json, "a list");
    for (const Json& item : json) read(item, where, values.emplace_back());
  }
  template <class T>
  void read(const Json& json, const std::string& where, std::optional<T>& value) const {
    if (!json.is_null()) read(json, where, value.emplace());
  }
  template <class T>
  void read(const Json& json, const std::string& where, T& value) const {
    value = of<T>(json, where, hint_);
  }
  const Json& json_;
  std::string where_;
  const char* hint_;
  std::vector<std::string> keys_;
};

}  // namespace stagedtrain::plan
