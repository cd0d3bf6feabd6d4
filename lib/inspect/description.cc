// Describes a checkpoint for `stagedtrain show`: one line for each fact as text, or the metadata
// and what follows from them as JSON.
#include "inspect/description.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/cost.h"
#include "checkpoint/metadata.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::state {
namespace {

std::string line(const char* name, const std::string& value) {
  return fmt::format("{:<14}{}\n", name, value);
}

std::string or_unknown(const std::string& text) { return text.empty() ? "not recorded" : text; }

// ---- Tensors

struct Summary {
  double mean = 0, deviation = 0, smallest = 0, largest = 0;
  std::int64_t not_finite = 0;  // these are excluded from the other members
};

template <class T>
Summary summarize(std::span<const std::byte> bytes) {
  const std::span values(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T));
  Summary s{0, 0, std::numeric_limits<double>::infinity(),
            -std::numeric_limits<double>::infinity()};
  double sum = 0, squares = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      ++s.not_finite;
      continue;
    }
    sum += value;
    squares += value * value;
    s.smallest = std::min(s.smallest, value);
    s.largest = std::max(s.largest, value);
  }
  const double count = static_cast<double>(values.size()) - static_cast<double>(s.not_finite);
  if (count == 0) return {0, 0, 0, 0, s.not_finite};
  s.mean = sum / count;
  s.deviation = std::sqrt(std::max(0.0, squares / count - s.mean * s.mean));
  return s;
}

Summary summary_of(const CheckpointReader& reader, std::size_t index) {
  const auto bytes = reader.stored(TensorKind::weights, index);
  return reader.header().dtype == DType::f32 ? summarize<float>(bytes) : summarize<double>(bytes);
}

std::uint64_t tensor_bytes(const CheckpointReader& reader) {
  return reader.header().kinds().size() * static_cast<std::uint64_t>(reader.table().total_count()) *
         dtype_size(reader.header().dtype);
}

std::string tensor_table(const CheckpointReader& reader) {
  std::size_t widest = 6;
  for (const arch::ParamSpec& spec : reader.table()) widest = std::max(widest, spec.name.size());
  std::string text =
      fmt::format("\n{:<{}}  {:>14} {:>10} {:>11} {:>11} {:>11} {:>11}\n", "weights", widest,
                  "shape", "bytes", "mean", "deviation", "smallest", "largest");
  for (std::size_t i = 0; i < reader.table().size(); ++i) {
    const arch::ParamSpec& spec = reader.table()[i];
    const Summary s = summary_of(reader, i);
    text +=
        fmt::format("{:<{}}  {:>14} {:>10} {:>11.4g} {:>11.4g} {:>11.4g} {:>11.4g}{}\n", spec.name,
                    widest, fmt::format("{}", fmt::join(spec.shape(), " x ")),
                    short_bytes(static_cast<double>(reader.stored(TensorKind::weights, i).size())),
                    s.mean, s.deviation, s.smallest, s.largest,
                    s.not_finite ? fmt::format("  {} not finite", grouped(s.not_finite)) : "");
  }
  return text;
}

Json tensor_list(const CheckpointReader& reader) {
  Json list = Json::array();
  for (std::size_t i = 0; i < reader.table().size(); ++i) {
    const arch::ParamSpec& spec = reader.table()[i];
    const Summary s = summary_of(reader, i);
    list.push_back({{"name", spec.name},
                    {"shape", spec.shape()},
                    {"role", arch::role_name(spec.role)},
                    {"bytes", reader.stored(TensorKind::weights, i).size()},
                    {"mean", s.mean},
                    {"deviation", s.deviation},
                    {"smallest", s.smallest},
                    {"largest", s.largest},
                    {"not_finite", s.not_finite}});
  }
  return list;
}

// ---- Facts

// Mentions the parameters that one token uses, if these are not all of them.
std::string active_text(const arch::ParamCount& count) {
  return count.active == count.total ? "" : fmt::format(", {} per token", grouped(count.active));
}

std::string model_lines(const StateHeader& header) {
  const arch::ParamCount count = arch::count_params(header.model);
  return line("model", arch::describe(header.model)) +
         line("parameters", fmt::format("{} ({} without embeddings{}), {}{}", grouped(count.total),
                                        grouped(count.non_embedding), active_text(count),
                                        dtype_name(header.dtype),
                                        header.model.tied ? ", the head is the token embedding"
                                                          : ", the head is a separate matrix"));
}

std::string progress_lines(const Progress& p) {
  std::string steps = grouped(p.step);
  if (p.total_steps > 0) steps += " of " + grouped(p.total_steps);
  std::string text =
      line("trained", fmt::format("{} steps: {} tokens, {} FLOPs, {}", steps, grouped(p.tokens),
                                  short_count(p.flops), short_seconds(p.seconds)));
  if (!p.stage.empty())
    text += line("stage", fmt::format("{} (number {}), {} in, {}", p.stage, p.stage_index + 1,
                                      counted(p.stage_step, "step"),
                                      p.stage_done ? "finished" : "not finished"));
  return text + line("learning rate", p.step ? format_number(p.learning_rate) + " in the last step"
                                             : std::string("no step taken"));
}

std::string selection_line(const DataPosition& data) {
  if (!data.selection) return "";
  const WindowSelection& selection = *data.selection;
  return line("selected data",
              fmt::format("subset {} of {} windows, drawn at step {} by gains of step {}",
                          selection.generation + 1, grouped(selection.windows()),
                          grouped(selection.step), grouped(selection.features_step)));
}

std::string data_lines(const StateHeader& header) {
  const RunInfo& run = header.run;
  std::string data = or_unknown(run.data_path);
  if (!run.data_fingerprint.empty()) data += " (fingerprint " + run.data_fingerprint + ")";
  std::string tokenizer = or_unknown(run.tokenizer);
  if (run.tokenizer.size() > 5)
    tokenizer = fmt::format("{}, {}",
                            run.tokenizer.front() == '{' ? "byte-level BPE" : "SentencePiece model",
                            short_bytes(static_cast<double>(run.tokenizer.size())));
  if (run.text_bytes_per_token > 0)
    tokenizer += fmt::format(", {:.4g} bytes of text per token", run.text_bytes_per_token);
  return line("data", data) +
         line("data position",
              fmt::format("{} read, in the order of seed {}",
                          counted(header.data.index, "sequence"), header.data.seed)) +
         selection_line(header.data) + line("tokenizer", tokenizer) +
         line("seed", std::to_string(header.seed)) +
         line("schedule", run.schedule.empty() ? "not recorded" : "recorded; --json prints it");
}

std::string lineage_lines(const std::vector<LineageEntry>& lineage) {
  if (lineage.empty()) return line("grown", "never; trained from fresh weights");
  std::string text;
  for (const LineageEntry& entry : lineage)
    text += line("grown", fmt::format("at step {} from {}", grouped(entry.step),
                                      arch::describe(entry.model))) +
            line("", "by " + entry.operators) +
            line("", fmt::format("source {} (identity {})", entry.source, entry.source_crc));
  return text;
}

// Returns for each layer in how many steps its moments were updated since they were zeroed, the
// oldest of its tensors.
std::vector<std::int64_t> ages_of_layers(const StateHeader& header, const arch::ParamTable& table) {
  std::vector<std::int64_t> ages(static_cast<std::size_t>(header.model.layers));
  for (std::size_t i = 0; i < header.histories.size(); ++i) {
    if (table[i].layer < 0) continue;
    std::int64_t& age = ages[static_cast<std::size_t>(table[i].layer)];
    age = std::max(age, header.progress.step - header.histories[i].age.start);
  }
  return ages;
}

// Says when layers were trained, if that was not in all the same steps.
std::string age_lines(const StateHeader& header, const arch::ParamTable& table) {
  constexpr std::size_t kMostListed = 24;
  const std::vector<std::int64_t> ages = ages_of_layers(header, table);
  if (ages.empty() || std::ranges::count(ages, ages.front()) == std::ssize(ages)) return "";
  std::vector<std::string> words;
  for (const std::int64_t age : ages) words.push_back(grouped(age));
  const auto [least, most] = std::ranges::minmax(ages);
  return line("updates",
              fmt::format("of the layers, steps since their moments were zeroed: {}",
                          ages.size() <= kMostListed ? join(words, " ")
                                                     : grouped(least) + " to " + grouped(most)));
}

std::string adapter_lines(const StateHeader& header) {
  const arch::AdapterSet& set = header.adapters;
  if (set.none()) return "";
  return line("adapters",
              fmt::format("of rank {} and alpha {}, on {} since step {}; the weights contain them",
                          set.rank, format_number(set.alpha),
                          counted(std::ssize(set.matrices), "tensor"), grouped(set.start)));
}

// Describes what earlier growths left for the optimizer and the model. Empty if they left nothing.
std::string history_lines(const StateHeader& header) {
  std::string text;
  const MaskRamp& mask = header.mask;
  if (mask.steps > 0)
    text +=
        line("mask",
             fmt::format("what the last growth added rises to full strength over {}, from step {}",
                         counted(mask.steps, "step"), grouped(mask.start)));
  const auto count = [&](auto property) {
    return std::count_if(header.histories.begin(), header.histories.end(), property);
  };
  const auto scaled =
      count([](const TensorHistory& h) { return h.lr_scale != 1 || h.eps_scale != 1; });
  const auto young = count([](const TensorHistory& h) { return h.age.start > 0; });
  if (scaled > 0)
    text += line("dynamics", fmt::format("{} with a learning rate or eps of their own",
                                         counted(scaled, "tensor")));
  if (young > 0)
    text += line("moments", fmt::format("{} with moments of fewer steps than the state",
                                        counted(young, "tensor")));
  return text;
}

}  // namespace

std::string to_text(const Path& path, const CheckpointReader& reader, bool tensors) {
  reader.verify();
  const StateHeader& header = reader.header();
  std::string text =
      fmt::format("{}: a checkpoint of stagedtrain (format {}), {}, undamaged\n\n", path.string(),
                  kFormatVersion, short_bytes(static_cast<double>(reader.file_bytes())));
  text += model_lines(header) + progress_lines(header.progress) + data_lines(header) +
          lineage_lines(header.lineage) + history_lines(header) +
          age_lines(header, reader.table()) + adapter_lines(header);
  text += line("tensors", fmt::format("{} for each of weights, exp_avg, exp_avg_sq{}; {} in all",
                                      reader.table().size(), header.ema ? ", ema" : "",
                                      short_bytes(static_cast<double>(tensor_bytes(reader)))));
  text += line("checksums",
               fmt::format("{} blocks verified, none damaged; identity {}, tensors alone {}",
                           grouped(static_cast<std::int64_t>(reader.blocks())), reader.identity(),
                           reader.tensors_identity()));
  return tensors ? text + tensor_table(reader) : text;
}

// Leaves in "model" the keys that a schedule's `model` may have.
static void take_out_parameterization(const arch::ModelConfig& model, Json& json) {
  for (const char* key : {"base_width", "base_layers", "final_layers"}) {
    if (model.parameterization.scales_width()) json["parameterization"][key] = json["model"][key];
    json["model"].erase(key);
  }
}

Json to_json(const Path& path, const CheckpointReader& reader, bool tensors) {
  reader.verify();
  const StateHeader& header = reader.header();
  const arch::ParamCount count = arch::count_params(header.model);
  Json json = {{"path", path.string()},
               {"kind", "checkpoint"},
               {"format_version", kFormatVersion},
               {"file_bytes", reader.file_bytes()},
               {"tensor_bytes", tensor_bytes(reader)},
               {"blocks_verified", reader.blocks()},
               {"identity", reader.identity()},
               {"tensors_identity", reader.tensors_identity()},
               {"parameters", count.total},
               {"non_embedding_parameters", count.non_embedding},
               {"active_parameters", count.active},
               {"flops_per_token", arch::flops_per_token(header.model)}};
  const Json metadata = metadata_json(header);
  for (const auto& entry : metadata.items()) json[entry.key()] = entry.value();
  take_out_parameterization(header.model, json);
  if (tensors) json["tensors"] = tensor_list(reader);
  return json;
}

}  // namespace stagedtrain::state
