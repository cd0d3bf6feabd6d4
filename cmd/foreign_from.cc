// Imports the foreign model that a schedule's `from` names.
#include "cmd/foreign_from.h"

#include <algorithm>
#include <filesystem>

#include "arch/architectures.h"
#include "base/error.h"
#include "cmd/output.h"
#include "hub/import.h"
#include "text/text.h"

namespace stagedtrain::cmd {

void import_foreign_from(schedule::Schedule& schedule, const Path& run) {
  const Path source = schedule.from;
  if (schedule.from.empty() || !hub::is_foreign_model(source)) return;
  const Path name = source.has_filename() ? source.filename() : source.parent_path().filename();
  const Path target = run / fmt::format("imported-{}.h5", name.stem().string());
  if (!std::filesystem::exists(target)) {
    hub::ForeignModel model = hub::open_foreign_model(source);
    if (arch::block_style(model.model).rotary)
      model.model.context = std::min(model.model.context, schedule.model.context);
    std::filesystem::create_directories(run);
    print_to_stderr(fmt::format("importing {} into {}\n", source.string(), target.string()));
    const bool fp64 = schedule.precision == schedule::Precision::fp64;
    hub::import_model(model, target, Replace::yes, fp64 ? state::DType::f64 : state::DType::f32);
    for (const std::string& note : model.notes) print_to_stderr(wrapped(note));
  }
  schedule.from = target.string();
}

void refuse_foreign_from(const schedule::Schedule& schedule) {
  if (schedule.from.empty() || !hub::is_foreign_model(schedule.from)) return;
  throw usage_error("from: {} is a model in a foreign format, which only train imports by itself",
                    schedule.from)
      .with_hint(fmt::format("import it first, and set from to the checkpoint:\n  stagedtrain "
                             "import {} model.h5 --context {}",
                             schedule.from, schedule.model.context));
}

}  // namespace stagedtrain::cmd
