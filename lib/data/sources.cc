// Opening texts and cutting them into units.
#include "data/sources.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/signals.h"
#include "data/token_header.h"
#include "data/utf8.h"

namespace stagedtrain::data {
namespace {

void copy_stdin(const Path& target) {
  OutputFile out(target, OutputFile::Mode::existing);
  std::vector<std::byte> part(std::size_t{1} << 20);
  for (std::uint64_t written = 0;;) {
    stop_point("reading standard input");
    const ssize_t size = ::read(STDIN_FILENO, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw input_error("stdin: cannot read: {}", std::strerror(errno));
    if (size == 0) return;
    out.write_at(written, std::span(part).first(static_cast<std::size_t>(size)));
    written += static_cast<std::uint64_t>(size);
  }
}

}  // namespace

Sources::Sources(const std::vector<std::string>& names, const Path& folder) {
  if (std::count(names.begin(), names.end(), "-") > 1)
    throw usage_error("'-' (standard input) is given twice");
  for (const std::string& name : names) {
    const bool spooled = name == "-";
    if (spooled) {
      make_folders(folder);
      copy_stdin(spool_.emplace(folder / "stdin").path());
    }
    all_.push_back({spooled ? "stdin" : name, MappedFile(spooled ? spool_->path() : Path(name))});
    const Source& source = all_.back();
    if (source.text().empty()) {
      empty_.push_back(source.name);
      all_.pop_back();
      continue;
    }
    if (looks_like_header(source.file.bytes()))
      throw input_error("{}: is a token file already, expected text", source.name)
          .with_hint("name it in a schedule, under data.train or data.validation");
    bytes_ += source.text().size();
  }
  if (all_.empty())
    throw input_error("{}: empty, expected text", empty_.front())
        .with_hint(empty_.size() == 1 ? "give a file that holds text"
                                      : "so are all other inputs; give files that hold text");
}

UnitWalk::UnitWalk(const Sources& sources, std::string separator, std::size_t block)
    : sources_(sources), separator_(std::move(separator)), block_(block) {}

std::optional<Unit> UnitWalk::next() {
  if (source_ < sources_.all().size() && place_ == sources_.all()[source_].text().size()) {
    ++source_;
    place_ = 0;
  }
  if (source_ == sources_.all().size()) return {};
  const Source& source = sources_.all()[source_];
  const std::string_view rest = source.text().substr(place_);
  std::size_t size = rest.size();
  if (block_) {
    size = cut_near(rest, block_);
  } else if (!separator_.empty()) {
    const std::size_t found = rest.find(separator_);
    if (found != std::string_view::npos) size = found + separator_.size();
  }
  const Unit unit{&source, place_, size};
  place_ += size;
  return unit;
}

}  // namespace stagedtrain::data
