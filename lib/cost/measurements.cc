// Reads and writes measurements.json, looks measurements up, and finds the names of devices.
#include "cost/measurements.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "cost/cache_list.h"
#include "text/json.h"
#include "text/text_table.h"

namespace stagedtrain::plan {

template <class V>
void members(V& v, MeasurementKey& k) {
  v("model", k.model), v("micro", k.micro), v("sequences", k.sequences);
  v("precision", k.precision), v("device", k.device), v("threads", k.threads);
  v("recompute", k.recompute), v("optimizer", k.optimizer);
}
template <class V>
void members(V& v, Measurement& m) {
  v("key", m.key), v("kernels", m.kernels), v("seconds_per_token", m.seconds_per_token);
  v("peak_bytes", m.peak_bytes), v("steps", m.steps), v("time", m.time), v("source", m.source);
}

namespace {

constexpr const char* kHint =
    "remove the file; stagedtrain plan --measure SCHEDULE creates it again";
constexpr CacheFormat kFormat = {"stagedtrain measurements", 1, "measurements", kHint};

bool fits(const MeasurementKey& wanted, const MeasurementKey& found) {
  return wanted.model == found.model && wanted.micro == found.micro &&
         wanted.sequences == found.sequences && wanted.precision == found.precision &&
         wanted.recompute == found.recompute && wanted.optimizer == found.optimizer &&
         (wanted.device.empty() || wanted.device == found.device) &&
         (wanted.threads == 0 || wanted.threads == found.threads);
}

// Returns the value of the first line "name: value" of a system file; "" if there is none.
std::string system_value(const Path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || trim(line.substr(0, colon)) != name) continue;
    return std::string(trim(line.substr(colon + 1)));
  }
  return "";
}

std::string gpu_name(std::size_t index) {
  std::vector<Path> gpus;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none))
    gpus.push_back(entry.path());
  std::sort(gpus.begin(), gpus.end());
  return index < gpus.size() ? system_value(gpus[index] / "information", "Model") : "";
}

void check(const Measurement& m, const std::string& where) {
  if (!(m.seconds_per_token > 0))
    throw input_error("{}: seconds_per_token {}, expected a number above 0", where,
                      m.seconds_per_token)
        .with_hint(kHint);
}

}  // namespace

const Measurement* Measurements::find(const MeasurementKey& key) const {
  for (auto m = all_.rbegin(); m != all_.rend(); ++m)
    if (fits(key, m->key)) return &*m;
  return nullptr;
}

void Measurements::put(Measurement measurement) {
  const auto same = std::ranges::find_if(all_, [&](const Measurement& old) {
    return fits(measurement.key, old.key) && fits(old.key, measurement.key);
  });
  if (same != all_.end()) {
    if (!std::isfinite(measurement.peak_bytes)) measurement.peak_bytes = same->peak_bytes;
    if (measurement.kernels.empty()) measurement.kernels = same->kernels;
    all_.erase(same);
  }
  all_.push_back(std::move(measurement));
}

MeasurementKey measurement_key(const RunPlan& plan, const StagePlan& stage) {
  const schedule::BatchSpec& batch = plan.schedule.batch;
  MeasurementKey key{.model = stage.model,
                     .micro = static_cast<double>(batch.micro ? batch.micro : batch.sequences),
                     .sequences = static_cast<double>(batch.sequences),
                     .precision = enum_name(plan.schedule.precision)};
  if (batch.recompute != schedule::Recompute::none) key.recompute = enum_name(batch.recompute);
  const schedule::OptimizerName optimizer = plan.schedule.optimizer.name;
  if (optimizer != schedule::OptimizerName::adamw) key.optimizer = enum_name(optimizer);
  return key;
}

std::string device_name(const std::string& device) {
  std::string name;
  if (device == "cpu") name = system_value("/proc/cpuinfo", "model name");
  if (device.starts_with("cuda")) {
    const std::size_t colon = device.find(':');
    const auto index = colon == std::string::npos ? 0 : parse_count(device.substr(colon + 1));
    if (index) name = gpu_name(static_cast<std::size_t>(*index));
  }
  return name.empty() ? device : name;
}

std::string time_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Path cache_file(const std::string& given, const char* name) {
  if (!given.empty()) return given;
  const auto variable = [](const char* key) {
    const char* value = std::getenv(key);
    return std::string(value ? value : "");
  };
  // By the XDG standard a relative path is invalid and must be ignored.
  if (const std::string xdg = variable("XDG_CACHE_HOME"); xdg.starts_with('/'))
    return Path(xdg) / "stagedtrain" / name;
  const std::string home = variable("HOME");
  return home.empty() ? Path() : Path(home) / ".cache" / "stagedtrain" / name;
}

Measurements read_measurements(const Path& path) {
  Measurements known;
  for (Measurement& m : read_list<Measurement>(path, kFormat)) {
    check(m, path.string());
    known.put(std::move(m));
  }
  return known;
}

void add_measurements(const Path& path, const std::vector<Measurement>& measured) {
  if (measured.empty()) return;
  if (path.empty())
    throw usage_error("cannot write the measurements: neither HOME nor XDG_CACHE_HOME is set")
        .with_hint("give a file with --measurements FILE");
  Measurements known = read_measurements(path);
  for (const Measurement& m : measured) known.put(m);
  write_list(path, kFormat, known.all());
}

Json to_json(const std::vector<Measurement>& measured) { return list_json(measured); }

std::string to_text(const std::vector<Measurement>& measured) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "precision", "micro", "tokens/s", "FLOPs/s", "memory", "threads", "device"}};
  for (const Measurement& m : measured) {
    const double speed = 1 / m.seconds_per_token;
    rows.push_back({fmt::format("{} x {}", m.key.model.layers, m.key.model.width), m.key.precision,
                    format_number(m.key.micro), short_count(speed),
                    short_count(speed * arch::flops_per_token(m.key.model)),
                    std::isfinite(m.peak_bytes) ? short_bytes(m.peak_bytes) : "?",
                    m.key.threads > 0 ? format_number(m.key.threads) : "", m.key.device});
  }
  return text_table(rows, 2, "");
}

}  // namespace stagedtrain::plan
