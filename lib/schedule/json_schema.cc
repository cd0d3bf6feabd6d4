// Generates the JSON Schema with a visitor that makes a schema of each field.
#include "schedule/json_schema.h"

#include <cmath>

#include "grow/operator.h"
#include "schedule/schedule.h"
#include "text/json.h"

namespace stagedtrain::schedule {
namespace {

// Matches the numbers that parse_number and parse_count accept but YAML reads as text: 1_000_000,
// 64K, 4Ki, 1e6.
constexpr const char* kNumber = R"(^\s*[-+]?[0-9._]+([eE][-+]?[0-9]+)?\s*([kKMGTPE]i?)?\s*$)";
// Matches an amount with its unit, or auto.
constexpr const char* kDuration =
    R"(^\s*(auto|[0-9._]+([eE][-+]?[0-9]+)?\s*([kKMGTPE]i?)?\s*(%|[a-zA-Z]+)?)\s*$)";

Json text_of(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
Json any_of(Json first, Json second) { return {{"anyOf", Json::array({first, second})}}; }

void add_bounds(const FieldInfo& info, Json& schema) {
  if (std::isfinite(info.min)) schema[info.above_min ? "exclusiveMinimum" : "minimum"] = info.min;
  if (std::isfinite(info.max)) schema[info.below_max ? "exclusiveMaximum" : "maximum"] = info.max;
}

// Visits a fields list and builds the schema of an object with these keys.
class SchemaMaker {
 public:
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    Json schema = schema_of(value, info);
    schema["description"] = info.doc;
    properties_[key] = std::move(schema);
    if (info.required) required_.push_back(key);
  }
  Json result() const {
    Json schema = {{"type", "object"}, {"properties", properties_}, {"additionalProperties", false}};
    if (!required_.empty()) schema["required"] = required_;
    return schema;
  }
  template <HasFields T>
  static Json of(T& value) {
    SchemaMaker maker;
    value.fields(maker);
    return maker.result();
  }

 private:
  template <class T>
  static Json schema_of(T& value, const FieldInfo& info) {
    if constexpr (IsOptional<T>) {
      typename ElementOf<T>::type inner{};
      return any_of(schema_of(inner, info), {{"type", "null"}});
    } else if constexpr (IsVector<T>) {
      typename ElementOf<T>::type item{};
      return {{"type", "array"}, {"items", schema_of(item, info)}};
    } else if constexpr (std::same_as<T, Tree>) {
      return Json::object();  // accepts anything; json_schema() replaces some of these
    } else if constexpr (HasShorthand<T>) {
      Json map = of(value);
      return any_of(map["properties"][T::kShorthand], map);
    } else if constexpr (HasFields<T>) {
      return of(value);
    } else {
      return scalar<T>(info);
    }
  }
  template <class T>
  static Json scalar(const FieldInfo& info) {
    if constexpr (std::same_as<T, bool>) {
      return {{"type", "boolean"}};
    } else if constexpr (std::is_enum_v<T>) {
      return {{"enum", enum_choices<T>()}};
    } else if constexpr (std::same_as<T, Duration>) {
      return any_of({{"type", "number"}, {"minimum", 0}}, text_of(kDuration));
    } else if constexpr (std::same_as<T, std::string>) {
      if (!info.choices.empty()) return {{"enum", info.choices}};
      return {{"type", Json::array({"string", "number", "boolean"})}};
    } else {
      Json number = {{"type", std::integral<T> ? "integer" : "number"}};
      add_bounds(info, number);
      return any_of(number, text_of(kNumber));
    }
  }
  Json properties_ = Json::object();
  std::vector<std::string> required_;
};

// Returns the schema of one operator with its options. The rows of the options give their types as
// prose, so values are not checked. Options of options are left out, since their parent is a map.
Json operator_schema(const grow::OperatorEntry& entry) {
  Json properties = {{"operator", {{"const", entry.name}, {"description", entry.help}}}};
  for (const FieldRow& row : entry.document())
    if (row.path.find('.') == std::string::npos && row.path.find('[') == std::string::npos)
      properties[row.path] = {{"description", row.doc + " (" + row.type + ")"}};
  return {{"type", "object"},
          {"properties", properties},
          {"required", Json::array({"operator"})},
          {"additionalProperties", false}};
}

Json growth_schema() {
  Json operators = Json::array();
  for (const grow::OperatorEntry& entry : grow::operators())
    operators.push_back(operator_schema(entry));
  return {{"type", "array"}, {"items", {{"anyOf", operators}}}};
}

}  // namespace

Json json_schema() {
  Schedule defaults;
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "A schedule of stagedtrain"}};
  schema.update(SchemaMaker::of(defaults));
  // The final model requires its sizes, except for vocab, which may come from the training tokens.
  // The model of a stage has only the keys that differ.
  Json& model = schema["properties"]["model"];
  Json part = model;
  part.erase("required");
  model["required"] = {"layers", "width", "heads", "context"};
  for (const char* size : {"layers", "width", "heads", "context"})
    model["properties"][size]["anyOf"][0]["minimum"] = 1;
  Json& stage = schema["properties"]["stages"]["items"]["properties"];
  const auto replace = [&](const char* key, Json value) {
    value["description"] = stage[key]["description"];
    stage[key] = std::move(value);
  };
  replace("model", part);
  replace("grow", growth_schema());
  return schema;
}

}  // namespace stagedtrain::schedule
