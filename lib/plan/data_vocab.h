// The vocabulary of a model whose schedule does not give one.
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::plan {

// The schedule with model.vocab filled in from the training tokens, where it is missing. Throws
// Error(usage) at the model's place if the file is not there, or does not record its vocabulary.
schedule::Schedule with_vocab_of_data(schedule::Schedule schedule);

}  // namespace stagedtrain::plan
