// One visitor writes and one reads; each struct's members are listed once for both.
#include "checkpoint/metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "arch/architectures.h"
#include "checkpoint/metadata_checks.h"

namespace stagedtrain::state {
namespace {

// ---- Members, in the order of the file, with what a value may be. Beyond these counts a run's
// arithmetic would overflow. Running means and variances may be anything.

constexpr double kLargest = std::numeric_limits<double>::max();
const FieldInfo kSteps{.max = 1e12}, kTokens{.max = 1e18}, kStages{.max = 1e6};
const FieldInfo kAmount{.min = 0, .max = kLargest};
const FieldInfo kFactor{.min = 0, .max = kLargest, .above_min = true};

// The numbers of a parameterization are all 0 where a model has none, which no schedule may write.
template <class V>
struct ZeroAllowed {
  V& v;
  template <class T>
  void operator()(const char* key, T& value, FieldInfo info) {
    info.min = 0;
    v(key, value, info);
  }
};
// The keys of looped cores and of routed layers are in a file only if its model has them, so that
// files of other models are what they were before these keys existed.
template <class V>
struct PartsMayBeAbsent {
  V& v;
  bool has_core, has_routed;
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    static constexpr std::array<std::string_view, 7> kKeys{
        "core", "prelude", "coda", "passes", "tied_cores", "boundary", "boundary_alpha"};
    const bool of_core = std::ranges::find(kKeys, key) != kKeys.end();
    const bool of_routed = std::string_view(key).starts_with("routed_");
    if ((has_core || !of_core) && (has_routed || !of_routed)) v(key, value, info);
  }
};
template <class V>
void visit(V& v, arch::ModelConfig& model) {
  PartsMayBeAbsent<V> fields{v, v.has_core(model), v.has_routed(model)};
  model.fields(fields);
  ZeroAllowed<V> keys{v};
  model.parameterization.fields(keys);
}
template <class V>
void visit(V& v, Progress& p) {
  v("step", p.step, kSteps), v("tokens", p.tokens, kTokens);
  v("flops", p.flops, kAmount), v("seconds", p.seconds, kAmount);
  v("stage", p.stage), v("stage_index", p.stage_index, kStages);
  v("stage_step", p.stage_step, kSteps), v("stage_done", p.stage_done);
  v("total_steps", p.total_steps, kSteps), v("learning_rate", p.learning_rate, kAmount);
  v("loss_mean", p.loss_mean), v("loss_var", p.loss_var);
  v("norm_mean", p.norm_mean), v("norm_var", p.norm_var);
  v("loss_sum", p.loss_sum), v("loss_steps", p.loss_steps, kSteps);
}
template <class V>
void visit(V& v, WindowSelection& selection) {
  v("context", selection.context, kSteps);
  v("features_step", selection.features_step, kSteps);
  v("step", selection.step, kSteps);
  v("first_index", selection.first_index, kSteps);
  v("generation", selection.generation, kSteps);
  v("gains", selection.gains);
}
template <class V>
void visit(V& v, DataPosition& data) {
  v("seed", data.seed);
  v("index", data.index, kSteps);
  v("selection", data.selection);
}
template <class V>
void visit(V& v, LineageEntry& entry) {
  v("source", entry.source);
  v("source_crc", entry.source_crc);
  v("operators", entry.operators);
  v("step", entry.step, kSteps);
  v("model", entry.model);
}
template <class V>
void visit(V& v, RunInfo& run) {
  v("schedule", run.schedule);
  v("tokenizer", run.tokenizer);
  v("data_path", run.data_path);
  v("data_fingerprint", run.data_fingerprint);
  v("text_bytes_per_token", run.text_bytes_per_token, kAmount);
}
template <class V>
void visit(V& v, MaskRamp& mask) {
  v("start", mask.start, kSteps);
  v("steps", mask.steps, kSteps);
}
template <class V>
void visit(V& v, MomentAge& age) {
  v("start", age.start, kSteps);
  v("ramp_steps", age.ramp_steps, kSteps);
}
template <class V>
void visit(V& v, TensorHistory& history) {
  v("age", history.age);
  v("generation", history.generation, kSteps);
  v("lr_scale", history.lr_scale, kFactor);
  v("decay_scale", history.decay_scale, kFactor);
  v("eps_scale", history.eps_scale, kFactor);
}
template <class V>
void visit(V& v, arch::AdapterSet& set) {
  v("rank", set.rank, kSteps), v("alpha", set.alpha, kFactor), v("lr", set.lr, kFactor);
  v("start", set.start, kSteps), v("matrices", set.matrices);
}
template <class V>
void visit(V& v, Metadata& m) {
  StateHeader& header = m.header;
  v("dtype", header.dtype), v("model", header.model);
  v("progress", header.progress);
  v("seed", header.seed), v("data", header.data);
  v("run", header.run);
  v("lineage", header.lineage);
  v("mask", header.mask);
  v("histories", m.histories);
  v("ema", header.ema);
  std::optional<arch::AdapterSet> adapters;
  if (!header.adapters.none()) adapters = header.adapters;
  v("adapters", adapters);
  header.adapters = adapters.value_or(arch::AdapterSet());
}

// ---- Text and numbers that JSON alone would not keep.

bool is_utf8(const std::string& text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::exception&) {
    return false;
  }
}
std::string to_hex(const std::string& text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * text.size());
  for (const unsigned char c : text) {
    hex += kDigits[c >> 4];
    hex += kDigits[c & 15];
  }
  return hex;
}
int nibble(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
std::string from_hex(const std::string& hex, const std::string& path) {
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = nibble(hex[i]), low = i + 1 < hex.size() ? nibble(hex[i + 1]) : -1;
    if (high < 0 || low < 0) throw input_error("{}: found invalid hex digits at {}", path, i);
    text += static_cast<char>(high * 16 + low);
  }
  return text;
}

class Writer {
 public:
  static bool has_core(const arch::ModelConfig& model) { return model.core > 0; }
  static bool has_routed(const arch::ModelConfig& model) { return model.routed_every > 0; }
  Json json = Json::object();
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& = {}) {
    json[key] = write(value);
  }
  // What a state does not have is not written, so files without it are those of older versions.
  template <class T>
  void operator()(const char* key, std::optional<T>& value, const FieldInfo& = {}) {
    if (value) json[key] = write(*value);
  }

 private:
  static Json write(double& value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return value;
  }
  static Json write(std::string& text) {
    return is_utf8(text) ? Json(text) : Json{{"hex", to_hex(text)}};
  }
  static Json write(DType& dtype) { return dtype_name(dtype); }
  static Json write(SortedJson& json) { return json; }
  template <class T>
  static Json write(std::vector<T>& entries) {
    Json list = Json::array();
    for (T& entry : entries) list.push_back(write(entry));
    return list;
  }
  template <class T>
  static Json write(T& value) {
    if constexpr (std::is_integral_v<T>) {
      return value;
    } else {
      Writer inner;
      visit(inner, value);
      return inner.json;
    }
  }
};

class Reader {
 public:
  // Requires that json outlives the reader.
  Reader(const SortedJson& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object()) throw fail(path_, json, "keys and values");
  }
  bool has_core(const arch::ModelConfig&) const { return json_.contains("core"); }
  bool has_routed(const arch::ModelConfig&) const { return json_.contains("routed_every"); }
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info = {}) {
    known_.push_back(key);
    const std::string path = path_.empty() ? key : path_ + "." + key;
    const auto found = json_.find(key);
    if (found == json_.end()) throw input_error("{}: is missing", path);
    read(*found, value, info, path);
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value, const FieldInfo& info = {}) {
    if (json_.contains(key)) {
      (*this)(key, value.emplace(), info);
    } else {
      known_.push_back(key);
    }
  }
  void finish() const {
    for (const auto& entry : json_.items())
      if (std::find(known_.begin(), known_.end(), entry.key()) == known_.end())
        throw input_error("{}{}: unknown key", path_.empty() ? "" : path_ + ".", entry.key());
  }

 private:
  static Error fail(const std::string& path, const SortedJson& json, const std::string& expected) {
    std::string found = json_text(json, -1);
    if (found.size() > 40) found = std::string("a JSON ") + json.type_name();
    return input_error("{}: found {}, expected {}", path, found, expected);
  }
  static std::string range_text(const FieldInfo& info) {
    if (info.max == kLargest)
      return info.above_min ? "a finite number above 0" : "a finite number of at least 0";
    return std::isfinite(info.min) ? fmt::format("a value from {} to {}", info.min, info.max)
                                   : fmt::format("a whole number of at most {}", info.max);
  }
  static void check_range(double value, const FieldInfo& info, const std::string& path,
                          const SortedJson& json) {
    const bool bounded = std::isfinite(info.min) || std::isfinite(info.max);
    const bool inside =
        value >= info.min && value <= info.max && !(info.above_min && value == info.min);
    if (bounded && !inside) throw fail(path, json, range_text(info));
  }
  static void read(const SortedJson& json, bool& value, const FieldInfo&, const std::string& path) {
    if (!json.is_boolean()) throw fail(path, json, "true or false");
    value = json.get<bool>();
  }
  // No count of a state is ever negative.
  static void read(const SortedJson& json, std::int64_t& value, const FieldInfo& info,
                   const std::string& path) {
    if (!json.is_number_unsigned() ||
        json.get<std::uint64_t>() >
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      throw fail(path, json, "a whole number of at least 0");
    value = json.get<std::int64_t>();
    check_range(static_cast<double>(value), info, path, json);
  }
  static void read(const SortedJson& json, std::uint64_t& value, const FieldInfo&,
                   const std::string& path) {
    if (!json.is_number_unsigned()) throw fail(path, json, "a whole number of at least 0");
    value = json.get<std::uint64_t>();
  }
  static void read(const SortedJson& json, double& value, const FieldInfo& info,
                   const std::string& path) {
    if (json == "nan") {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json == "inf" || json == "-inf") {
      value = json == "inf" ? HUGE_VAL : -HUGE_VAL;
    } else if (json.is_number()) {
      value = json.get<double>();
    } else {
      throw fail(path, json, "a number");
    }
    check_range(value, info, path, json);
  }
  static void read(const SortedJson& json, std::string& value, const FieldInfo&,
                   const std::string& path) {
    const bool hex =
        json.is_object() && json.size() == 1 && json.contains("hex") && json["hex"].is_string();
    if (!hex && !json.is_string()) throw fail(path, json, "text");
    value = hex ? from_hex(json["hex"].get<std::string>(), path) : json.get<std::string>();
  }
  static void read(const SortedJson& json, DType& value, const FieldInfo&,
                   const std::string& path) {
    if (json != dtype_name(DType::f32) && json != dtype_name(DType::f64))
      throw fail(path, json, "\"float32\" or \"float64\"");
    value = json == dtype_name(DType::f32) ? DType::f32 : DType::f64;
  }
  static void read(const SortedJson& json, SortedJson& value, const FieldInfo&,
                   const std::string&) {
    value = json;
  }
  template <class T>
  static void read(const SortedJson& json, std::vector<T>& entries, const FieldInfo& info,
                   const std::string& path) {
    if (!json.is_array()) throw fail(path, json, "a list");
    for (std::size_t i = 0; i < json.size(); ++i)
      read(json[i], entries.emplace_back(), info, fmt::format("{}.{}", path, i));
  }
  template <class T>
  static void read(const SortedJson& json, T& value, const FieldInfo&, const std::string& path) {
    Reader inner(json, path);
    visit(inner, value);
    inner.finish();
  }

  const SortedJson& json_;
  std::string path_;
  std::vector<std::string> known_;

  friend Metadata stagedtrain::state::parse_metadata(std::string_view text);
  friend std::vector<TensorHistory> stagedtrain::state::parse_histories(const SortedJson& json,
                                                                        const arch::ParamTable&,
                                                                        std::int64_t);
};

}  // namespace

Json metadata_json(const StateHeader& header) {
  Metadata metadata{header, {}, false};
  std::string& tokenizer = metadata.header.run.tokenizer;
  if (!tokenizer.empty() && tokenizer != "bytes") tokenizer = "dataset";
  const arch::ParamTable table = arch::param_table(header.model);
  ST_CHECK(header.histories.size() == table.size(), "{} histories for {} tensors",
           header.histories.size(), table.size());
  Json histories = Json::object();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (header.histories[i] == TensorHistory{}) continue;
    Writer history;
    visit(history, metadata.header.histories[i]);
    histories[table[i].name] = history.json;
  }
  Writer writer;
  visit(writer, metadata);
  writer.json["histories"] = std::move(histories);  // in the table's order
  return writer.json;
}

Metadata parse_metadata(std::string_view text) {
  const SortedJson json = parse_sorted_json(text, "metadata");
  Metadata metadata;
  Reader::read(json, metadata, {}, "");
  check_model(metadata.header.model, "model");
  for (std::size_t i = 0; i < metadata.header.lineage.size(); ++i)
    check_model(metadata.header.lineage[i].model, fmt::format("lineage.{}.model", i));
  const Progress& progress = metadata.header.progress;
  if (progress.stage_step > progress.step)
    throw input_error("progress.stage_step: found {}, expected at most progress.step, {}",
                      progress.stage_step, progress.step);
  const DataPosition& data = metadata.header.data;
  if (data.selection) check_selection(*data.selection, data.index);
  std::string& tokenizer = metadata.header.run.tokenizer;
  metadata.tokenizer_is_dataset = tokenizer == "dataset";
  if (!metadata.tokenizer_is_dataset && !tokenizer.empty() && tokenizer != "bytes")
    throw input_error("run.tokenizer: found '{}', expected 'bytes', 'dataset' or ''", tokenizer);
  return metadata;
}

std::vector<TensorHistory> parse_histories(const SortedJson& json, const arch::ParamTable& table,
                                           std::int64_t step) {
  if (!json.is_object()) throw input_error("histories: expected keys and values");
  std::vector<TensorHistory> histories(table.size());
  for (const auto& entry : json.items()) {
    const std::string path = "histories." + entry.key();
    const std::int64_t index = table.index(entry.key());
    if (index < 0) throw input_error("histories: the model has no tensor '{}'", entry.key());
    TensorHistory& history = histories[static_cast<std::size_t>(index)];
    Reader::read(entry.value(), history, {}, path);
    check_age(history, step, path);
  }
  return histories;
}

}  // namespace stagedtrain::state
