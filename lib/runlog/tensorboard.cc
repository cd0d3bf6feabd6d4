// Writes TensorBoard event files, encoding the few protocol buffer fields of Event, Summary and
// TensorProto by hand.
#include "runlog/tensorboard.h"

#include <unistd.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>

#include "base/crc32c.h"
#include "base/host_name.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::runlog {
namespace {

// Wire types of protocol buffers.
enum Wire : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void key(std::string& out, std::uint64_t field, Wire wire) { varint(out, field << 3 | wire); }

template <class T>
std::string raw(T value) {
  static_assert(std::endian::native == std::endian::little);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void bytes(std::string& out, std::uint64_t field, std::string_view value) {
  key(out, field, kBytes);
  varint(out, value.size());
  out += value;
}
void number(std::string& out, std::uint64_t field, std::int64_t value) {
  key(out, field, kVarint);
  varint(out, static_cast<std::uint64_t>(value));
}

std::string event_at(std::int64_t step) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  key(event, 1, kFixed64);  // wall_time
  event += raw(std::chrono::duration<double>(now).count());
  number(event, 2, step);
  return event;
}

std::string with_value(std::string event, const std::string& value) {
  std::string summary;
  bytes(summary, 1, value);
  bytes(event, 5, summary);
  return event;
}

std::uint32_t masked_crc(std::string_view text) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(text)));
  return std::rotr(crc, 15) + 0xa282ead8u;
}

std::int64_t step_of(const Json& event) { return event.value("step", std::int64_t{0}); }

}  // namespace

void TensorboardWriter::record(std::string_view event) {
  const std::string size = raw(static_cast<std::uint64_t>(event.size()));
  out_->append(size + raw(masked_crc(size)) + std::string(event) + raw(masked_crc(event)));
}

void TensorboardWriter::open() {
  make_folders(folder_);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  for (int serial = 0; !out_; ++serial) {
    const Path file = folder_ / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds.count(),
                                            host_name(), ::getpid(), serial);
    if (!std::filesystem::exists(file))
      out_ = std::make_unique<OutputFile>(file, OutputFile::Mode::create_new);
  }
  std::string first = event_at(0);
  bytes(first, 3, "brain.Event:2");  // file_version
  record(first);
}

void TensorboardWriter::scalar(const char* tag, const Json& event, const char* name) {
  const auto found = event.find(name);
  if (found == event.end() || !found->is_number()) return;
  std::string value;
  bytes(value, 1, tag);
  key(value, 2, kFixed32);  // simple_value
  value += raw(found->get<float>());
  record(with_value(event_at(step_of(event)), value));
}

void TensorboardWriter::text(const std::string& tag, const Json& event,
                             const std::string& content) {
  std::string plugin, metadata, shape, tensor, value;
  bytes(plugin, 1, "text");
  bytes(metadata, 1, plugin);
  std::string dimension;
  number(dimension, 1, 1);
  bytes(shape, 2, dimension);
  number(tensor, 1, 7);  // dtype: string
  bytes(tensor, 2, shape);
  bytes(tensor, 8, content);
  bytes(value, 1, tag);
  bytes(value, 9, metadata);
  bytes(value, 8, tensor);
  record(with_value(event_at(step_of(event)), value));
}

void TensorboardWriter::growth(const Json& event) {
  text("growth/operators", event,
       fmt::format("{}: {} (from {} to {})", event.value("stage", ""), event.value("operators", ""),
                   event.value("from", ""), event.value("to", "")));
  scalar("growth/params", event, "params_after");
  scalar("growth/loss_before", event, "loss_before");
  scalar("growth/loss_after", event, "loss_after");
}

void TensorboardWriter::samples(const Json& event) {
  const auto found = event.find("samples");
  if (found == event.end() || !found->is_array()) return;
  for (std::size_t i = 0; i < found->size(); ++i)
    text(fmt::format("samples/{}", i), event,
         for_terminal((*found)[i].value("prompt", "") + (*found)[i].value("text", "")));
}

void TensorboardWriter::add(const Json& event) {
  const std::string kind = event.value("event", "");
  if (!out_) open();
  if (kind == "resume") {
    std::string session, start = event_at(step_of(event) + 1);
    number(session, 1, 1);  // status: START
    bytes(start, 7, session);
    record(start);
  } else if (kind == "step") {
    scalar("train/loss", event, "loss");
    scalar("train/grad_norm", event, "grad_norm");
    scalar("train/lr", event, "lr");
    scalar("perf/tokens_per_second", event, "tokens_per_second");
    scalar("perf/flops_per_second", event, "flops_per_second");
    scalar("perf/mfu", event, "mfu");
    scalar("progress/tokens", event, "tokens");
    scalar("progress/flops", event, "flops");
  } else if (kind == "evaluate" || (kind == "stage_end" && step_of(event) != evaluated_)) {
    evaluated_ = step_of(event);
    scalar("val/loss", event, "loss");
    scalar("val/ema_loss", event, "ema_loss");
  } else if (kind == "sample") {
    samples(event);
  } else if (kind == "grow") {
    growth(event);
  }
}

}  // namespace stagedtrain::runlog
