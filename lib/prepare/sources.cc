// Opens input texts, spools those that cannot be mapped to temporary files, and splits texts into
// units.
#include "prepare/sources.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/signals.h"
#include "data/token_header.h"
#include "prepare/decompress.h"
#include "prepare/foreign.h"
#include "prepare/input_names.h"
#include "prepare/json_lines.h"
#include "text/utf8.h"

namespace stagedtrain::data {
namespace {

using Use = std::function<void(std::string_view)>;

void read_stdin(const Use& use) {
  std::vector<char> part(std::size_t{1} << 20);
  for (bool first = true;; first = false) {
    stop_point("reading standard input");
    const ssize_t size = ::read(STDIN_FILENO, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw input_error("stdin: cannot read: {}", std::strerror(errno));
    if (size == 0) return;
    const std::string_view piece(part.data(), static_cast<std::size_t>(size));
    const char* kind = first ? foreign_name(std::as_bytes(std::span(piece))) : nullptr;
    if (kind) throw input_error("stdin: is {}, expected text", kind);
    use(piece);
  }
}

// Returns whether a file holds JSON lines, by its name without the suffix of a compression.
bool holds_lines(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst", ".zstd"})
    if (name.ends_with(ending)) {
      name.remove_suffix(ending.size());
      break;
    }
  return name.ends_with(".jsonl") || name.ends_with(".ndjson");
}

// Calls read(use), where use(piece) writes a piece of the input to the spool, either as it is or as
// the documents of its JSON lines. Returns the number of documents without text.
template <class Read>
std::int64_t fill(TextSpool& spool, const std::string& name, bool lines,
                  const SourceOptions& options, Read read) {
  if (!lines) {
    read([&](std::string_view piece) { spool.append(piece); });
    return 0;
  }
  JsonLines documents(name, options.field, [&](std::string_view text) {
    spool.append(text);
    if (!text.ends_with(options.separator)) spool.append(options.separator);
    spool.end_document();
  });
  read([&](std::string_view piece) { documents.feed(piece); });
  documents.finish();
  return documents.without_text();
}

// Reads a mapped file in pieces, so that signals are handled and progress is reported in between.
void read_plain(std::string_view text, const Use& use, const std::function<void(std::size_t)>& done) {
  constexpr std::size_t kPart = std::size_t{1} << 20;
  for (std::size_t place = 0; place < text.size(); place += kPart) {
    stop_point("reading JSON lines");
    use(text.substr(place, kPart));
    done(std::min(text.size(), place + kPart));
  }
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void require_text(const std::string& name, const MappedFile& file) {
  if (looks_like_header(file.bytes()))
    throw input_error("{}: is a token file already, expected text", name)
        .with_hint("name it in a schedule, under data.train or data.validation");
  if (const char* kind = foreign_name(file.bytes()))
    throw input_error("{}: is {}, expected text, JSON lines, or either compressed by gzip or zstd",
                      name, kind);
}

}  // namespace

Sources::Sources(const std::vector<std::string>& names, const Path& folder,
                 const SourceOptions& options) {
  if (std::count(names.begin(), names.end(), "-") > 1)
    throw usage_error("'-' (standard input) is given twice");
  for (const std::string& name : expand_inputs(names)) add(name, folder, options);
  if (all_.empty())
    throw input_error("{}: empty, expected text", empty_.front())
        .with_hint(empty_.size() == 1 ? "give a file that holds text"
                                      : "so are all other inputs; give files that hold text");
  if (spool_) spool_->map();
}

void Sources::add(const std::string& name, const Path& folder, const SourceOptions& options) {
  const auto need_spool = [&] {
    make_folders(folder);
    if (!spool_) spool_.emplace(folder);
  };
  if (name == "-") {
    need_spool();
    return spool_stdin(options);
  }
  const MappedFile file{Path(name)};
  const Compression compression = compression_of(file.bytes());
  if (compression == Compression::none) require_text(name, file);
  if (compression == Compression::none && !holds_lines(name))
    return keep({name, file.bytes().size(), {}});
  need_spool();
  spool_file(name, file, options);
}

void Sources::spool_stdin(const SourceOptions& options) {
  without_text_ += fill(*spool_, "stdin", options.stdin_has_lines, options, read_stdin);
  have_lines_ |= options.stdin_has_lines;
  const SpooledText part = spool_->take();
  keep({"stdin", part.size, part});
}

void Sources::spool_file(const std::string& name, const MappedFile& file,
                         const SourceOptions& options) {
  const Compression compression = compression_of(file.bytes());
  const auto done = [&](std::size_t bytes) {
    if (options.progress) options.progress("read", bytes, file.bytes().size());
  };
  const bool lines = holds_lines(name);
  have_lines_ |= lines;
  without_text_ += fill(*spool_, name, lines, options, [&](const Use& use) {
    if (compression == Compression::none) return read_plain(text_of(file), use, done);
    decompress(file.bytes(), name, use, done);
  });
  const SpooledText part = spool_->take();
  keep({name, part.size, part});
}

void Sources::keep(Source source) {
  if (source.size == 0) return empty_.push_back(source.name);
  bytes_ += source.size;
  all_.push_back(std::move(source));
}

std::shared_ptr<const OpenText> Sources::open(std::size_t i) const {
  const Source& source = all_[i];
  auto open = std::make_shared<OpenText>();
  open->name = source.name;
  if (source.spooled) {
    open->text = spool_->text(*source.spooled);
    open->ends = spool_->ends(*source.spooled);
  } else {
    open->file.emplace(Path(source.name));
    open->text = text_of(*open->file);
    if (open->text.size() != source.size)
      throw input_error("{}: had {} bytes and now has {}: it changed while it was read",
                        source.name, source.size, open->text.size())
          .with_hint("wait until it is complete, then run this again");
  }
  return open;
}

std::size_t UnitWalk::next_size() {
  const std::string_view rest = open_->text.substr(place_);
  if (block_) return cut_near(rest, block_);
  if (document_ < open_->ends.size()) return open_->ends[document_++] - place_;
  if (separator_.empty() || !open_->ends.empty()) return rest.size();
  const std::size_t found = rest.find(separator_);
  return found == std::string_view::npos ? rest.size() : found + separator_.size();
}

std::optional<Unit> UnitWalk::next() {
  if (open_ && place_ == open_->text.size()) {
    open_.reset();
    ++source_;
  }
  if (!open_) {
    if (source_ == sources_.count()) return {};
    open_ = sources_.open(source_);
    place_ = document_ = 0;
  }
  const std::size_t size = next_size();
  const Unit unit{open_, place_, size};
  place_ += size;
  return unit;
}

}  // namespace stagedtrain::data
