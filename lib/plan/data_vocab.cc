// Takes the model's vocabulary from the training tokens.
#include "plan/data_vocab.h"

#include "data/token_file.h"

namespace stagedtrain::plan {
namespace {

const Tree& model_place(const schedule::Schedule& schedule) {
  const Tree* model = schedule.source.find("model");
  return model ? *model : schedule.source;
}

}  // namespace

schedule::Schedule with_vocab_of_data(schedule::Schedule schedule) {
  if (schedule.model.vocab > 0) return schedule;
  const std::string& path = schedule.data.train;
  std::error_code none;
  if (!std::filesystem::exists(path, none))
    throw model_place(schedule)
        .error(
            "model.vocab is missing, and the file '{}' (data.train) that would give it does not "
            "exist",
            path)
        .with_hint(
            "set model.vocab (bytes need 256), or make the file first: stagedtrain data TEXT "
            "--out DIR");
  const data::TokenFileInfo info = data::TokenFile(path).info();
  if (info.vocab == 0)
    throw model_place(schedule)
        .error("model.vocab is missing, and {} does not record it{}{}", path,
               info.note.empty() ? "" : ": ", info.note)
        .with_hint("set model.vocab to the number of ids of the tokenizer that made the file");
  schedule.model.vocab = info.vocab;
  return schedule;
}

}  // namespace stagedtrain::plan
